"""The first version: everything the reference backend keeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "alarm",
        sa.Column("kiosk", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("times", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_s", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("kiosk", "kind", name=op.f("pk_alarm")),
    )
    op.create_table(
        "card",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("holder_nir", sa.Text(), nullable=False),
        sa.Column("holder_birth_date", sa.Text(), nullable=False),
        sa.Column("postcode", sa.Text(), nullable=False),
        sa.Column("previous_postcode", sa.Text(), nullable=True),
        sa.Column("first_names_json", sa.Text(), nullable=False),
        sa.Column("opposed", sa.Boolean(), nullable=False),
        sa.Column("replace", sa.Boolean(), nullable=False),
        sa.Column("ineligible_reason", sa.Text(), nullable=True),
        sa.Column("outage_until_s", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("content_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_card")),
    )
    op.create_index("card_by_login", "card", ["holder_nir"], unique=False)
    op.create_table(
        "code",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tries_left", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_code")),
    )
    op.create_table(
        "conversation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kiosk", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("update_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("counter", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("touched_s", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("work_json", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation")),
    )
    op.create_index("conversation_by_card", "conversation", ["serial"], unique=False)
    op.create_table(
        "document",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body_json", sa.Text(), nullable=False),
        sa.Column("envelope_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("type", "scope", "version", name=op.f("pk_document")),
    )
    op.create_table(
        "event",
        sa.Column("kiosk", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("aggregate", sa.Text(), nullable=False),
        sa.Column("aggregate_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("created_utc_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kiosk", "event_id", name=op.f("pk_event")),
        sa.UniqueConstraint("kiosk", "aggregate", "aggregate_seq", name=op.f("uq_event_kiosk_aggregate_aggregate_seq")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_try",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("failures", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("serial", "day", name=op.f("pk_identity_try")),
    )
    op.create_table(
        "kiosk",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("site_kind", sa.Text(), nullable=False),
        sa.Column("quarantine", sa.Text(), nullable=False),
        sa.Column("last_batch_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("acked_through_seq", sa.BigInteger(), nullable=False),
        sa.Column("refusals", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kiosk")),
    )
    op.create_table(
        "nonce",
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("keep_until_s", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("keyid", "nonce", name=op.f("pk_nonce")),
        sqlite_with_rowid=False,
    )
    op.create_index("nonce_by_age", "nonce", ["keep_until_s"], unique=False)
    op.create_table(
        "proof",
        sa.Column("proof_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("kiosk", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("proof_sha256", name=op.f("pk_proof")),
    )
    op.create_table(
        "response",
        sa.Column("kiosk", sa.Text(), nullable=False),
        sa.Column("idem_key", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("gone_at_s", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("conversation_id", sa.Text(), nullable=True),
        sa.Column("batch_seq", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("kiosk", "idem_key", name=op.f("pk_response")),
    )
    op.create_index(
        "response_by_batch",
        "response",
        ["kiosk", "batch_seq"],
        unique=True,
        sqlite_where=sa.text("batch_seq IS NOT NULL"),
        postgresql_where=sa.text("batch_seq IS NOT NULL"),
    )
    op.create_index(
        "response_by_conversation",
        "response",
        ["conversation_id"],
        unique=False,
        sqlite_where=sa.text("conversation_id IS NOT NULL"),
        postgresql_where=sa.text("conversation_id IS NOT NULL"),
    )
    op.create_index(
        "response_by_end",
        "response",
        ["gone_at_s"],
        unique=False,
        sqlite_where=sa.text("body IS NOT NULL AND gone_at_s IS NOT NULL"),
        postgresql_where=sa.text("body IS NOT NULL AND gone_at_s IS NOT NULL"),
    )
    op.create_table(
        "update_order",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("update_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("after_json", sa.Text(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("serial", "update_id", name=op.f("pk_update_order")),
    )
    op.create_table(
        "kiosk_key",
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.Column("kiosk", sa.Text(), nullable=False),
        sa.Column("alg", sa.Text(), nullable=False),
        sa.Column("spki", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("until_s", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["kiosk"], ["kiosk.id"], name=op.f("fk_kiosk_key_kiosk")),
        sa.PrimaryKeyConstraint("keyid", name=op.f("pk_kiosk_key")),
    )
    op.create_index("kiosk_key_by_kiosk", "kiosk_key", ["kiosk"], unique=False)
    op.create_table(
        "ticket",
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("kiosk", sa.Text(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("csr_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.Column("failures", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["kiosk"], ["kiosk.id"], name=op.f("fk_ticket_kiosk")),
        sa.PrimaryKeyConstraint("secret_sha256", name=op.f("pk_ticket")),
    )
    op.create_table(
        "certificate",
        sa.Column("serial_hex", sa.Text(), nullable=False),
        sa.Column("kiosk", sa.Text(), nullable=False),
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("not_after_s", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revoked_s", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["keyid"], ["kiosk_key.keyid"], name=op.f("fk_certificate_keyid")),
        sa.ForeignKeyConstraint(["kiosk"], ["kiosk.id"], name=op.f("fk_certificate_kiosk")),
        sa.PrimaryKeyConstraint("serial_hex", name=op.f("pk_certificate")),
    )
    op.create_index("certificate_by_kiosk", "certificate", ["kiosk"], unique=False)
    op.create_index(
        "certificate_revoked",
        "certificate",
        ["revoked_s"],
        unique=False,
        sqlite_where=sa.text("revoked_s IS NOT NULL"),
        postgresql_where=sa.text("revoked_s IS NOT NULL"),
    )
