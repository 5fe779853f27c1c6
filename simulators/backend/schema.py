"""The backend's tables (SQLAlchemy Core). Times are whole seconds since 1970 (UTC); `*_json` holds JSON text."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
"""Constraints have names, so that a later migration can change them on any engine."""


def _text(name: str, *, null: bool = False, key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null, primary_key=key)


def _number(name: str, *, null: bool = False, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null, primary_key=key, autoincrement=False)


def _bytes(name: str, *, null: bool = False, key: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=null, primary_key=key)


# --- whose it is ---------------------------------------------------------------------------------------------------
owner = Table(
    "owner",
    metadata,
    _number("id", key=True),  # always 1: nobody else can be written beside it
    _bytes("ca_sha256"),  # of the CA certificate (DER)
    _number("probes"),  # how often somebody has looked whether the database can be written
)

# --- who may speak -----------------------------------------------------------------------------------------------
kiosk = Table(
    "kiosk",
    metadata,
    _text("id", key=True),
    _text("site_kind"),
    _text("quarantine"),  # a value of kiosk.visit.policy.Quarantine
    _number("last_batch_seq"),
    Column("acked_through_seq", BigInteger, nullable=False, default=0),  # answers up to this batch are tombstones
    _number("refusals"),
)
kiosk_key = Table(
    "kiosk_key",
    metadata,
    _text("keyid", key=True),
    Column("kiosk", Text, ForeignKey("kiosk.id"), nullable=False),
    _text("alg"),
    _bytes("spki"),
    _text("state"),  # pending | active | grace | retired | revoked
    _number("until_s", null=True),  # end of the grace
)
Index("kiosk_key_by_kiosk", kiosk_key.c.kiosk)
certificate = Table(
    "certificate",
    metadata,
    _text("serial_hex", key=True),
    Column("kiosk", Text, ForeignKey("kiosk.id"), nullable=False),
    Column("keyid", Text, ForeignKey("kiosk_key.keyid"), nullable=False),  # signing key certified at the same time
    _bytes("der"),
    _number("not_after_s"),
    _number("revoked_s", null=True),
)
Index("certificate_by_kiosk", certificate.c.kiosk)
_is_revoked = certificate.c.revoked_s.is_not(None)
Index("certificate_revoked", certificate.c.revoked_s, sqlite_where=_is_revoked, postgresql_where=_is_revoked)
alarm = Table(
    "alarm",
    metadata,
    _text("kiosk", key=True),
    _text("kind", key=True),  # a value of simulators.backend.alarms.Alarm
    _number("times"),
    _number("last_s"),
)
ticket = Table(
    "ticket",
    metadata,
    _bytes("secret_sha256", key=True),
    Column("kiosk", Text, ForeignKey("kiosk.id"), nullable=False),
    _number("expires_s"),
    _bytes("csr_sha256", null=True),  # set when used: a repeat must bring the same keys
    _bytes("certificate", null=True),
    _number("failures"),
)
Index("ticket_by_end", ticket.c.expires_s)

# --- exactly once ------------------------------------------------------------------------------------------------
nonce = Table(
    "nonce",
    metadata,
    _text("keyid", key=True),  # empty in one row, which stands for all that were forgotten: the latest of their times
    _text("nonce", key=True),
    _number("keep_until_s"),
    sqlite_with_rowid=False,  # one tree less to write
)
Index("nonce_by_age", nonce.c.keep_until_s)
response = Table(
    "response",
    metadata,
    _text("kiosk", key=True),
    _text("idem_key", key=True),
    _text("path"),
    _bytes("request_sha256"),
    _bytes("body", null=True),  # None: a tombstone
    _number("gone_at_s", null=True),
    _text("conversation_id", null=True),
    _number("batch_seq", null=True),
)
_ends = response.c.body.is_not(None) & response.c.gone_at_s.is_not(None)
Index("response_by_end", response.c.gone_at_s, sqlite_where=_ends, postgresql_where=_ends)
_is_of_a_batch = response.c.batch_seq.is_not(None)
Index(
    "response_by_batch",
    response.c.kiosk,
    response.c.batch_seq,
    unique=True,  # one number, one content
    sqlite_where=_is_of_a_batch,
    postgresql_where=_is_of_a_batch,
)
_is_of_a_conversation = response.c.conversation_id.is_not(None)
Index(
    "response_by_conversation",
    response.c.conversation_id,
    sqlite_where=_is_of_a_conversation,
    postgresql_where=_is_of_a_conversation,
)
event = Table(
    "event",
    metadata,
    _text("event_id", key=True),  # begins with its time: what all kiosks send now is side by side
    _text("kiosk", key=True),
    _text("aggregate"),
    _number("aggregate_seq"),
    _text("type"),
    _number("created_utc_ms"),
    _text("body_json"),
    sqlite_with_rowid=False,
)
aggregate = Table(
    "aggregate",
    metadata,
    _text("kiosk", key=True),
    _text("name", key=True),
    _number("last_seq"),  # of its events, which are numbered from 1 without a gap
    sqlite_with_rowid=False,
)

# --- what the centre knows of a card -------------------------------------------------------------------------------
card = Table(
    "card",
    metadata,
    _text("serial", key=True),  # the 21 printed digits
    _text("holder_nir"),
    _text("holder_birth_date"),
    _text("postcode"),
    _text("previous_postcode", null=True),
    _text("first_names_json"),
    Column("opposed", Boolean, nullable=False),
    Column("replace", Boolean, nullable=False),
    _text("ineligible_reason", null=True),
    _number("outage_until_s", null=True),
    _text("content_json"),  # organisation and rights the centre believes to be on the chip
)
Index("card_by_login", card.c.holder_nir)
update_order = Table(
    "update_order",
    metadata,
    _text("serial", key=True),
    _text("update_id", key=True),
    _number("position"),
    _text("service"),
    _text("priority"),
    _text("description"),
    _text("after_json"),
    Column("done", Boolean, nullable=False),
)
conversation = Table(
    "conversation",
    metadata,
    _text("id", key=True),
    _text("kiosk"),
    _text("serial"),
    _text("update_id"),
    _text("state"),  # open | closed | void
    _number("counter"),  # of the package last sent
    _number("touched_s"),
    _text("work_json", null=True),  # phase, secure-messaging state; None once closed
)
Index("conversation_by_card", conversation.c.serial)

# --- identity and codes --------------------------------------------------------------------------------------------
identity_try = Table("identity_try", metadata, _text("serial", key=True), _number("day", key=True), _number("failures"))
proof = Table(
    "proof",
    metadata,
    _bytes("proof_sha256", key=True),
    _text("kiosk"),
    _text("serial"),
    _number("expires_s"),
)
code = Table(
    "code",
    metadata,
    _text("serial", key=True),  # one live code a card: a new one replaces it
    _bytes("salt"),
    _bytes("digest"),
    _number("expires_s"),
    _number("tries_left"),
)

# --- signed documents ----------------------------------------------------------------------------------------------
document = Table(
    "document",
    metadata,
    _text("type", key=True),
    _text("scope", key=True),  # a kiosk, or the fleet
    _number("version", key=True),
    _text("body_json"),
    _text("envelope_json"),
)
