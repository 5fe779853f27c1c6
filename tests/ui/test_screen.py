"""The screen as a member uses it: each touch is one event, nothing stays after a visit, nothing warns."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from kiosk.card.values import Beneficiary
from kiosk.ui.screen import Screen
from kiosk.ui.typography import plain
from kiosk.ui.views import ViewModel
from kiosk.visit.events import Activity, Choice, Chosen, DigitErased, DigitsSubmitted, DigitTyped, MemberEvent
from kiosk.visit.failures import CardSafety, Cause, Fault
from kiosk.visit.model import State
from kiosk.visit.page_kinds import Goal, PreviewPart, Question
from kiosk.visit.pages import Attract, Guide, Home, Identification, Preview, Problem, Reading, SerialNumber
from kiosk.visit.policy import CodeIssuing
from kiosk.visit.values import CardStanding
from simulators import samples
from simulators.gallery import states
from simulators.residue import Needle, scan_objects
from simulators.screen import Finger, NotOnScreenError, wait_until
from tests.ui.pages import is_button, is_text, items, opened, rect, show

pytestmark = pytest.mark.usefixtures("qapp")
HOME = samples.state(Home(), member=samples.MEMBER, card=True)
DATE = samples.state(Identification(Question.BIRTH_DATE, Goal.SERIAL, digits="170"), member=samples.MEMBER, card=True)
FULL_DATE = replace(DATE, step=Identification(Question.BIRTH_DATE, Goal.SERIAL, digits="17011962"))


def _settled(screen: Screen) -> None:
    shield = next(
        item for item in screen.window.contentItem().childItems()[0].childItems() if item.objectName() == "shield"
    )
    wait_until(lambda: not shield.isVisible(), "the page to accept touches")


def _touch(screen: Screen, name: str) -> None:
    button = next(item for item in items(screen) if is_button(item) and plain(item.property("text")) == name)
    QTest.mouseClick(screen.window, Qt.MouseButton.LeftButton, pos=rect(button).center().toPoint())


# --- touches -----------------------------------------------------------------------------------------------------


def test_each_button_of_each_page_posts_exactly_its_choice() -> None:
    events: list[MemberEvent] = []
    with opened(post=events.append) as screen:
        finger = Finger(screen)
        for state in states():
            show(screen, state)
            view = screen.view
            named = [
                button for button in (view.main, view.second, view.inline, view.help, view.stop) if button is not None
            ]
            expected = {plain(button.label): button.choice for button in named}
            expected |= {plain(row.title): row.choice for row in view.rows if row.choice is not None}
            pressable = set(finger.button_names())
            assert set(expected) <= pressable, view.page
            for name, choice in expected.items():
                events.clear()
                finger.press(name)
                assert events == [Chosen(choice)], (view.page, name)


def test_the_drawn_keypad_posts_digits_erase_and_submit() -> None:
    events: list[MemberEvent] = []
    with opened(post=events.append) as screen:
        finger = Finger(screen)
        show(screen, DATE)
        for digit in "1234567890":
            finger.press(digit)
        finger.press("Effacer")
        assert events == [*(DigitTyped(int(d)) for d in "1234567890"), DigitErased()]
        with pytest.raises(NotOnScreenError, match="Valider"):
            finger.press("Valider")
        show(screen, FULL_DATE)
        events.clear()
        finger.press("Valider")
        assert events == [DigitsSubmitted()]


def test_physical_keys_reach_the_same_events() -> None:
    events: list[MemberEvent] = []
    with opened(post=events.append) as screen:
        show(screen, FULL_DATE)
        screen.window.requestActivate()
        wait_until(screen.window.isActive, "an active window")
        for key in (Qt.Key.Key_5, Qt.Key.Key_Backspace, Qt.Key.Key_Return):
            QTest.keyClick(screen.window, key)
        told = [event for event in events if event != Activity()]
        assert told == [DigitTyped(5), DigitErased(), DigitsSubmitted()]
        assert events.count(Activity()) == 3


def test_digits_are_ignored_where_nothing_is_asked() -> None:
    events: list[MemberEvent] = []
    with opened(post=events.append) as screen:
        show(screen, HOME)
        screen.window.requestActivate()
        wait_until(screen.window.isActive, "an active window")
        QTest.keyClick(screen.window, Qt.Key.Key_5)
        assert events == [Activity()]


def test_a_finger_posts_activity_and_one_choice() -> None:
    events: list[MemberEvent] = []
    with opened(post=events.append) as screen:
        show(screen, HOME)
        _settled(screen)
        _touch(screen, "Mettre à jour ma carte")
        assert sorted(events, key=repr) == [Activity(), Chosen(Choice.UPDATE)]


def test_a_second_tap_does_not_press_the_page_that_has_just_come() -> None:
    events: list[MemberEvent] = []
    with opened(post=events.append) as screen:
        show(screen, HOME)
        _touch(screen, "Mettre à jour ma carte")
        assert Chosen(Choice.UPDATE) not in events


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_every_button_is_reached_and_pressed_by_key(key: Qt.Key) -> None:
    events: list[MemberEvent] = []
    with opened(post=events.append) as screen:
        show(screen, HOME)
        screen.window.requestActivate()
        wait_until(screen.window.isActive, "an active window")
        reached: set[str] = set()
        for _ in range(len(Finger(screen).button_names())):
            QTest.keyClick(screen.window, Qt.Key.Key_Down)
            item = screen.window.activeFocusItem()
            assert item.property("visualFocus") is True
            reached.add(plain(str(item.property("text"))))
            QTest.keyClick(screen.window, key)
        assert reached == set(Finger(screen).button_names())
        chosen = [event.choice for event in events if isinstance(event, Chosen)]
        assert sorted(chosen) == sorted(
            [Choice.UPDATE, Choice.SERIAL, Choice.CODE, Choice.GUIDE, Choice.HELP, Choice.STOP]
        )


def test_a_long_list_turns_by_its_buttons_and_follows_the_focus() -> None:
    lines = samples.ORDER.preview * 12
    member = replace(samples.MEMBER, standing=CardStanding(orders=(replace(samples.ORDER, preview=lines),)))
    with opened() as screen:
        finger = Finger(screen)
        show(screen, samples.state(Preview(PreviewPart.CHANGES), member=member, card=True))
        flick = next(item for item in items(screen) if item.objectName() == "flick")
        assert "Remonter" not in finger.button_names()
        pages = 0
        while "Lire la suite" in finger.button_names():
            finger.press("Lire la suite")
            pages += 1
        assert pages > 1
        assert flick.property("contentY") + flick.height() == pytest.approx(flick.property("contentHeight"))
        finger.press("Remonter")
        assert "Lire la suite" in finger.button_names()


# --- states ------------------------------------------------------------------------------------------------------


def test_a_state_may_come_from_any_thread() -> None:
    with opened() as screen:
        thread = threading.Thread(target=screen.show, args=(HOME,))
        thread.start()
        thread.join()
        assert screen.page == ""  # nothing is drawn in the caller's thread
        Finger(screen).wait_for("home")


def test_the_last_of_many_states_wins() -> None:
    with opened() as screen:
        for state in (HOME, DATE, samples.state(Reading(), card=True)):
            screen.show(state)
        Finger(screen).wait_for("reading")


def test_another_page_of_the_guide_starts_at_its_top() -> None:
    with opened() as screen:
        show(screen, samples.state(Guide(1)))
        first = Finger(screen).visible_texts()
        show(screen, samples.state(Guide(2)))
        assert Finger(screen).visible_texts() != first
        assert "Guide, page 2 sur 6" in Finger(screen).visible_texts()


def test_a_digit_typed_keeps_the_page_and_its_focus() -> None:
    with opened() as screen:
        show(screen, DATE)
        screen.window.requestActivate()
        wait_until(screen.window.isActive, "an active window")
        QTest.keyClick(screen.window, Qt.Key.Key_Down)
        focused = screen.window.activeFocusItem()
        show(screen, replace(DATE, step=Identification(Question.BIRTH_DATE, Goal.SERIAL, digits="1701")))
        assert screen.window.activeFocusItem() is focused


def test_the_number_is_read_as_it_is_drawn() -> None:
    member = replace(samples.MEMBER, level=1)
    with opened() as screen:
        show(screen, samples.state(SerialNumber(), member=member, card=True))
        drawn = [item.property("text") for item in items(screen) if is_text(item) and len(item.property("text")) == 1]
        assert "".join(drawn) == "00000000013"
        assert "0000000001 3" in Finger(screen).visible_texts()


# --- residue -----------------------------------------------------------------------------------------------------

_HOLDER = Beneficiary("PLANTEXYZ", "ZEPHYRIN", "19620117", "162019999900177")
_PLANTED = replace(samples.CARD, iccsn="802500000298765432106", beneficiaries=(_HOLDER,))


def _planted_states() -> list[State]:
    member = replace(samples.MEMBER, card=_PLANTED, level=1)
    return [
        samples.state(Home(), member=member, card=True),
        samples.state(SerialNumber(), member=member, card=True),
        samples.state(Problem(Fault(Cause.NETWORK), CardSafety.UNCHANGED), member=member, card=True),
    ]


def _needles() -> list[Needle]:
    return [Needle("first name", "Zephyrin"), Needle("serial", "98765432106"), Needle("serial, drawn", "9876543210 6")]


def test_nothing_of_a_member_is_left_on_the_screen() -> None:
    with opened() as screen:
        seen = ""
        for state in _planted_states():
            show(screen, state)
            seen += " ".join(str(item.property("text")) for item in items(screen) if is_text(item))
            if screen.page == "home":
                assert scan_objects(
                    [screen.view, screen.presenter], _needles()
                )  # the scanner sees it while it is there
        assert "Zephyrin" in seen
        show(screen, samples.state(Attract()))
        wait_until(lambda: len(_pages(screen)) == 1, "the old page to be deleted")
        words = " ".join(str(item.property("text")) for item in items(screen))
        names = " ".join(control.name for control in Finger(screen).controls())
        for needle in _needles():
            assert needle.value not in words + names
        assert scan_objects([screen, screen.view, screen.presenter], _needles()) == []
        gc.collect()
        views = [thing for thing in gc.get_objects() if type(thing) is ViewModel and "Zephyrin" in thing.lead]
        assert views == []


def _pages(screen: Screen) -> list[object]:
    loader = next(item for item in items(screen) if item.objectName() == "page")
    return list(loader.childItems())


def test_changing_pages_keeps_no_page() -> None:
    with opened() as screen:
        other = samples.state(Attract())

        def swap(times: int) -> int:
            for _ in range(times):
                show(screen, HOME)
                show(screen, other)
            gc.collect()
            return len(gc.get_objects())

        before = swap(2)
        assert swap(20) - before < 20  # a single object kept at each change would be more


# --- the window --------------------------------------------------------------------------------------------------


def test_the_window_is_the_screen_or_fits_the_desk() -> None:
    with opened() as screen:
        assert (screen.window.width(), screen.window.height()) == (1080, 1920)
    with opened(fit=True) as screen:
        show(screen, HOME)
        assert screen.window.height() < 1920
        stage = next(item for item in items(screen) if item.objectName() == "stage")
        corner = stage.mapToScene(QPointF(1080, 1920))
        assert corner.x() <= screen.window.width() + 1
        assert corner.y() <= screen.window.height() + 1


def test_a_picture_is_written(tmp_path: Path) -> None:
    with opened() as screen:
        show(screen, HOME)
        Finger(screen).screenshot(tmp_path / "home.png")
        assert (tmp_path / "home.png").read_bytes().startswith(b"\x89PNG")
        with pytest.raises(OSError, match=r"home\.png"):
            screen.grab(tmp_path / "missing" / "home.png")


def test_closing_twice_is_harmless_and_a_late_state_is_dropped() -> None:
    with opened() as screen:
        screen.show(HOME)
        screen.close()
        screen.close()
        with pytest.raises(RuntimeError, match="closed"):
            _ = screen.window


def test_looking_for_what_is_not_there_names_what_is() -> None:
    with opened() as screen:
        show(screen, HOME)
        with pytest.raises(NotOnScreenError, match="Mettre à jour ma carte"):
            Finger(screen).press("Payer")
        with pytest.raises(NotOnScreenError, match="shown: home"):
            Finger(screen).wait_for("updating", limit_s=0.01)


def test_a_site_without_codes_shows_no_code_button() -> None:
    with opened() as screen:
        show(screen, replace(HOME, policy=replace(HOME.policy, issue_code=CodeIssuing.OFF)))
        assert "Recevoir un code provisoire" not in Finger(screen).button_names()
