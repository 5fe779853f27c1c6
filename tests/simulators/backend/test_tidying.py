"""What the backend forgets, and when: polls leave nothing, what was done is remembered, no message is new twice."""

from __future__ import annotations

import secrets
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select

from kiosk.sync import profile
from simulators.backend import in_thread, schema, tidying
from simulators.backend.database import Database
from simulators.backend.enrolment import TICKET_LIFE_S
from simulators.backend.exchange import REPEATABLE_S
from simulators.backend.server import Ready
from simulators.backend.tidying import AT_ONCE, forget_old
from tests.simulators.backend.kiosk_side import LIMIT_S, FakeUtc, KioskSide, enrolled
from tests.simulators.backend.observer import Observer
from tests.simulators.backend.test_enrolment import csr, simple_enroll

CARD = {"generation": "vitale2", "iccsn": "802500000204671322631"}
POLLS: dict[str, dict[str, Any]] = {
    "/v1/policy/state": {"known": {}},
    "/v1/sync/state": {"batch_seq": 1},
    "/v1/relay/flags": {"card": CARD, "mode": "SELF"},
}
DEEDS: dict[str, dict[str, Any]] = {
    "/v1/relay/start": {"card": CARD, "update_id": "f1c700000001", "actor": {"mode": "SELF"}},
    "/v1/identify": {"iccsn": CARD["iccsn"], "birth_date": "19840518", "postcode": "75020"},
    "/v1/events": {"batch_seq": 1, "acked_through_seq": 0, "events": []},
}
KEY, NONCE = "0f" * 16, "A" * 21 + "Q"
answers = select(func.count()).select_from(schema.response)


def test_polls_leave_no_more_than_those_of_the_last_minutes(kiosk: KioskSide, observer: Observer) -> None:
    assert set(POLLS) == set(tidying.READ_ONLY)
    most = 0
    for pause_s in (*[60] * 8, 86_400, 60, 86_400):
        for path, body in POLLS.items():
            kiosk.good(path, body)
        most = max(most, observer.scalar(answers))
        kiosk.utc.now_s += pause_s
    assert most == len(POLLS) * (REPEATABLE_S // 60)
    kiosk.good("/v1/policy/state", POLLS["/v1/policy/state"])
    assert observer.scalar(answers) == 1


@pytest.mark.parametrize("path", POLLS)
def test_a_late_repeat_of_a_poll_is_refused_by_its_time_and_one_signed_anew_is_answered_anew(
    kiosk: KioskSide, observer: Observer, path: str
) -> None:
    created_s = kiosk.utc() + 60
    assert kiosk.call(path, POLLS[path], KEY, created_s=created_s, nonce=NONCE, lifetime_s=120)[0] == 200
    for wait_s, reason in ((239, "replay"), (1, "replay"), (1, "time_skew"), (REPEATABLE_S - 241, "time_skew")):
        assert observer.scalar(answers) == 1
        kiosk.utc.now_s += wait_s
        refused = kiosk.refused(path, POLLS[path], KEY, created_s=created_s, nonce=NONCE, lifetime_s=120)
        assert refused[1] == reason
    assert observer.scalar(answers) == 0
    kiosk.good(path, POLLS[path], KEY)


def test_what_was_done_is_remembered_for_ever(kiosk: KioskSide, observer: Observer) -> None:
    keys = {path: secrets.token_hex(16) for path in DEEDS}
    for path, body in DEEDS.items():
        kiosk.good(path, body, keys[path])
    kiosk.utc.now_s += 60 * 86_400
    kiosk.good("/v1/sync/state", {"batch_seq": 1})
    told = {path: kiosk.call(path, body, keys[path]) for path, body in DEEDS.items()}
    assert (told["/v1/relay/start"][0], told["/v1/identify"][0], told["/v1/events"][0]) == (410, 200, 200)
    assert observer.scalar(select(func.count()).select_from(schema.conversation)) == 0  # and no second one
    assert observer.scalar(select(func.sum(schema.identity_try.c.failures))) == 1


def test_a_message_that_was_forgotten_is_not_new_when_the_clock_goes_back(
    data_dir: Path, utc: FakeUtc, opened: list[Database], database_url: str | None, tmp_path: Path
) -> None:
    path, start_s = "/v1/sync/state", utc()

    def replayed() -> str:
        return kiosk.refused(path, POLLS[path], KEY, created_s=start_s, nonce=NONCE)[1]

    def kept(at_s: int) -> int:
        nonce = schema.nonce.c
        found = select(func.count()).where(nonce.keyid != "", nonce.keep_until_s == at_s + profile.LIFETIME_S + 120)
        return int(Observer(opened[-1]).scalar(found))

    with in_thread(data_dir, utc, database_url=database_url) as ready:
        kiosk = enrolled(data_dir, ready, utc, tmp_path / "kiosk")
        kiosk.call(path, POLLS[path], created_s=start_s - 30)  # forgotten with it, and of an earlier time
        assert kiosk.call(path, POLLS[path], KEY, created_s=start_s, nonce=NONCE)[0] == 200
        utc.now_s = start_s + REPEATABLE_S
        kiosk.good(path, POLLS[path])
        assert (kept(start_s - 30), kept(start_s)) == (0, 0)
        utc.now_s = start_s
        assert replayed() == "time_skew"
    with in_thread(data_dir, utc, database_url=database_url):
        assert replayed() == "time_skew"
        assert kiosk.refused(path, POLLS[path], created_s=start_s - 600)[1] == "time_skew"
        utc.now_s = start_s - 1
        assert replayed() == "time_skew"
        assert kept(start_s - 600) == 0
        assert replayed() == "time_skew"  # though what was last forgotten is older


def test_a_message_of_a_time_far_ahead_is_not_remembered_until_then(kiosk: KioskSide, observer: Observer) -> None:
    path, kept = "/v1/sync/state", select(func.count()).where(schema.nonce.c.nonce == NONCE)
    assert kiosk.refused(path, POLLS[path], nonce=NONCE, created_s=9_000_000_000)[1] == "time_skew"
    assert observer.scalar(kept) == 1
    kiosk.utc.now_s += REPEATABLE_S + 1
    kiosk.good(path, POLLS[path])
    assert observer.scalar(kept) == 0


def test_a_turn_takes_so_many_rows_and_says_whether_there_are_more(observer: Observer) -> None:
    def store(number: int, path: str, gone_at_s: int) -> dict[str, Any]:
        return {
            "kiosk": "borne-0001", "idem_key": f"{number:032x}", "path": path, "request_sha256": b"", "body": b"{}",
            "gone_at_s": gone_at_s, "conversation_id": None, "batch_seq": None,
        }  # fmt: skip

    def count(path: str, *, is_empty: bool) -> int:
        of = schema.response.c
        return int(observer.scalar(answers.where(of.path == path, of.body.is_(None) == is_empty)))

    poll, deed = "/v1/policy/state", "/v1/relay/start"
    due = [store(number, (poll, deed)[number % 2], 1 + number % 7) for number in range(3 * AT_ONCE)]
    observer.database.run(
        lambda connection: connection.execute(
            insert(schema.response), [*due, store(9999, poll, 8), store(9998, deed, 8)]
        )
    )
    assert observer.database.run(lambda connection: forget_old(connection, 7))
    assert AT_ONCE <= (3 * AT_ONCE + 2) - count(poll, is_empty=False) - count(deed, is_empty=False) <= 2 * AT_ONCE
    while observer.database.run(lambda connection: forget_old(connection, 7)):
        continue
    assert count(poll, is_empty=False) == count(deed, is_empty=False) == 1
    assert count(deed, is_empty=True) == 3 * AT_ONCE // 2
    assert count(poll, is_empty=True) == 0


def test_a_conversation_is_forgotten_when_nothing_it_says_can_count_any_more(
    kiosk: KioskSide, observer: Observer
) -> None:
    def kept() -> list[str]:
        rows = observer.database.run(lambda connection: connection.execute(select(schema.conversation.c.state)).all())
        return sorted(row.state for row in rows)

    def answer(package: dict[str, Any]) -> dict[str, Any]:
        abort = {"command_sent": False}
        return {"conversation_id": package["conversation_id"], "counter": 0, "responses": [], "abort": abort}

    start = DEEDS["/v1/relay/start"]
    packages = [kiosk.good("/v1/relay/start", start)["package"] for _ in range(3)]
    kiosk.good("/v1/relay/step", answer(packages[2]), KEY)
    packages.append(kiosk.good("/v1/relay/start", start)["package"])
    assert kept() == ["closed", "open", "void", "void"]
    told = []
    for later_s in (tidying.CONVERSATION_KEPT_S, 1):
        kiosk.utc.now_s += later_s
        told.append([kiosk.refused("/v1/relay/step", answer(package)) for package in packages])
        assert len(kept()) == (4 if later_s > 1 else 0)
    assert told == [[(410, "gone", "CONVERSATION_EXPIRED")] * 4] * 2
    assert kiosk.good("/v1/relay/step", answer(packages[2]), KEY)["close"]["outcome"] == "aborted"


def test_of_many_conversations_a_turn_takes_so_many(observer: Observer) -> None:
    silent = {"kiosk": "borne-0001", "serial": "", "update_id": "", "state": "open", "counter": 0, "touched_s": 0}
    rows = [{**silent, "id": f"{number:032x}", "work_json": None} for number in range(AT_ONCE + 1)]
    observer.database.run(lambda connection: connection.execute(insert(schema.conversation), rows))
    forget = partial(forget_old, now_s=tidying.CONVERSATION_KEPT_S + 1)
    counted = select(func.count()).select_from(schema.conversation)
    assert [(observer.database.run(forget), observer.scalar(counted)) for _ in range(2)] == [(True, 1), (False, 0)]


@pytest.mark.parametrize("is_spent", [True, False], ids=["spent", "unspent"])
def test_a_ticket_is_forgotten_long_after_it_has_expired(
    kiosk: KioskSide, observer: Observer, ready: Ready, *, is_spent: bool
) -> None:
    observer.execute(delete(schema.ticket))
    sent = str(kiosk.operate("ticket", site_kind="agency")["ticket"])
    request, end_s = csr(sent), kiosk.utc() + TICKET_LIFE_S
    if is_spent:
        assert simple_enroll(ready, sent, request)[0] == 200
    left, told = [], []
    for at_s in (end_s, end_s + tidying.TICKET_KEPT_S, end_s + tidying.TICKET_KEPT_S + 1):
        kiosk.utc.now_s = at_s
        observer.database.run(partial(forget_old, now_s=at_s))
        left.append(observer.scalar(select(func.count()).select_from(schema.ticket)))
        told.append(simple_enroll(ready, sent, request))
    assert left == [1, 1, 0]
    assert told == [told[0]] * 3
    assert told[0][0] == 401


def test_a_server_that_is_frozen_is_asked_once_and_then_for_the_last_time_it_missed(
    observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    times_s: list[int] = []
    monkeypatch.setattr(tidying, "forget_old", lambda _, now_s: times_s.append(now_s))
    database, may_go_on = observer.database, threading.Event()
    database.submit(lambda _: may_go_on.wait(LIMIT_S))
    keeper = tidying.Tidying(database)
    for now_s in range(1, 101):
        keeper.at(now_s)
    assert database.waiting <= 2
    may_go_on.set()
    database.run(lambda _: None)
    database.run(lambda _: None)
    assert times_s == [1, 100]
