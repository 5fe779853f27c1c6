"""What the page tests share: opening a screen, walking its items and measuring them in millimetres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PySide6.QtCore import QRectF
from PySide6.QtQuick import QQuickItem

from kiosk.ui.screen import Screen
from kiosk.visit.events import MemberEvent
from kiosk.visit.model import State
from simulators.gallery import NOW, Panel
from simulators.screen import wait_until

PORTRAIT = Panel(1080, 1920, 21.5)


@contextmanager
def opened(
    panel: Panel = PORTRAIT, post: Callable[[MemberEvent], None] = lambda event: None, *, fit: bool = False
) -> Iterator[Screen]:
    """A still screen, closed at the end: the engine dies before the application."""
    screen = Screen(
        post,
        diagonal_in=panel.diagonal_in,
        width_px=panel.width_px,
        height_px=panel.height_px,
        still=True,
        scale_to_fit=fit,
        now=lambda: NOW,
    )
    try:
        yield screen
    finally:
        screen.close()


def show(screen: Screen, state: State) -> None:
    """Show a state and let the page settle: pages are laid out when they are polished for a frame."""
    before = screen.shown
    screen.show(state)
    wait_until(lambda: screen.shown > before, "the state just given")
    screen.window.grabWindow()


def items(screen: Screen) -> list[QQuickItem]:
    """Every visible item of the page, depth first. The list keeps the wrappers alive."""
    found: list[QQuickItem] = []
    _collect(screen.window.contentItem(), found)
    return found


def _collect(item: QQuickItem, found: list[QQuickItem]) -> None:
    for child in item.childItems():
        if child.isVisible() and child.opacity() > 0:
            found.append(child)
            _collect(child, found)


def is_button(item: QQuickItem) -> bool:
    """Whether a finger is meant to press it."""
    return item.inherits("QQuickAbstractButton")


def is_text(item: QQuickItem) -> bool:
    """Whether it draws words."""
    return item.inherits("QQuickText") and bool(item.property("text"))


def flick_of(item: QQuickItem) -> QQuickItem | None:
    """The list that scrolls this item, if any."""
    parent: QQuickItem | None = item.parentItem()
    while parent is not None and parent.objectName() != "flick":
        parent = parent.parentItem()
    return parent


def rect(item: QQuickItem) -> QRectF:
    """Where an item is on the stage, in pixels."""
    return item.mapRectToScene(QRectF(0, 0, item.width(), item.height()))


def seen(item: QQuickItem) -> QRectF:
    """The part of an item that a list leaves visible; empty when it is scrolled away."""
    flick = flick_of(item)
    return rect(item) if flick is None else rect(item).intersected(rect(flick))
