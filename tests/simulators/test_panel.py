"""The panel drives a real kiosk: pressed by accessible name, each hand's deed is seen on the kiosk's own page."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QAccessible, QAccessibleInterface, QGuiApplication, QImage
from PySide6.QtQuick import QQuickWindow

from kiosk.sync import client
from kiosk.ui import texts
from kiosk.ui.screen import Screen
from kiosk.ui.technician_facts import PARTS
from kiosk.ui.typography import plain
from kiosk.visit.model import State
from kiosk.visit.ports import ReaderRole
from simulators import demo
from simulators import stage as stages
from simulators.card.card import SimulatedCard
from simulators.panel import Panel, leaving
from simulators.personas import load, names
from simulators.screen import PRESS, Finger, screen_of, wait_until
from simulators.stage import EmbeddedSlots, Stage, stage

INSERT, PULL = "Insérer la carte de l'assuré", "Retirer la carte de l'assuré"
INSERT_PRO, PULL_PRO = "Insérer la carte du professionnel", "Retirer la carte du professionnel"
TURN = "Retourner la carte"
CUT, RESTORE = "Couper le réseau", "Rétablir le réseau"
TAKE_PAPER, GIVE_PAPER = "Retirer le papier", "Remettre du papier"
GUARD_MS = 60_000
JEANNE, ODILE = load("outdated").title, load("up-to-date").title


class Touch:
    """A finger on the panel."""

    def __init__(self, window: QQuickWindow) -> None:
        self._window = window

    def all(self, role: QAccessible.Role) -> dict[str, QAccessibleInterface]:
        """Every visible element of this role by its name; a name twice is an error."""
        found = [node for node in _visible(QAccessible.queryAccessibleInterface(self._window)) if node.role() == role]
        named = [plain(node.text(QAccessible.Text.Name)) for node in found]
        assert len(set(named)) == len(named), named
        assert "" not in named
        return dict(zip(named, found, strict=True))

    def reads(self, text: str) -> bool:
        """Whether this text can be read."""
        nodes = _visible(QAccessible.queryAccessibleInterface(self._window))
        return any(plain(node.text(QAccessible.Text.Name)) == plain(text) for node in nodes)

    def can(self, name: str) -> bool:
        """Whether a button of this name can be pressed now."""
        node = self.all(QAccessible.Role.Button).get(plain(name))
        return node is not None and not node.state().disabled

    def press(self, name: str) -> None:
        """Press a button as soon as it can be pressed."""
        wait_until(lambda: self.can(name), f"button {name}")
        self.all(QAccessible.Role.Button)[plain(name)].actionInterface().doAction(PRESS)


def _visible(node: QAccessibleInterface) -> Iterator[QAccessibleInterface]:
    for index in range(node.childCount()):
        child = node.child(index)
        if child.isValid() and not child.state().invisible:
            yield child
            yield from _visible(child)


class _Slots(EmbeddedSlots):
    """The embedded reader, which can refuse a card."""

    broken = False

    def insert(self, role: ReaderRole, card: SimulatedCard) -> None:
        if self.broken:
            raise RuntimeError("the slot does not speak")
        super().insert(role, card)


@dataclass
class Desk:
    """Kiosk and panel side by side."""

    stage: Stage
    slots: _Slots
    kiosk: Finger
    panel: Panel
    touch: Touch

    def insert(self, title: str) -> None:
        self.touch.press(title)
        self.touch.press(INSERT)


@pytest.fixture
def desk(tmp_path: Path, qapp: QGuiApplication) -> Iterator[Desk]:
    """A kiosk in service, its panel, and Jeanne's card in the hand."""
    assert qapp is not None
    screens: list[Screen] = []

    def publish(state: State) -> None:
        for one in screens:
            one.show(state)

    slots = _Slots()
    with stage(tmp_path, slots, publish) as on_stage:
        screen = screen_of(on_stage.settings, on_stage.kiosk.post, scale_to_fit=True, still=True)
        screens.append(screen)
        panel = Panel(on_stage, load("outdated"))
        on_stage.kiosk.start()
        kiosk = Finger(screen)
        kiosk.wait_for("attract")
        wait_until(lambda: kiosk.visible_texts().count("disponible") == 5, "everything in service")
        yield Desk(on_stage, slots, kiosk, panel, Touch(panel.window))
        panel.close()
        screen.close()


def test_both_slots_hold_a_card_and_give_it_back(desk: Desk) -> None:
    assert {plain(load(name).title) for name in names()} <= desk.touch.all(QAccessible.Role.Button).keys()
    desk.insert(JEANNE)
    desk.kiosk.wait_for("home")
    assert not desk.touch.can(INSERT_PRO), "one card cannot be in two slots"
    assert not desk.touch.can(TURN), "nor be turned in one"
    desk.touch.press(ODILE)
    desk.touch.press(INSERT_PRO)
    both = {ReaderRole.PATIENT: "outdated", ReaderRole.PROFESSIONAL: "up-to-date"}
    wait_until(lambda: desk.panel.scene.slots == both and not desk.panel.scene.busy, "both slots full")
    desk.touch.press(PULL_PRO)
    one = {ReaderRole.PATIENT: "outdated"}
    wait_until(lambda: desk.panel.scene.slots == one and not desk.panel.scene.busy, "one slot full")
    desk.touch.press(PULL)  # the last card pulled out is the one in the hand
    desk.kiosk.wait_for("attract")
    wait_until(lambda: desk.touch.can(INSERT) and desk.touch.can(INSERT_PRO), "both slots empty")
    wait_until(lambda: desk.panel.scene.chosen == "outdated", "the card that was pulled out, in the hand")


def test_a_badge_opens_the_diagnostics(desk: Desk) -> None:
    staff = load("technician").card.staff
    assert staff is not None
    desk.touch.press(load("technician").title)
    desk.touch.press(INSERT_PRO)
    desk.kiosk.wait_for("staffPin")
    for digit in staff.pin:
        desk.kiosk.press(digit)
    wait_until(lambda: texts.SUBMIT in desk.kiosk.button_names(), "the whole code")
    desk.kiosk.press(texts.SUBMIT)
    desk.kiosk.wait_for("diagnostics")
    desk.kiosk.wait_for_text(PARTS["reader professional"])
    desk.touch.press(PULL_PRO)
    desk.kiosk.wait_for("attract")


def test_a_card_upside_down_leads_to_the_page_that_shows_the_right_way(desk: Desk) -> None:
    desk.touch.press(TURN)
    desk.insert(JEANNE)
    desk.kiosk.wait_for("cardProblem")
    desk.kiosk.wait_for_text("Nous ne lisons pas votre carte.")
    assert desk.touch.reads("à l'envers")
    desk.touch.press(PULL)
    desk.kiosk.wait_for("attract")
    desk.touch.press(TURN)
    desk.touch.press(INSERT)
    desk.kiosk.wait_for("home")


def test_a_cut_network_is_told_and_its_return_is_seen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 60.0)  # asked once: nobody waits until a member's patience is over
    desk.touch.press(CUT)
    wait_until(lambda: desk.touch.can(RESTORE), "the cut")
    assert desk.touch.reads("coupé")
    desk.insert(JEANNE)
    desk.kiosk.wait_for("home")
    assert any("Le centre ne répond pas." in text for text in desk.kiosk.visible_texts())
    desk.touch.press(RESTORE)
    wait_until(lambda: desk.touch.can(CUT), "the way restored")
    desk.touch.press(PULL)
    desk.kiosk.wait_for("attract")
    desk.touch.press(INSERT)
    desk.kiosk.wait_for_text("Une mise à jour est prête pour cette carte.")


def test_without_paper_the_kiosk_says_so_and_takes_it_back(desk: Desk) -> None:
    desk.touch.press(TAKE_PAPER)
    desk.kiosk.wait_for_text(texts.ON_SCREEN_ONLY)
    desk.touch.press(GIVE_PAPER)
    wait_until(lambda: plain(texts.ON_SCREEN_ONLY) not in desk.kiosk.visible_texts(), "paper again")


def test_a_printed_ticket_is_a_picture_in_the_panel(desk: Desk, tmp_path: Path) -> None:
    chip = load("up-to-date").card.chip
    assert chip is not None
    born = chip.beneficiaries[0].birth_date
    desk.insert(ODILE)
    desk.kiosk.wait_for("home")
    desk.kiosk.press(texts.HOME_SERIAL)
    desk.kiosk.wait_for("identification")
    desk.kiosk.type_digits(born[6:8] + born[4:6] + born[0:4])
    desk.kiosk.press(texts.SUBMIT)
    desk.kiosk.wait_for("serial")
    assert desk.touch.reads("Le ticket imprimé apparaît ici.")
    before = _grab(desk.panel, tmp_path)
    desk.kiosk.press(texts.PRINT)
    wait_until(lambda: "Ticket imprimé n° 1" in desk.touch.all(QAccessible.Role.Graphic), "the ticket's picture")
    wait_until(lambda: _dark(_grab(desk.panel, tmp_path)) > _dark(before) + 2000, "black on white in the panel")


def _grab(panel: Panel, folder: Path) -> QImage:
    panel.grab(folder / "panel.png")
    return QImage(str(folder / "panel.png"))


def _dark(image: QImage) -> int:
    """Black dots in the column of the ticket."""
    return sum(
        image.pixelColor(x, y).lightness() < 40
        for x in range(image.width() * 3 // 4, image.width(), 2)
        for y in range(100, image.height(), 2)
    )


def test_what_cannot_be_done_is_told_and_undone(desk: Desk) -> None:
    desk.slots.broken = True
    desk.insert(JEANNE)
    wait_until(lambda: desk.touch.reads("Fente de l'assuré : the slot does not speak"), "the message")
    assert desk.touch.can(INSERT), "the card is still in the hand"
    desk.touch.press("Fermer le message")
    wait_until(lambda: desk.panel.scene.problem == "", "the message gone")
    desk.slots.broken = False
    desk.touch.press(INSERT)
    desk.kiosk.wait_for("home")


def _close(title: str) -> None:
    (found,) = [window for window in QGuiApplication.topLevelWindows() if window.title() == title]
    found.close()


@pytest.fixture
def guard(qapp: QGuiApplication) -> Iterator[QTimer]:
    """Ends a loop that nothing else has ended; active as long as it did not have to."""
    timer = QTimer()
    timer.setSingleShot(True)
    timer.timeout.connect(qapp.quit)
    timer.start(GUARD_MS)
    yield timer
    timer.stop()


def test_a_signal_wakes_a_loop_that_has_nothing_to_do(qapp: QGuiApplication, guard: QTimer) -> None:
    with leaving(qapp) as run:
        other_thread = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))
        QTimer.singleShot(0, other_thread.start)
        assert run() == 0
        assert guard.isActive(), "left, not thrown out"
    other_thread.join()


@pytest.mark.parametrize(
    "leave",
    [
        lambda: _close("Borne"),
        lambda: _close("Simulateur de la borne"),
        lambda: os.kill(os.getpid(), signal.SIGINT),
        lambda: os.kill(os.getpid(), signal.SIGTERM),
    ],
    ids=["kiosk closed", "panel closed", "SIGINT", "SIGTERM"],
)
def test_one_end_ends_everything(guard: QTimer, leave: Callable[[], None]) -> None:
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    others = set(psutil.Process().children())  # a PC/SC service that serves the whole test run
    QTimer.singleShot(0, leave)
    assert demo.windowed("embedded", load("outdated"), ()) == 0
    assert guard.isActive(), "left, not thrown out"
    assert set(psutil.Process().children()) == others
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_a_signal_while_the_stage_is_set_ends_it_all_the_same(
    qapp: QGuiApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert qapp is not None
    others = set(psutil.Process().children())
    enrol = stages.enrol

    def interrupted(*arguments: Any) -> None:
        for process in (psutil.Process(), *set(psutil.Process().children()) - others):  # as a terminal's Ctrl-C does
            process.send_signal(signal.SIGINT)
        enrol(*arguments)

    monkeypatch.setattr(stages, "enrol", interrupted)
    assert demo.windowed("embedded", load("outdated"), ()) == 0
    assert set(psutil.Process().children()) == others
