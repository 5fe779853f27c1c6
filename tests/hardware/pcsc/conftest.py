"""Fixtures of the reader tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kiosk.hardware.pcsc.connection import Deadlines
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.ports import ReaderRole
from tests.hardware.pcsc.hands import Hands, hands, private_pcscd
from tests.hardware.pcsc.support import RealClock, Recorder

__all__ = ["StartHub", "events", "hands", "private_pcscd", "start_hub", "trace"]

StartHub = Callable[..., ReaderHub]


@pytest.fixture
def events() -> Recorder:
    """What the hub posts."""
    return Recorder()


@pytest.fixture
def trace() -> list[str]:
    """The hub's redacted APDU lines."""
    return []


@pytest.fixture
def start_hub(hands: Hands, events: Recorder, trace: list[str]) -> Iterator[StartHub]:
    """Starts one hub on both slots; it is stopped at the end."""
    hubs: list[ReaderHub] = []

    def start(deadlines: Deadlines | None = None) -> ReaderHub:
        bindings = dict(zip((ReaderRole.PATIENT, ReaderRole.PROFESSIONAL), hands.readers, strict=True))
        hub = ReaderHub(hands.scard, bindings, events, RealClock(), deadlines=deadlines, trace=trace.append)
        hubs.append(hub)
        hub.start()
        return hub

    yield start
    for hub in hubs:
        hub.stop()
