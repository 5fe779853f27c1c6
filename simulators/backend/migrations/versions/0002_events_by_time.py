"""Events in the order of their names, which is that of time; last numbers of aggregates in a table of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Keep every event. A table's primary key is changed by copying on one engine: on both."""
    op.create_table(
        "aggregate",
        sa.Column("kiosk", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("kiosk", "name", name=op.f("pk_aggregate")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO aggregate (kiosk, name, last_seq)"
        " SELECT kiosk, aggregate, max(aggregate_seq) FROM event GROUP BY kiosk, aggregate"
    )
    op.execute("CREATE TABLE event_0001 AS SELECT * FROM event")
    op.drop_table("event")
    op.create_table(
        "event",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kiosk", sa.Text(), nullable=False),
        sa.Column("aggregate", sa.Text(), nullable=False),
        sa.Column("aggregate_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("created_utc_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "kiosk", name=op.f("pk_event")),
        sqlite_with_rowid=False,
    )
    columns = "event_id, kiosk, aggregate, aggregate_seq, type, created_utc_ms, body_json"
    op.execute(f"INSERT INTO event ({columns}) SELECT {columns} FROM event_0001 ORDER BY event_id, kiosk")  # noqa: S608
    op.drop_table("event_0001")
