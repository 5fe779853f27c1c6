"""What an operator may decide about a refused event, that it is itself an event, and that the others go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk import cli
from kiosk.chores.uploading import Uploading
from kiosk.diagnostics.report import CheckState
from kiosk.facts import Facts, OutboxFullError
from kiosk.settings import KioskSettings, Settings
from kiosk.state import open_store
from kiosk.store.thread import Store
from kiosk.sync.dead_letters import STUB, DeadLetter, Decision, dead_letters, decide
from kiosk.sync.outbox import Outbox, Quota, dead
from kiosk.sync.turn import Turn
from kiosk.sync.uploader import IDLE_S, Uploader, UploadState
from tests.sync.intake import FakeClock, Intake

CARD = "00112233445566778899aabbccddeeff"
UTC_MS = 1_790_000_000_000


class Rig:
    """Facts, their upload, and a backend that refuses some types."""

    def __init__(self, state_dir: Path, quota: Quota | None = None) -> None:
        self.settings = Settings(KioskSettings(state_dir))
        self.clock, self.intake = FakeClock(), Intake()
        self.quota = quota
        self.start()

    def start(self) -> None:
        opened = open_store(self.settings.kiosk.state_dir)
        assert isinstance(opened, Store)
        self.store = opened
        self.facts = Facts(opened, Outbox(self.clock, quota=self.quota, boot_id="boot"), lambda: UTC_MS)
        uploader = Uploader(opened, self.intake, self.clock, Turn("borne-7", self.clock))
        self.chore, self.uploader = Uploading(uploader, self.facts, lambda: None), uploader

    def drain(self) -> None:
        for _ in range(60):
            delay_s = self.chore.step()
            self.clock.now_s += delay_s
            if delay_s == IDLE_S and self.uploader.status.state is UploadState.IDLE:
                return

    def letters(self) -> tuple[DeadLetter, ...]:
        return self.store.submit(dead_letters).result()

    def noted(self, kind: str) -> list[dict[str, object]]:
        rows = self.store.submit(lambda tx: tx.execute("SELECT fields FROM journal WHERE type = ?", (kind,))).result()
        return [json.loads(str(fields)) for (fields,) in rows]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A visit whose second event is refused; two more wait behind it."""
    made = Rig(tmp_path / "state")
    made.intake.refused_types = {"card_read"}
    made.facts.commit("visit_started", {"mode": "card"}, CARD)
    made.facts.commit("card_read", {"generation": "vitale2", "unfinished": False}, CARD)
    made.drain()
    made.facts.commit("serial_shown", {}, CARD)
    made.facts.commit("visit_ended", {"reason": "removed"}, CARD)
    made.facts.commit("kiosk_started", {})
    made.drain()
    yield made
    made.store.close()


def applied(rig: Rig) -> list[tuple[str, int]]:
    return [(aggregate.rpartition(":")[0], number) for _, aggregate, number in rig.intake.applied]


def test_a_refused_event_is_listed_told_once_and_blocks_only_its_visit(rig: Rig) -> None:
    (letter,) = rig.letters()
    assert (letter.number, letter.type, letter.status, letter.held_back) == (2, "card_read", "invalid", 2)
    assert applied(rig) == [(f"visit:{CARD}", 1), ("kiosk", 1)]
    assert rig.noted("event_refused") == [{"refused": 1}]
    check = rig.chore.check()
    assert (check.state, check.facts["refused"], check.facts["pending"]) == (CheckState.FAULT, 1, 3)
    assert CARD not in repr(letter)


@pytest.mark.parametrize("decision", list(Decision))
def test_a_decision_lets_the_others_go_on_and_is_itself_an_event(
    decision: Decision, rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    (letter,) = rig.letters()
    rig.store.close()
    assert cli.outbox(rig.settings, "list", "") == 1
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["event_id"] == letter.event_id
    assert cli.outbox(rig.settings, decision.value, letter.event_id) == 0
    assert json.loads(capsys.readouterr().out) == {"event_id": letter.event_id, "decision": decision.value}
    assert cli.outbox(rig.settings, "list", "") == 0
    assert cli.outbox(rig.settings, decision.value, letter.event_id) == 2  # decided already
    capsys.readouterr()
    if decision is Decision.RELEASE:
        rig.intake.refused_types = set()  # the backend was mended meanwhile
    rig.start()
    rig.drain()
    visit = [(event_id, number) for event_id, aggregate, number in rig.intake.applied if aggregate.startswith("visit:")]
    assert [number for _, number in visit] == [1, 2, 3, 4]
    assert (visit[1][0] == letter.event_id) is (decision is Decision.RELEASE)
    assert applied(rig)[-1] in [("kiosk", 2), (f"visit:{CARD}", 4)]
    assert ("kiosk", 2) in applied(rig)
    assert rig.noted("outbox_decision") == [{"decision": decision.value, "event": 2}]
    assert rig.store.submit(dead).result() == 0
    sent = [event for body, _ in rig.intake.sent for event in json.loads(body)["events"]]
    stubs = {event["event_id"]: event["body"] for event in sent if event["type"] == STUB}
    expected = {"event_id": letter.event_id, "type": "card_read", "status": "invalid"}
    assert list(stubs.values()) == ([expected] if decision is Decision.DROP else [])


def test_the_stub_goes_before_what_waited_behind_it(rig: Rig) -> None:
    (letter,) = rig.letters()
    rig.store.submit(lambda tx: decide(tx, letter, Decision.DROP, utc_ms=UTC_MS)).result()
    sent_before = len(rig.intake.sent)
    rig.chore.step()
    (body, _) = rig.intake.sent[sent_before]
    assert [event["aggregate_seq"] for event in json.loads(body)["events"]] == [2, 3, 4]


@pytest.mark.parametrize("decision", list(Decision))
def test_a_decision_on_another_event_changes_nothing(decision: Decision, rig: Rig) -> None:
    before = rig.store.submit(lambda tx: tx.execute("SELECT * FROM event")).result()
    for number, event_id in ((3, rig.letters()[0].event_id), (2, "0" * 36)):
        wrong = DeadLetter(number, event_id, "card_read", "invalid", 0, 0)
        error = rig.store.submit(lambda tx, wrong=wrong: decide(tx, wrong, decision, utc_ms=0)).exception()  # type: ignore[misc]  # default
        assert isinstance(error, LookupError)
    assert rig.store.submit(lambda tx: tx.execute("SELECT * FROM event")).result() == before


def test_nobody_decides_while_the_kiosk_runs(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.outbox(rig.settings, "list", "") == 2
    assert capsys.readouterr().err == "kiosk: store: lock: another process holds the file\n"


def test_the_command_line_knows_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "kiosk.toml"
    settings.write_text(f'[kiosk]\nstate_dir = "{tmp_path / "state"}"\n', encoding="utf-8")
    for arguments in (["list"], ["release", "x"], ["drop", "x"]):
        assert cli.main(["--settings", str(settings), "outbox", *arguments]) == 2
        assert capsys.readouterr().err == "kiosk: store: absent: there is no database: this kiosk has not run yet\n"


def test_a_filling_outbox_is_told_once_and_again_after_it_was_empty(tmp_path: Path) -> None:
    made = Rig(tmp_path / "state", Quota(events=20, reserve_share=0.1))
    made.uploader.hold("quarantined")
    for _ in range(15):
        made.facts.commit("serial_shown", {}, CARD).result()
    made.chore.step()
    assert made.noted("outbox_filling") == []
    made.facts.commit("serial_shown", {}, CARD).result()
    made.chore.step()
    made.chore.step()
    assert made.noted("outbox_filling") == [{"percent": 80}]
    assert made.chore.check().state is CheckState.FAULT
    assert made.facts.commit("serial_shown", {}, CARD).exception() is None
    assert isinstance(made.facts.commit("serial_shown", {}, CARD).exception(), OutboxFullError)
    assert made.facts.commit("kiosk_started", {}).exception() is None  # the reserve is for the kiosk's own health
    made.uploader.resume()
    made.drain()
    assert made.chore.check().state is CheckState.OK
    made.uploader.hold("quarantined")
    for _ in range(16):
        made.facts.commit("serial_shown", {}, CARD).result()
    made.chore.step()
    assert len(made.noted("outbox_filling")) == 2
    made.store.close()


def test_a_store_that_fails_is_told_as_the_state_of_the_upload(rig: Rig) -> None:
    rig.store.close()
    assert rig.chore.step() > 0.0  # and does not raise: the upload's own pauses count
    check = rig.chore.check()
    assert (check.state, check.facts["upload"]) == (CheckState.FAULT, "store_failed")
    rig.start()
