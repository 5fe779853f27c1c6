"""Fixtures of the reader tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import pytest

from kiosk.hardware.pcsc.connection import Deadlines
from kiosk.hardware.pcsc.hub import ReaderHub
from kiosk.visit.ports import ReaderRole
from tests.hardware.pcsc.hands import EmbeddedHands, Hands, PcscdHands, process_pcscd
from tests.hardware.pcsc.support import RealClock, Recorder

StartHub = Callable[..., ReaderHub]


@pytest.fixture(scope="session")
def _pcscd_of_this_process() -> Iterator[None]:
    yield
    if process_pcscd.cache_info().currsize:
        process_pcscd().close()
        process_pcscd.cache_clear()


@pytest.fixture(params=["embedded", pytest.param("pcscd", marks=pytest.mark.pcscd)])
def hands(request: pytest.FixtureRequest, _pcscd_of_this_process: None) -> Iterator[Hands]:
    """The reader under contract, with empty slots."""
    chosen = cast(Hands, EmbeddedHands() if request.param == "embedded" else PcscdHands(process_pcscd()))
    yield chosen
    chosen.tidy()


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
