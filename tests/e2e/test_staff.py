"""A technician at a whole kiosk: from the badge to live diagnostics; nothing of the code is left, anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kiosk.settings import Settings
from kiosk.visit.failures import Cause
from kiosk.visit.model import State
from kiosk.visit.pages import Attract, Diagnostics, Home, StaffPin, StaffSlot
from simulators.card import authority_certificate, open_persona
from simulators.reader.embedded import READERS
from simulators.residue import Needle, scan_files, scan_objects, scan_text
from tests.e2e.scene import Scene
from tests.e2e.stagings_staff import at_diagnostics, badge_in, pin, typed, with_authority
from tests.e2e.theatre import Centre, centre, house


@pytest.fixture(scope="module")
def the_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """One backend for all scenes."""
    with centre(tmp_path_factory.mktemp("staff") / "backend", "outdated") as started:
        yield started


@pytest.fixture(scope="module")
def enrolled(the_centre: Centre, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of the one kiosk that all scenes play in."""
    with house(tmp_path_factory.mktemp("staff") / "kiosk", the_centre) as opened:
        return opened.settings


@pytest.fixture
def scene(the_centre: Centre, enrolled: Settings, tmp_path: Path, qapp: object) -> Iterator[Scene]:
    """An empty stage."""
    with ExitStack() as stack:
        yield Scene(tmp_path, the_centre, enrolled, stack)


def shows(cause: Cause | None, part: str) -> object:
    """A page of diagnostics on which that part is so."""

    def fits(page: Diagnostics) -> bool:
        return any(line.part == part and (line.fault.cause if line.fault else None) is cause for line in page.lines)

    return fits


def test_the_diagnostics_follow_what_happens_to_the_kiosk_and_end_with_the_badge(scene: Scene) -> None:
    opened = at_diagnostics(scene)
    opened.audience.step(Diagnostics, shows(None, "reader patient"))  # type: ignore[arg-type]  # a condition
    opened.scard.unplug(READERS[0])
    opened.audience.step(Diagnostics, lambda page: page.over.page == "outOfService")
    opened.let_pass(1.0)
    opened.audience.step(Diagnostics, shows(Cause.READER_LOST, "reader patient"))  # type: ignore[arg-type]  # a condition
    opened.scard.replug(READERS[0])
    opened.audience.step(Diagnostics, lambda page: isinstance(page.over, Attract))
    opened.scard.remove(READERS[1])
    opened.audience.step(StaffSlot)
    opened.let_pass(60.0)
    opened.audience.step(Attract)
    assert opened.journal("staff_entered") == ["{}"]
    assert opened.journal("staff_ended") == ['{"reason":"withdrawn"}']


def test_a_badge_ends_a_members_visit_whose_card_is_asked_back(scene: Scene) -> None:
    opened = with_authority(scene, authority_certificate())
    opened.to_home(open_persona("outdated"))
    opened.scard.insert(READERS[1], open_persona("technician"))
    opened.audience.wait(lambda state: isinstance(state.step, StaffPin) and state.member is None, "the code's page")
    opened.scard.remove(READERS[1])
    opened.audience.wait(lambda state: state.step.page == "removeCard", "the card asked back")


@pytest.mark.parametrize("persona", ["pharmacist", "outdated"])
def test_a_member_is_not_disturbed_by_another_card_in_the_other_slot(scene: Scene, persona: str) -> None:
    opened = with_authority(scene, authority_certificate())
    opened.to_home(open_persona("outdated"))
    opened.scard.insert(READERS[1], open_persona(persona))

    def known(state: State) -> bool:
        return state.staff is not None and state.staff.known

    assert isinstance(opened.audience.wait(known, "the other card looked at").step, Home)
    opened.remove()
    opened.let_pass(60.0)
    opened.audience.step(StaffSlot)


def test_no_code_is_left_behind_right_or_wrong(scene: Scene) -> None:
    """Objects, files, journal, trace; typed by a hand that was wrong once, and taken in the middle of typing once."""
    opened = with_authority(scene, authority_certificate())
    wrong = "8351"
    badge_in(opened)
    typed(opened, wrong)
    opened.audience.step(StaffPin, lambda page: page.fault is not None)
    typed(opened, pin())
    opened.audience.step(Diagnostics)
    opened.scard.remove(READERS[1])
    opened.audience.step(StaffSlot)
    opened.let_pass(60.0)
    opened.audience.step(Attract)
    needles = [Needle("pin", pin()), Needle("wrong pin", wrong)]
    assert scan_objects([opened.kiosk], needles) == []
    assert scan_files(opened.settings.kiosk.state_dir, needles) == []
    assert scan_text("trace", "\n".join(opened.trace).encode(), needles) == []
    for kind in ("staff_entered", "staff_ended", "visit_ended", "card_problem"):
        assert scan_text(kind, "\n".join(opened.journal(kind)).encode(), needles) == []
    planted = opened.kiosk.runner.state
    opened.kiosk.runner.state = State(planted.policy, StaffPin(Attract(), digits=pin()))
    assert scan_objects([opened.kiosk], needles) == ["object: pin"]
