"""Whose database it is; tickets by their end, so that those that have ended can be forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The row is written by the first centre that starts on it (`ownership.claim`)."""
    op.create_table(
        "owner",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ca_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("probes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_owner")),
    )
    op.create_index("ticket_by_end", "ticket", ["expires_s"], unique=False)
