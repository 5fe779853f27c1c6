"""The chore of signed documents: what it asks, keeps, tells, writes down and shows; a scripted backend answers it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kiosk.chores.documents import AWAY_POLL_S, POLL_S, RETRY_S, Documents, retry_in_s
from kiosk.diagnostics.report import CheckState
from kiosk.facts import Facts
from kiosk.store.thread import Store
from kiosk.sync import faults
from kiosk.sync.documents import FLEET
from kiosk.sync.documents_bodies import TYPES
from kiosk.sync.documents_in_force import InForce
from kiosk.sync.documents_keeper import DocumentKeeper
from kiosk.sync.identity import Role
from kiosk.sync.outbox import Outbox
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.visit import events as ev
from kiosk.visit.outages import ANNOUNCED_S
from kiosk.visit.policy import Quarantine
from tests.sync.support import KIOSK, NOW_S, FakeClock
from tests.sync.test_documents import ROLE, signed


class Backend:
    """Signs nothing itself: hands out envelopes and numbers. `away`: no answer comes."""

    def __init__(self, time: TimeKeeper, clock: FakeClock) -> None:
        self.envelopes: list[dict[str, Any]] = []
        self.latest: Any = {}
        self.away = False
        self.asked: list[dict[str, int]] = []
        self._time, self._clock = time, clock

    def call_raw(self, _route: str, body: bytes, _idempotency_key: str, *, deadline_s: float) -> Any:
        assert deadline_s == RETRY_S
        self.asked.append(json.loads(body)["known"])
        if self.away:
            return faults.network("nobody there")
        self._time.learn(int(self._clock.utc), self._clock.monotonic)
        return {"documents": self.envelopes, "latest": self.latest}


class Latest(random.Random):
    """Chance that always takes the latest moment."""

    def uniform(self, _a: float, b: float) -> float:
        return b


class House:
    """One start of the chore over a store."""

    def __init__(self, store: Store, roles: dict[str, Role] | None = None) -> None:
        self.clock = FakeClock()
        self.time = TimeKeeper(self.clock, keep_floor=lambda _floor_s: None)
        self.backend = Backend(self.time, self.clock)
        self.posted: list[Any] = []
        self.obeyed: list[InForce] = []
        self._store = store
        facts = Facts(store, Outbox(self.clock), lambda: NOW_S * 1000)
        keeper = DocumentKeeper(
            store, roles=dict.fromkeys(TYPES, ROLE) if roles is None else roles, kiosk=KIOSK, app_version="0.1.0"
        )
        self.chore = Documents(
            self.backend,  # type: ignore[arg-type]  # the one call that the chore makes
            keeper,
            facts,
            time=self.time,
            clock=self.clock,
            post=self.posted.append,
            obey=self.obeyed.append,
            rng=Latest(),
        )

    def poll(self, *envelopes: dict[str, Any], latest: Any = None) -> float:
        """Let the next poll bring this."""
        self.backend.envelopes = list(envelopes)
        self.backend.latest = {} if latest is None else latest
        self.clock.advance(POLL_S)
        return self.chore.step()

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.posted if isinstance(event, kind)]

    def written(self, event: str) -> list[dict[str, Any]]:
        statement = "SELECT fields FROM journal WHERE type = ? ORDER BY seq"
        rows = self._store.submit(lambda tx: tx.execute(statement, (event,))).result()
        return [json.loads(str(row[0])) for row in rows]

    @property
    def shown(self) -> dict[str, Any]:
        (check,) = self.chore.checks
        return {"state": check.state, **check.facts}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "kiosk.db", bytes(32))
    assert isinstance(opened, Store)
    yield opened
    opened.close()


def test_a_service_that_is_away_is_asked_less_and_less_often_until_it_is_back(store: Store) -> None:
    house = House(store)
    house.backend.away = True
    polls_s: list[float] = []
    while len(polls_s) < 7:
        delay_s = house.chore.step()
        if len(house.backend.asked) > len(polls_s):
            polls_s.append(house.clock.monotonic_s())
        house.clock.advance(delay_s)
    waits = [after_s - before_s for before_s, after_s in pairwise(polls_s)]
    assert waits == [RETRY_S, 4 * RETRY_S, AWAY_POLL_S, AWAY_POLL_S, AWAY_POLL_S, AWAY_POLL_S]
    house.backend.away = False
    house.clock.advance(AWAY_POLL_S)
    house.clock.advance(house.chore.step())
    house.backend.away = True
    assert house.chore.step() == RETRY_S


def _polls(kiosk: int, first_s: float, until_s: float) -> Iterator[float]:
    """When a kiosk looks for a service that is away, from its first poll on."""
    rng, failures, at_s = random.Random(kiosk), 0, first_s
    while at_s < until_s:
        yield at_s
        failures += 1
        at_s += retry_in_s(failures, rng)


@pytest.mark.parametrize("apart_s", [0.0, POLL_S], ids=["switched on together", "spread over a minute"])
def test_a_fleet_looks_evenly_for_a_service_that_was_away_for_long(apart_s: float) -> None:
    kiosks, span_s = 2000, 15
    polls = [at_s for kiosk in range(kiosks) for at_s in _polls(kiosk, apart_s * kiosk / kiosks, 900.0)]
    for start_s in range(600, 705, span_s):
        seen = sum(start_s <= at_s < start_s + span_s for at_s in polls)
        assert seen == pytest.approx(kiosks * span_s / AWAY_POLL_S, rel=0.25)


STOP = {"type": "quarantine", "body": {"level": "stop"}}


def test_a_document_is_kept_told_written_down_and_shown(store: Store) -> None:
    house = House(store)
    house.poll(signed(), signed(scope=FLEET, **STOP, version=3), latest={"policy": 5, "quarantine/fleet": 3})
    assert [event.policy.quarantine for event in house.told(ev.PolicyChanged)] == [Quarantine.STOP]
    assert [counts.policy for counts in house.obeyed] == [event.policy for event in house.told(ev.PolicyChanged)]
    assert house.written("document_applied") == [
        {"type": "policy", "scope": "kiosk", "version": 5},
        {"type": "quarantine", "scope": "fleet", "version": 3},
    ]
    assert house.shown == {"state": CheckState.OK, "policy": "5", "quarantine/fleet": "3 stop"}
    assert house.poll() == POLL_S
    assert house.backend.asked[-1] == {"policy": 5, "quarantine/fleet": 3}
    assert len(house.obeyed) == 1


def test_an_order_survives_a_restart_and_only_a_newer_one_lifts_it(store: Store) -> None:
    House(store).poll(signed(**STOP, version=3))
    again = House(store, {})  # enrolled anew: nobody's keys are known yet
    again.backend.away = True
    again.chore.step()
    assert [event.policy.quarantine for event in again.told(ev.PolicyChanged)] == [Quarantine.STOP]
    third = House(store)
    third.poll(signed(type="quarantine", body={"level": "none"}, version=2))
    third.poll(signed(type="quarantine", body={"level": "none"}, version=4))
    assert [counts.policy.quarantine for counts in third.obeyed] == [Quarantine.STOP, Quarantine.NONE]


@pytest.mark.parametrize(
    ("bad", "kind", "shown"),
    [({"version": 6, "body": {"idle_s": ""}}, "policy", "payload.body.idle_s: a number"),
     ({"version": 4}, "policy", "payload.version: below 5, the last accepted"),
     ({"version": 6, "not_after": NOW_S - 1}, "policy", "payload.not_after: has passed"),
     ({"type": "weather"}, "unknown", "payload.type: unknown to this application: ignored")],
)  # fmt: skip
def test_a_refused_document_leaves_the_last_good_one_and_is_said_once(
    store: Store, bad: dict[str, Any], kind: str, shown: str
) -> None:
    house = House(store)
    house.poll(signed())
    before = house.obeyed[-1]
    for _ in range(3):
        house.poll(signed(**bad), latest={"policy": 6})
    assert (house.obeyed, len(house.told(ev.PolicyChanged))) == ([before], 1)
    assert house.written("document_refused") == [{"type": kind, "cause": "N-04"}]
    assert bool(house.written("document_withheld")) is (kind == "unknown")  # what was refused was not withheld
    assert str(house.shown[f"{kind} refused"]).startswith(shown)
    assert house.shown["state"] is CheckState.FAULT
    house.poll(signed(version=7), latest={"policy": 7})
    assert house.shown == {"state": CheckState.OK, "policy": "7"}


def test_a_withheld_document_shows_once(store: Store) -> None:
    house = House(store)
    house.poll(signed(), latest={"policy": 6, "contents/fleet": 1, "weather": 9, "quarantine": True})
    house.poll(latest={"policy": 6, "contents/fleet": 1})
    assert house.written("document_withheld") == [
        {"type": "policy", "scope": "kiosk", "version": 6},
        {"type": "contents", "scope": "fleet", "version": 1},
    ]
    assert house.shown == {
        "state": CheckState.FAULT, "policy": "5", "policy withheld": 6, "contents/fleet withheld": 1
    }  # fmt: skip
    house.poll(signed(version=6), latest={"policy": 6})
    assert house.shown == {"state": CheckState.OK, "policy": "6"}


@pytest.mark.parametrize("latest", [[], {"policy": "6"}, {"policy": None}, {"policy": 2**31}])
def test_numbers_that_are_none_are_not_believed(store: Store, latest: Any) -> None:
    house = House(store)
    house.poll(signed(), latest=latest)
    assert house.shown == {"state": CheckState.OK, "policy": "5"}


def test_what_is_over_is_said_once_and_stops_only_what_it_must(store: Store) -> None:
    ends_s = NOW_S + 1000
    house = House(store)
    house.poll(signed(not_after=ends_s), signed(type="site_capabilities", body={"update": True}, not_after=ends_s))
    house.backend.away = True
    house.clock.advance(2000)
    house.chore.step()
    assert [counts.policy.update for counts in house.obeyed] == [True, False]
    house.poll()
    fields = {"scope": "kiosk"}
    assert sorted(house.written("document_expired"), key=str) == [
        {**fields, "service_stopped": False, "type": "policy"},
        {**fields, "service_stopped": True, "type": "site_capabilities"},
    ]
    assert house.shown["policy"] == "5 expired"


def calendar(start_s: int, end_s: int, version: int = 1) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": "a",
        "service": "update",
        "regimes": [],
        "caisses": [],
        "text": None,
        "cancelled": version > 1,
    }
    body = {"texts": {}, "entries": [{**entry, "from": start_s, "until": end_s}]}
    return signed(type="outage_calendar", version=version, body=body)


def counts(house: House) -> list[tuple[int, int]]:
    return [(len(event.outages.now), len(event.outages.soon)) for event in house.told(ev.OutagesChanged)]


def test_an_outage_is_announced_runs_and_ends_on_time_without_the_backend(store: Store) -> None:
    house = House(store)
    start_s = NOW_S + ANNOUNCED_S + 90
    delay_s = house.poll(calendar(start_s, start_s + 30))
    assert (counts(house), delay_s) == ([], 30.0)  # the poll was 60 s after NOW_S: announced in 30
    house.backend.away = True
    for seconds in (30, ANNOUNCED_S, 30):
        house.clock.advance(seconds)
        house.chore.step()
    assert counts(house) == [(0, 1), (1, 0), (0, 0)]


def test_a_cancelled_outage_is_gone_at_once_and_without_time_all_is_open(store: Store) -> None:
    house = House(store)
    house.poll(calendar(NOW_S - 5, NOW_S + 5000))
    assert counts(house) == [(1, 0)]
    again = House(store)
    again.backend.away = True
    again.chore.step()
    assert counts(again) == []  # no time is trusted yet
    again.backend.away = False
    again.poll()
    assert counts(again) == [(1, 0)]
    again.poll(calendar(NOW_S - 5, NOW_S + 5000, version=2))
    assert counts(again) == [(1, 0), (0, 0)]


def test_an_unreadable_order_is_taken_for_the_worst(store: Store) -> None:
    House(store).poll(signed(**STOP))
    store.submit(
        lambda tx: tx.execute("UPDATE meta SET value = ? WHERE key = ?", (b"{}", f"document:quarantine:{KIOSK}"))
    ).result()
    house = House(store)
    house.backend.away = True
    house.chore.step()
    assert house.obeyed[-1].policy.quarantine is Quarantine.STOP
    assert "quarantine unreadable" in house.shown
