"""What a running kiosk says of itself reaches `diagnose`; what is old, foreign or broken is unknown."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import probes
from kiosk.app import Kiosk, Surroundings
from kiosk.clock import SystemClock
from kiosk.diagnostics import status as module
from kiosk.diagnostics.report import Check, CheckState, Report
from kiosk.diagnostics.status import (
    MAX_BYTES,
    STALE_S,
    STATUS_FILE,
    StatusError,
    merged,
    read_status,
    write_status,
)
from kiosk.facts import Facts
from kiosk.hardware.pcsc.contacts import FLAKY_TIMES, Contacts
from kiosk.hardware.pcsc.slot import ReaderCondition
from kiosk.settings import KioskSettings, ReaderSettings, Settings
from kiosk.state import open_store
from kiosk.status import REFRESH_S, VERIFY_EVERY_S, JournalLook, StatusKeeper, clock_check, condition
from kiosk.store.thread import Store
from kiosk.sync.outbox import Outbox
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.model import State
from kiosk.visit.pages import Attract, ForgottenCard
from kiosk.visit.policy import Policy
from kiosk.visit.ports import PrinterHealth, ReaderRole
from kiosk.visit.world import World
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.hardware.pcsc.support import OTHER_ATR, FakeClock, ToyChip, wait_until

OK, FAULT, UNKNOWN = CheckState.OK, CheckState.FAULT, CheckState.UNKNOWN
READY = {ReaderRole.PATIENT: ReaderCondition(ready=True, fault=None, contacts=Contacts())}


def says(state: State, readers: dict[ReaderRole, ReaderCondition] | None = None) -> dict[str, Check]:
    return {check.part: check for check in condition(state, READY if readers is None else readers)}


# --- what it says ------------------------------------------------------------------------------------------------


def test_before_anything_was_heard_nothing_is_known() -> None:
    unheard = {ReaderRole.PATIENT: ReaderCondition(ready=False, fault=None, contacts=Contacts())}
    checks = says(State(Policy()), unheard)
    assert {part: check.state for part, check in checks.items()} == {
        "store": OK,
        "reader patient": UNKNOWN,
        "contacts patient": OK,
        "card slot": OK,
        "printer": UNKNOWN,
        "channel": UNKNOWN,
    }


def test_faults_are_told_by_their_cause_and_a_forgotten_card_too() -> None:
    hung = Fault(Cause.READER_HUNG, "SCardTransmit over its limit")
    readers = {ReaderRole.PATIENT: ReaderCondition(ready=False, fault=hung, contacts=Contacts(vanished=3, flaky=1))}
    world = World(
        printer=PrinterHealth.COVER_OPEN,
        service_up=False,
        service_fault=Fault(Cause.NETWORK),
        store_fault=Fault(Cause.STORE_FULL),
    )
    checks = says(State(Policy(), ForgottenCard(), world), readers)
    assert {part: check.fault.cause for part, check in checks.items() if check.fault is not None} == {
        "store": Cause.STORE_FULL,
        "reader patient": Cause.READER_HUNG,
        "printer": Cause.PRINTER_COVER,
        "channel": Cause.NETWORK,
    }
    assert {check.state for check in checks.values()} == {FAULT}
    assert checks["contacts patient"].facts == {"vanished": 3, "mute": 0, "silent": 0, "flaky": 1}
    assert checks["card slot"].facts == {"reason": "a card was left in the slot"}


def test_a_printer_that_says_nothing_is_told_from_none_at_all() -> None:
    silent = says(State(Policy()))["printer"]
    assert (silent.state, silent.fault, silent.facts) == (UNKNOWN, Fault(Cause.PRINTER_SILENT), {})
    checks = {check.part: check for check in condition(State(Policy(), world=World(has_printer=False)), READY)}
    assert checks["printer"] == Check("printer", OK, facts={"reason": "no port in the settings"})


def test_a_kiosk_without_a_printer_is_whole_seen_from_outside_and_by_itself() -> None:
    seen = probes._printer(Settings(KioskSettings(Path("absent"))))
    told = condition(State(Policy(), Attract(), World(service_up=True, has_printer=False)), READY)
    report = Report("1", merged([Check("store", UNKNOWN), seen], told))
    assert report.well
    assert [check.facts for check in report.checks if check.part == "printer"] == [
        {"reason": "no port in the settings"}
    ]


def test_a_clock_of_which_nothing_was_heard_says_why_it_is_not_known() -> None:
    assert clock_check(State(Policy()), 0.0) == Check("clock", UNKNOWN, facts={"reason": "no signed time yet"})
    wrong = Fault(Cause.CLOCK_WRONG)
    assert clock_check(State(Policy(), world=World(clock_fault=wrong)), 0.0) == Check("clock", FAULT, wrong)


def test_a_reader_that_the_settings_do_not_name_is_told_as_well() -> None:
    missing = Fault(Cause.NO_READER, "readers.patient is not set")
    check = says(State(Policy(), Attract(), World(reader_fault=missing)), {})["reader patient"]
    assert (check.state, check.fault) == (FAULT, missing)


def test_a_kiosk_in_order_says_so() -> None:
    world = World(printer=PrinterHealth.PAPER_LOW, service_up=True)
    assert {check.state for check in says(State(Policy(), Attract(), world)).values()} == {OK}


# --- the file ----------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="ascii", min_codepoint=32, exclude_characters="\x7f"), min_size=1, max_size=40)
CHECKS = st.builds(
    Check,
    TEXTS,
    st.sampled_from(CheckState),
    st.none() | st.builds(Fault, st.sampled_from(Cause)),
    st.dictionaries(TEXTS, TEXTS | st.integers(0, 10**6) | st.booleans(), max_size=4),
)


@pytest.fixture(scope="module")
def one_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every example of a property writes."""
    return tmp_path_factory.mktemp("status") / STATUS_FILE


@given(st.lists(CHECKS, max_size=8).map(tuple))
def test_what_is_written_is_read(one_path: Path, checks: tuple[Check, ...]) -> None:
    write_status(one_path, checks, monotonic_s=100.9, utc_s=1.5)
    assert read_status(one_path, 101.0) == checks
    assert stat.S_IMODE(one_path.stat().st_mode) == 0o600


def written(tmp_path: Path, monotonic_s: float = 1000.0) -> Path:
    path = tmp_path / STATUS_FILE
    write_status(path, condition(State(Policy()), READY), monotonic_s=monotonic_s, utc_s=0)
    return path


@pytest.mark.parametrize(
    ("age_s", "fresh"), [(-2.0, False), (0.0, True), (STALE_S, True), (STALE_S + 1, False), (-86_400.0, False)]
)
def test_an_old_status_and_one_of_the_future_are_not_believed(tmp_path: Path, age_s: float, fresh: bool) -> None:
    told = read_status(written(tmp_path), 1000.0 + age_s)
    assert isinstance(told, tuple) is fresh


def test_the_status_of_another_boot_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    monkeypatch.setattr(module, "_BOOT_ID", tmp_path / "none")
    assert read_status(path, 1000.0) == StatusError("the running kiosk's status is old: it may hang")


def changed(tmp_path: Path, **values: Any) -> bytes:
    return json.dumps(json.loads(written(tmp_path).read_bytes()) | values).encode()


ROW: dict[str, Any] = {"part": "printer", "state": "ok", "code": None, "facts": {}}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"schema": 2}, "is of another version"),
        ({"monotonic_s": "1000"}, "cannot be understood"),
        ({"monotonic_s": True}, "cannot be understood"),
        ({"checks": {}}, "cannot be understood"),
        ({"checks": [ROW] * 33}, "cannot be understood"),
        ({"checks": [ROW | {"state": "good"}]}, "cannot be understood"),
        ({"checks": [ROW | {"code": "Z-99"}]}, "cannot be understood"),
        ({"checks": [ROW | {"part": ""}]}, "cannot be understood"),
        ({"checks": [ROW | {"part": "\x1b[2J"}]}, "cannot be understood"),
        ({"checks": [ROW | {"facts": {"x": [1]}}]}, "cannot be understood"),
        ({"checks": [ROW | {"facts": []}]}, "cannot be understood"),
        ({"checks": ["printer"]}, "cannot be understood"),
    ],
)
def test_a_status_that_is_none_is_said_so(tmp_path: Path, values: dict[str, Any], reason: str) -> None:
    path = written(tmp_path)
    path.write_bytes(changed(tmp_path, **values))
    told = read_status(path, 1000.0)
    assert isinstance(told, StatusError)
    assert told.reason.endswith(reason)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 9000, b" " * (MAX_BYTES + 1)])
def test_bytes_that_are_no_status(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / STATUS_FILE
    path.write_bytes(content)
    assert isinstance(read_status(path, 0.0), StatusError)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_status_or_one_error(one_path: Path, content: bytes) -> None:
    one_path.write_bytes(content)
    assert isinstance(read_status(one_path, 0.0), StatusError)


# --- the keeper --------------------------------------------------------------------------------------------------


def test_it_is_written_on_change_and_refreshed_and_gone_at_the_end(tmp_path: Path) -> None:
    path, clock, state = tmp_path / STATUS_FILE, FakeClock(), [State(Policy())]
    keeper = StatusKeeper(path, lambda: condition(state[0], READY), clock)
    keeper.keep()
    first = path.read_bytes()
    clock.now_s += REFRESH_S - 0.1
    keeper.keep()
    assert path.read_bytes() == first
    state[0] = replace(state[0], step=ForgottenCard())
    keeper.keep()
    second = path.read_bytes()
    assert b"left in the slot" in second
    clock.now_s += REFRESH_S
    keeper.keep()
    assert path.read_bytes() != second
    keeper.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_harms_nobody(tmp_path: Path) -> None:
    keeper = StatusKeeper(tmp_path / "none" / STATUS_FILE, lambda: condition(State(Policy()), READY), FakeClock())
    keeper.keep()
    keeper.stop()


def test_a_kiosk_that_was_killed_while_writing_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "status.new").write_text("half", encoding="ascii")
    written(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [STATUS_FILE]


# --- look and word together --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "told", "state", "marked"),
    [
        (UNKNOWN, OK, OK, True),
        (UNKNOWN, FAULT, FAULT, True),
        (UNKNOWN, UNKNOWN, UNKNOWN, False),
        (OK, FAULT, FAULT, True),
        (OK, UNKNOWN, OK, False),
        (OK, OK, OK, False),
        (FAULT, OK, FAULT, False),
        (FAULT, UNKNOWN, FAULT, False),
    ],
)
def test_a_fault_wins_and_unknown_never(seen: CheckState, told: CheckState, state: CheckState, marked: bool) -> None:
    (check,) = merged([Check("printer", seen)], [Check("printer", told)])
    assert (check.state, "told_by" in check.facts) == (state, marked)


def test_a_part_that_only_the_kiosk_knows_is_added() -> None:
    names = [check.part for check in merged([Check("printer", OK)], [Check("card slot", OK)])]
    assert names == ["printer", "card slot"]


def told_facts(path: Path) -> list[dict[str, Any]]:
    told = read_status(path, SystemClock().monotonic_s())
    return [] if isinstance(told, StatusError) else [check.facts for check in told]


def _no_ticket(*_: object) -> Any:
    raise AssertionError("nothing is printed here")


def test_the_counts_of_a_running_kiosk_reach_diagnose(tmp_path: Path) -> None:
    settings = Settings(KioskSettings(tmp_path), ReaderSettings(READERS[0]))
    scard = EmbeddedScard()
    kiosk = Kiosk(settings, Surroundings(scard, list[State]().append, _no_ticket, SystemClock()))
    kiosk.start()
    try:
        slot = kiosk.hub._slots[ReaderRole.PATIENT]
        for _ in range(FLAKY_TIMES):
            scard.insert(READERS[0], ToyChip(OTHER_ATR))
            wait_until(lambda: slot.card is not None)
            scard.remove(READERS[0])
            wait_until(lambda: slot.card is None)
        expected = asdict(kiosk.hub.contacts()[ReaderRole.PATIENT])
        wait_until(lambda: expected in told_facts(tmp_path / STATUS_FILE))
        on_the_page = {check.part: check.state for check in kiosk._condition()}
        assert on_the_page["journal"] is OK
        checks = {check.part: check for check in probes.look(settings, EmbeddedScard()).checks}
        assert checks["contacts patient"].facts == expected | {"told_by": "the running kiosk"}
        assert (checks["store"].state, checks["journal"].state) == (OK, OK)
        kiosk._status._ends.set()
        kiosk._status._thread.join()
        (tmp_path / STATUS_FILE).write_bytes(b"{}")
        checks = {check.part: check for check in probes.look(settings, EmbeddedScard()).checks}
        assert (checks["store"].state, checks["running kiosk"].state) == (UNKNOWN, UNKNOWN)
    finally:
        kiosk.stop()
    assert not (tmp_path / STATUS_FILE).exists()


def test_a_running_kiosk_verifies_its_journal_now_and_then(tmp_path: Path) -> None:
    opened, clock = open_store(tmp_path), FakeClock()
    assert isinstance(opened, Store)
    facts = Facts(opened, Outbox(clock), lambda: 0)
    look = JournalLook(opened, clock)
    facts.commit("service_up", {}).result()
    first = look.check()
    assert (first.state, first.facts) == (OK, {"entries": 1, "pruned": 0})
    facts.commit("service_up", {}).result()
    opened.submit(lambda tx: tx.execute("UPDATE journal SET fields = '{\"x\":1}' WHERE seq = 2")).result()
    clock.now_s += VERIFY_EVERY_S - 1
    assert look.check() is first
    clock.now_s += 1
    second = look.check()
    assert (second.state, second.facts["reason"]) == (FAULT, "content does not fit the chain")
    opened.close()
    clock.now_s += VERIFY_EVERY_S
    assert look.check().state is UNKNOWN


def test_a_status_left_by_a_killed_kiosk_is_not_asked(tmp_path: Path) -> None:
    settings = Settings(KioskSettings(tmp_path), ReaderSettings(READERS[0]))
    write_status(tmp_path / STATUS_FILE, [Check("store", OK)], monotonic_s=SystemClock().monotonic_s(), utc_s=0)
    checks = {check.part: check for check in probes.look(settings, EmbeddedScard()).checks}
    assert checks["store"].state is UNKNOWN
