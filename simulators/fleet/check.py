"""What the database says at the end against what each kiosk was told: all that was acknowledged, applied once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from simulators.backend import schema
from simulators.fleet.outbox import ID_MODULUS, id_sum
from simulators.fleet.tally import KioskEnd

SHOWN: Final = 10
_ROWS_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Check:
    """Numbers of events. `unknown`: applied, and the kiosk had not heard of it when the run ended; that is no fault.

    violations: at most ten, the first; `wrong_kiosks` counts all.
    """

    acknowledged: int
    applied: int
    unknown: int
    gaps: int
    wrong_kiosks: int
    violations: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing twice, no gap."""
        return self.wrong_kiosks == 0 and self.gaps == 0


@dataclass(slots=True)
class _Applied:
    events: int = 0
    id_sum: int = 0
    unknown: int = 0


def check(connection: Connection, seed: int, ends: Iterable[KioskEnd]) -> Check:
    """Read every event of the fleet of this seed. Sets are compared by size and sum of identifiers."""
    known = {end.kiosk: end for end in ends}
    in_flight = {event_id for end in known.values() for event_id in end.in_flight}
    applied = {kiosk: _Applied() for kiosk in known}
    for kiosk, event_id in _events(connection, seed):
        mine = applied.setdefault(kiosk, _Applied())
        if event_id in in_flight:
            mine.unknown += 1
        else:
            mine.events += 1
            mine.id_sum += id_sum((event_id,))
    last = _last_numbers(connection, seed)
    wrong: list[str] = []
    for kiosk, mine in sorted(applied.items()):
        end = known.get(kiosk)
        if end is None:
            wrong.append(f"{kiosk}: events of a kiosk that is not of this run")
        elif mine.events != end.acked:
            wrong.append(f"{kiosk}: {end.acked} events acknowledged, {mine.events} applied")
        elif mine.id_sum % ID_MODULUS != end.acked_id_sum:
            wrong.append(f"{kiosk}: other events applied than were acknowledged")
        elif last.get(kiosk, 0) != end.last_acked_seq + bool(mine.unknown):
            wrong.append(f"{kiosk}: last batch {last.get(kiosk, 0)}, acknowledged {end.last_acked_seq}")
    return Check(
        acknowledged=sum(end.acked for end in known.values()),
        applied=sum(mine.events + mine.unknown for mine in applied.values()),
        unknown=sum(mine.unknown for mine in applied.values()),
        gaps=_gaps(connection, seed),
        wrong_kiosks=len(wrong),
        violations=tuple(wrong[:SHOWN]),
    )


def _events(connection: Connection, seed: int) -> Iterable[tuple[str, str]]:
    event = schema.event.c
    rows = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(
        select(event.kiosk, event.event_id).where(event.kiosk.like(f"fleet-{seed}-%"))
    )
    return ((row.kiosk, row.event_id) for row in rows)


def _last_numbers(connection: Connection, seed: int) -> dict[str, int]:
    kiosk = schema.kiosk.c
    rows = connection.execute(select(kiosk.id, kiosk.last_batch_seq).where(kiosk.id.like(f"fleet-{seed}-%")))
    return {row.id: row.last_batch_seq for row in rows}


def _gaps(connection: Connection, seed: int) -> int:
    """Aggregates whose numbers are not 1, 2, 3 … n: they are above 0, and the table holds each once."""
    event = schema.event.c
    broken = (
        select(event.kiosk)
        .where(event.kiosk.like(f"fleet-{seed}-%"))
        .group_by(event.kiosk, event.aggregate)
        .having(func.max(event.aggregate_seq) != func.count())
        .subquery()
    )
    return int(connection.execute(select(func.count()).select_from(broken)).scalar_one())
