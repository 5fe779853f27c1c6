"""The floor only rises; the offset is learnt from verified answers; the wall clock is believed only before that."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.store.thread import Store
from kiosk.store.transaction import read_meta_int
from kiosk.sync.time_keeper import BUILD_FLOOR_S, MAX_ROUND_TRIP_S, TIME_FLOOR, TimeKeeper, keep_floor
from tests.sync.support import NOW_S, FakeClock


def keeper(clock: FakeClock, floor_s: int = 0) -> tuple[TimeKeeper, list[int]]:
    kept: list[int] = []
    return TimeKeeper(clock, floor_s=floor_s, keep_floor=kept.append), kept


def test_before_anything_was_learnt() -> None:
    time, _ = keeper(FakeClock(utc=float(NOW_S)))
    assert (time.now_s(), time.trusted, time.floor_s) == (NOW_S, False, BUILD_FLOOR_S)


def test_a_dead_clock_is_lifted_to_the_floor() -> None:
    time, _ = keeper(FakeClock(utc=0.0), floor_s=NOW_S)
    assert time.now_s() == NOW_S
    assert keeper(FakeClock(utc=0.0))[0].now_s() == BUILD_FLOOR_S


def test_learning() -> None:
    clock = FakeClock(utc=0.0)
    time, kept = keeper(clock)
    sent_s = clock.monotonic_s()
    clock.advance(1)
    time.learn(NOW_S, sent_s)
    assert (time.now_s(), time.trusted, time.floor_s, kept) == (NOW_S, True, NOW_S, [NOW_S])
    clock.advance(30)
    assert time.now_s() == NOW_S + 30
    clock.utc = 0.0  # the wall clock no longer matters
    assert time.now_s() == NOW_S + 30


def test_a_slow_answer_raises_the_floor_but_teaches_no_time() -> None:
    clock = FakeClock(utc=0.0)
    time, kept = keeper(clock)
    sent_s = clock.monotonic_s()
    clock.advance(MAX_ROUND_TRIP_S + 0.1)
    time.learn(NOW_S, sent_s)
    assert (time.trusted, time.floor_s, kept) == (False, NOW_S, [NOW_S])
    assert time.now_s() == NOW_S


def test_a_backend_whose_clock_goes_back_does_not_lower_the_floor() -> None:
    clock = FakeClock()
    time, kept = keeper(clock)
    time.learn(NOW_S, clock.monotonic_s())
    time.learn(NOW_S - 50, clock.monotonic_s())
    assert (time.floor_s, kept) == (NOW_S, [NOW_S])
    assert time.now_s() == NOW_S


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(-(10**6), 10**6), st.floats(0, 20)), max_size=12))
def test_floor_and_now_never_fall_below_what_was_learnt(steps: list[tuple[int, float]]) -> None:
    clock = FakeClock(utc=0.0)
    time, kept = keeper(clock)
    for delta_s, round_trip_s in steps:
        sent_s = clock.monotonic_s()
        before = time.floor_s
        clock.advance(round_trip_s)
        time.learn(NOW_S + delta_s, sent_s)
        assert time.floor_s == max(before, NOW_S + delta_s)
        assert time.now_s() >= time.floor_s
    assert kept == sorted(set(kept))


def test_what_is_kept_only_rises(tmp_path: Path) -> None:
    """Two threads may learn of two floors and hand them over in the other order."""
    store = Store.open(tmp_path / "kiosk.db", bytes(32))
    assert isinstance(store, Store)
    for floor_s in (NOW_S, NOW_S + 2, NOW_S + 1):
        store.submit(lambda tx, floor_s=floor_s: keep_floor(tx, floor_s)).result()  # type: ignore[misc]  # default
    assert store.submit(lambda tx: read_meta_int(tx, TIME_FLOOR)).result() == NOW_S + 2
    store.close()
