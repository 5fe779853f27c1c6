"""The life of a kiosk's signing key on the server: pending → active → grace → retired; any → revoked.

A key is pending from the moment it is certified, active from the first valid request under it; the one before then has
its grace. (Before that, while the kiosk has a key of which the server knows nothing, it is *requested*.)
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, func, select, update

from simulators.backend import schema

PENDING: Final = "pending"
ACTIVE: Final = "active"
GRACE: Final = "grace"
RETIRED: Final = "retired"
REVOKED: Final = "revoked"
GRACE_S: Final = 86_400


def accepted(state: str, until_s: int | None, now_s: int) -> bool:
    """Whether a request under a key in this state may have an effect."""
    return state in (PENDING, ACTIVE) or (state == GRACE and until_s is not None and now_s < until_s)


def activate(connection: Connection, kiosk: str, keyid: str, now_s: int) -> None:
    """The first valid request under a pending key: it is the kiosk's key now, and the active one has its grace."""
    table = schema.kiosk_key
    mine = table.c.kiosk == kiosk
    connection.execute(update(table).where(mine, table.c.state == ACTIVE).values(state=GRACE, until_s=now_s + GRACE_S))
    connection.execute(update(table).where(mine, table.c.keyid == keyid).values(state=ACTIVE))


def supersede(connection: Connection, kiosk: str) -> None:
    """An enrolment by ticket: every older key that still has a life has none now."""
    table = schema.kiosk_key
    connection.execute(
        update(table)
        .where(table.c.kiosk == kiosk, table.c.state.in_((PENDING, ACTIVE, GRACE)))
        .values(state=RETIRED, until_s=None)
    )


def revoke(connection: Connection, kiosk: str) -> int:
    """Every key that the kiosk has: none of them ever opens anything again. Returns how many it were."""
    table = schema.kiosk_key
    mine = table.c.kiosk == kiosk, table.c.state != REVOKED
    count = connection.execute(select(func.count()).select_from(table).where(*mine)).scalar_one()
    connection.execute(update(table).where(*mine).values(state=REVOKED, until_s=None))
    return int(count)


def next_generation(connection: Connection, kiosk: str) -> int:
    """Generations are counted over all enrolments and renewals of a kiosk, and none is ever used twice."""
    table = schema.kiosk_key
    return 1 + int(
        connection.execute(select(func.count()).select_from(table).where(table.c.kiosk == kiosk)).scalar_one()
    )
