"""The monitor, call by call against a script, and with threads against the embedded reader."""

from __future__ import annotations

import threading

import pytest

from kiosk.hardware.pcsc.api import PNP_NOTIFICATION, PcscError, PcscProblem, ReaderSnapshot
from kiosk.hardware.pcsc.monitor import (
    CANCEL_EVERY_S,
    FIRST_RETRY_S,
    MUTE_AGAIN_S,
    SETTLE_TRIES,
    WAIT_MS,
    Monitor,
    MonitorEvent,
    ReadersChanged,
    ServiceLost,
    SlotEmptied,
    SlotFilled,
)
from simulators.reader.embedded import READERS, EmbeddedScard
from simulators.reader.scripted import Row, ScriptedScard
from tests.hardware.pcsc.support import VITALE_2_ATR, Recorder, ToyChip, wait_until

R = "Reader 00 00"
EMPTY, PRESENT, EXCLUSIVE, MUTE, CHANGED = 0x10, 0x20, 0x80, 0x200, 0x02
TIMEOUT = 0x8010000A


def state(flags: int, counter: int = 0, atr: bytes = b"") -> ReaderSnapshot:
    return ReaderSnapshot(R, counter << 16 | flags | CHANGED, atr)


def present(counter: int, atr: bytes = VITALE_2_ATR) -> ReaderSnapshot:
    return state(PRESENT, counter, atr)


def listed(*names: str) -> Row:
    return Row("list_readers", 0, names)


def waited(*snapshots: ReaderSnapshot, result: int = 0) -> Row:
    return Row("get_status_change", result, (*snapshots, ReaderSnapshot(PNP_NOTIFICATION, 0)))


def run(*rows: Row, pauses: int = 0, denied: bool = False) -> tuple[list[MonitorEvent], ScriptedScard, list[float]]:
    """Run the monitor in this thread through the rows; it is stopped at the pause after `pauses` others."""
    scard = ScriptedScard(rows, denied=denied)
    events: list[MonitorEvent] = []
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > pauses

    Monitor(scard, events.append, wait).run()
    assert scard.ended
    return events, scard, waits


def filled(counter: int, atr: bytes = VITALE_2_ATR) -> SlotFilled:
    return SlotFilled(R, atr, mute=False, counter=counter)


START = Row("establish_context", 0, 7)
DEAD = (Row("get_status_change", 0x80100013, ()), Row("release_context", 0x8010001D))
LOST = ServiceLost(PcscError(PcscProblem.SERVICE_LOST, "SCardGetStatusChange", 0x80100013))


def test_states_are_fed_back_whole_but_for_the_changed_bit_and_new_readers_start_unaware() -> None:
    _, scard, _ = run(
        START,
        listed(R),
        waited(present(0xABCD)),
        listed(R, "New 01 00"),
        waited(present(0xABCD), result=TIMEOUT),
        listed(R),
        *DEAD,
    )
    waits = [arguments for call, arguments in scard.calls if call == "get_status_change"]
    pnp = (PNP_NOTIFICATION, 0)
    assert waits[0] == (7, WAIT_MS, ((R, 0), pnp))
    assert waits[1] == (7, WAIT_MS, ((R, 0xABCD0020), ("New 01 00", 0), pnp))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([state(EMPTY)], []),
        ([state(EMPTY), present(1)], [filled(1)]),
        ([present(1)], [filled(1)]),
        ([present(1), state(EMPTY, 2)], [filled(1), SlotEmptied(R)]),
        ([present(1), present(1)], [filled(1)]),
        ([present(1), present(3, b"\x3b\x00")], [filled(1), SlotEmptied(R), filled(3, b"\x3b\x00")]),
        ([present(0xFFFF), present(1)], [filled(0xFFFF), SlotEmptied(R), filled(1)]),  # the counter wraps
        ([state(EMPTY), state(0x0C)], []),  # unknown, unavailable: the list decides
    ],
)
def test_differences_are_published(seen: list[ReaderSnapshot], expected: list[MonitorEvent]) -> None:
    rows = [row for snapshot in seen for row in (listed(R), waited(snapshot))]
    events, _, _ = run(START, *rows, listed(R), *DEAD)
    assert events == [ReadersChanged((R,)), *expected, LOST]


def test_a_time_out_still_shows_a_swap_that_the_wait_could_not_see() -> None:
    events, _, _ = run(
        START, listed(R), waited(present(0)), listed(R), waited(present(2), result=TIMEOUT), listed(R), *DEAD
    )
    assert [type(event) for event in events] == [ReadersChanged, SlotFilled, SlotEmptied, SlotFilled, ServiceLost]


def test_a_card_caught_while_the_service_writes_its_state_is_published_once_and_whole() -> None:
    torn = state(PRESENT, 1)  # no ATR yet, and the old counter
    rows = (listed(R), waited(state(EMPTY, 1)), listed(R), waited(torn), listed(R), waited(present(2)))
    events, scard, waits = run(START, *rows, listed(R), *DEAD, pauses=1)
    assert events == [ReadersChanged((R,)), filled(2), LOST]
    assert len(waits) == 2  # one to let it settle
    assert scard.calls[6][1][2][0] == (R, 0x10010)  # the old state stays known


def test_a_card_that_never_shows_an_atr_is_published_in_the_end() -> None:
    rows = [row for _ in range(SETTLE_TRIES + 1) for row in (listed(R), waited(state(PRESENT, 1)))]
    events, _, _ = run(START, *rows, listed(R), *DEAD, pauses=SETTLE_TRIES)
    assert events == [ReadersChanged((R,)), filled(1, b""), LOST]


@pytest.mark.parametrize(
    ("seen", "told", "first_looks"),
    [
        ([1, 1], [1], 1),
        ([1, state(EMPTY, 2)], [], 1),  # pulled while it was powered up: the service had not looked since
        ([1, state(EMPTY, 2), 3, 3], [3], 2),
        ([1, 3, 3], [3], 2),  # another insertion is another card
        ([1, 1, 1, state(PRESENT | MUTE | EXCLUSIVE, 1)], [1], 1),
        ([1, state(EMPTY, 2), 1, 1], [1], 2),  # the counter has come round
    ],
)
def test_a_mute_card_is_told_when_a_second_look_finds_it_still_there(
    seen: list[int | ReaderSnapshot], told: list[int], first_looks: int
) -> None:
    looks = [state(PRESENT | MUTE, look) if isinstance(look, int) else look for look in seen]
    rows = [row for snapshot in looks for row in (listed(R), waited(snapshot))]
    events, _, waits = run(START, *rows, listed(R), *DEAD, pauses=first_looks)
    assert events == [ReadersChanged((R,)), *(SlotFilled(R, b"", mute=True, counter=at) for at in told), LOST]
    assert waits == [MUTE_AGAIN_S] * first_looks + [FIRST_RETRY_S]


@pytest.mark.parametrize("between", [[listed(R), *DEAD, START, listed(R)], [listed(), waited(), listed(R)]])
def test_a_look_at_a_mute_card_counts_for_that_service_and_that_reader_only(between: list[Row]) -> None:
    mute = waited(state(PRESENT | MUTE, 1))
    events, _, _ = run(START, listed(R), mute, *between, mute, listed(R), *DEAD, pauses=2 + (DEAD[0] in between))
    assert not [event for event in events if isinstance(event, SlotFilled)]


def test_a_mute_card_in_place_of_another_takes_that_one_away() -> None:
    mute = state(PRESENT | MUTE, 3)
    rows = (listed(R), waited(present(1)), listed(R), waited(mute), listed(R), waited(mute), listed(R), *DEAD)
    events, _, _ = run(START, *rows, pauses=1)
    assert events[1:] == [filled(1), SlotEmptied(R), SlotFilled(R, b"", mute=True, counter=3), LOST]


def test_a_vanished_reader_takes_its_card_along() -> None:
    events, _, _ = run(START, listed(R), waited(present(1)), Row("list_readers", 0x8010002E, ("stale",)), *DEAD)
    assert events[2:] == [SlotEmptied(R), ReadersChanged(()), LOST]


def test_no_reader_is_a_state_and_not_an_error() -> None:
    rows = (Row("list_readers", 0x8010002E, ()), waited(result=TIMEOUT), listed(R), *DEAD)
    events, _, _ = run(START, *rows)
    assert events == [ReadersChanged(()), ReadersChanged((R,)), LOST]


@pytest.mark.parametrize("code", [0x8010001D, 0x80100013, 0x8010001E, 0x80100003, 0x80100004])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("call", ["list_readers", "get_status_change"])
def test_a_lost_service_is_published_and_tried_again_at_once(code: int, signed: bool, call: str) -> None:
    failed = Row(call, code - (signed << 32), ())
    first = (listed(R), failed) if call == "get_status_change" else (failed,)
    release = Row("release_context", 0x8010001D)
    events, _, waits = run(START, *first, release, START, listed(R), *DEAD, pauses=1)
    lost = [event for event in events if isinstance(event, ServiceLost)]
    assert [event.error.code for event in lost] == [code, 0x80100013]
    assert waits[0] == 0.1
    assert events[-2] == ReadersChanged((R,))


def test_the_pause_doubles_to_two_seconds_and_the_loss_is_said_once() -> None:
    rows = [Row("establish_context", 0x8010001D, 0)] * 7
    events, _, waits = run(*rows, pauses=6)
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert events == [ServiceLost(PcscError(PcscProblem.SERVICE_LOST, "SCardEstablishContext", 0x8010001D))]


@pytest.mark.parametrize("result", [0, TIMEOUT, 0x80100013])
def test_a_service_that_was_given_up_was_hung_and_not_lost_when_it_answers_at_last(result: int) -> None:
    events: list[MonitorEvent] = []

    def watchdog() -> None:
        monitor.give_up()

    hung = Row("get_status_change", result, (present(1),), before=watchdog)
    scard = ScriptedScard([START, listed(R), hung, Row("release_context")])
    monitor = Monitor(scard, events.append, lambda _seconds: True)
    monitor.run()
    assert events == [
        ReadersChanged((R,)),
        ServiceLost(PcscError(PcscProblem.READER_HUNG, "SCardGetStatusChange", result)),
    ]


def test_a_refused_socket_is_access_denied_and_not_an_absent_service() -> None:
    events, _, _ = run(Row("establish_context", 0x8010001D, 0), denied=True)
    assert events == [ServiceLost(PcscError(PcscProblem.ACCESS_DENIED, "SCardEstablishContext", 0x8010001D))]


def test_an_unknown_reader_means_listing_again_without_a_busy_loop() -> None:
    gone = Row("get_status_change", 0x80100009, ())
    events, _, waits = run(START, listed(R), gone, listed(R), gone, listed("Other 00 00"), *DEAD, pauses=1)
    assert waits[0] == 0.1  # the second time only: the list had not changed
    assert events == [ReadersChanged((R,)), ReadersChanged(("Other 00 00",)), LOST]


# --- with threads -----------------------------------------------------------------------------------------------------


def test_service_reader_and_card_may_each_arrive_later() -> None:
    scard, events = EmbeddedScard((READERS[0],)), Recorder()
    scard.unplug(READERS[0])
    scard.service_down()
    monitor = Monitor(scard, events)
    monitor.start()
    events.wait_event(ServiceLost)
    scard.service_up()
    events.wait_for(lambda seen: ReadersChanged(()) in seen)
    scard.replug(READERS[0])
    events.wait_for(lambda seen: ReadersChanged((READERS[0],)) in seen)
    scard.insert(READERS[0], ToyChip())
    events.wait_event(SlotFilled)
    monitor.stop()


def test_a_reader_that_arrives_between_list_and_wait_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert WAIT_MS <= 2000
    monkeypatch.setattr("kiosk.hardware.pcsc.monitor.WAIT_MS", 50)  # nothing else would end that wait
    events = Recorder()

    class LateReader(EmbeddedScard):
        lists = 0

        def list_readers(self, context: int) -> tuple[int, tuple[str, ...]]:
            listed_now = super().list_readers(context)
            self.lists += 1
            if self.lists == 2:  # the states are known by now: the wait will not return by itself
                self.replug(READERS[1])
            return listed_now

    scard = LateReader()
    scard.unplug(READERS[1])
    monitor = Monitor(scard, events)
    monitor.start()
    events.wait_for(lambda seen: ReadersChanged(READERS) in seen)
    monitor.stop()


@pytest.mark.parametrize("when", ["during a wait", "before the wait", "during an outage"])
def test_stop_ends_the_thread_by_cancelling_and_not_by_the_end_of_the_wait(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.hardware.pcsc.monitor.WAIT_MS", 60_000)
    reached = threading.Event()
    stop_sent = threading.Event()

    class Paused(EmbeddedScard):
        lists = cancels = 0

        def list_readers(self, context: int) -> tuple[int, tuple[str, ...]]:
            self.lists += 1
            if when != "before the wait":
                reached.set()
            elif self.lists == 2:  # the first wait returns at once, with states that were not known
                reached.set()
                stop_sent.wait(5)  # the first cancel comes now, and is lost
            return super().list_readers(context)

        def cancel(self, context: int) -> tuple[int, None]:
            answer = super().cancel(context)
            self.cancels += 1
            stop_sent.set()
            return answer

    scard, events = Paused(), Recorder()
    if when == "during an outage":
        scard.service_down()
    monitor = Monitor(scard, events)
    monitor.start()
    if when == "during an outage":
        events.wait_event(ServiceLost)
    else:
        assert reached.wait(5)
    if when == "during a wait":
        wait_until(lambda: any(context.waiting for context in scard._contexts.values()))
    monitor.stop()
    assert "pcsc-monitor" not in {thread.name for thread in threading.enumerate()}
    assert scard.cancels * CANCEL_EVERY_S < 1.0
    assert (scard.cancels >= 2) is (when == "before the wait")


def test_restarts_leave_no_thread_and_no_context_behind() -> None:
    scard, events = EmbeddedScard(), Recorder()
    monitor = Monitor(scard, events)
    monitor.start()
    scard.insert(READERS[0], ToyChip())
    for count in range(1, 6):
        events.wait_event(SlotFilled, count)
        scard.service_down()
        events.wait_event(ServiceLost, count)
        scard.service_up()
    events.wait_event(SlotFilled, 6)
    assert len(scard._contexts) == 1
    assert sum(thread.name == "pcsc-monitor" for thread in threading.enumerate()) == 1
    monitor.stop()
