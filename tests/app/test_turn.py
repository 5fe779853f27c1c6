"""Whoever calls the backend tells the upload that the service was away and is back."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from kiosk.app import Kiosk, Surroundings
from kiosk.chores.documents import Documents
from kiosk.chores.pruning import Pruning
from kiosk.chores.renewing import Renewing
from kiosk.chores.uploading import Uploading
from kiosk.clock import SystemClock
from kiosk.duties import Duties
from kiosk.settings import KioskSettings, ReaderSettings, Settings
from kiosk.sync.turn import OUTAGE_S, Turn, offset_s
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import Bitmap
from kiosk.visit.values import TicketContent
from simulators.reader.embedded import READERS, EmbeddedScard
from tests.sync.intake import FakeClock


def draw(_ticket: TicketContent, _width_dots: int) -> Bitmap:
    raise AssertionError("nobody prints here")


def test_an_outage_that_anybody_noticed_gives_the_upload_its_turn(tmp_path: Path) -> None:
    settings = Settings(KioskSettings(tmp_path / "kiosk"), ReaderSettings(READERS[0]))
    kiosk = Kiosk(settings, Surroundings(EmbeddedScard(), lambda _state: None, draw, SystemClock()))
    kiosk.start()
    kiosk._status.stop()  # it would look at duties that are none
    clock = FakeClock()
    turn, documents = Turn("borne-7", clock), Mock(spec=Documents)
    kiosk._duties = Duties(
        kiosk.background, turn, Mock(spec=Renewing), documents, Mock(spec=Uploading), Mock(spec=Pruning), lambda: None
    )
    down = ev.ServiceDown(Fault(Cause.NETWORK), 0)
    kiosk.post(ev.ServiceUp())
    kiosk.post(down)
    clock.now_s += OUTAGE_S - 1
    kiosk.post(down)
    kiosk.post(ev.ServiceUp())
    assert turn.wait_s() == 0.0  # too short for an outage of the whole fleet
    kiosk.post(down)
    clock.now_s += OUTAGE_S
    kiosk.post(ev.ServiceUp())
    assert turn.wait_s() == pytest.approx(offset_s("borne-7"))
    assert documents.hurry.call_count == 2  # each time that the service went
    kiosk.stop()
