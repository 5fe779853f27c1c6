"""A member's finger and eyes: drives the real QML in process, by accessible name, and waits for pages, never for time.

Everything here runs in the GUI thread. The accessibility tree is the one assistive technology sees, so a control that
has no name cannot be found, and a page whose texts are not in the tree reads as empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEventLoop, QObject, QRect, QTimer
from PySide6.QtGui import QAccessible, QAccessibleInterface

from kiosk.settings import Settings
from kiosk.ui.screen import Screen
from kiosk.ui.typography import plain
from kiosk.ui.views import Box
from kiosk.visit.events import MemberEvent

POLL_MS = 5
PATIENCE_S = 30.0
"""For what does not come at all; how long anything may take is not asked here."""
PRESS = "Press"
_TEXT_ROLES = (QAccessible.Role.StaticText, QAccessible.Role.Heading)


class NotOnScreenError(AssertionError):
    """What was looked for is not on the page, or the page did not come in time."""


@dataclass(frozen=True, slots=True)
class Control:
    """One accessible element: what it is, what it is called, whether it can be pressed now, where it is (screen px)."""

    name: str
    role: QAccessible.Role
    enabled: bool
    rect: QRect
    description: str = ""


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = PATIENCE_S) -> None:
    """Run the event loop until `condition` holds; raise `NotOnScreenError` naming `what` after `limit_s`."""
    if condition():
        return
    loop, held = QEventLoop(), False

    def look() -> None:
        nonlocal held
        held = condition()
        if held:
            loop.quit()

    poll = QTimer()
    poll.timeout.connect(look)
    poll.start(POLL_MS)
    limit = QTimer()  # not `singleShot`, which would keep the loop until its time comes
    limit.setSingleShot(True)
    limit.timeout.connect(loop.quit)
    limit.start(int(limit_s * 1000))
    loop.exec()
    poll.stop()
    limit.stop()
    for timer in (poll, limit):
        timer.timeout.disconnect()
    if not held:
        raise NotOnScreenError(f"{what}: not within {limit_s} s")


def screen_of(
    settings: Settings, post: Callable[[MemberEvent], None], *, scale_to_fit: bool = False, still: bool = False
) -> Screen:
    """The window of a kiosk with these settings; see `Screen`."""
    size = settings.screen
    return Screen(
        post,
        diagonal_in=size.diagonal_in,
        width_px=size.width_px,
        height_px=size.height_px,
        viewing_mm=size.viewing_mm,
        scale_to_fit=scale_to_fit,
        still=still,
    )


class Finger:
    """Reads and touches one screen."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    # --- eyes ---

    @property
    def page(self) -> str:
        """Name of the page shown."""
        return self._screen.page

    def wait_for(self, page: str, limit_s: float = PATIENCE_S) -> None:
        """Let the screen live until it shows this page."""
        try:
            wait_until(lambda: self._screen.page == page, f"page {page}", limit_s)
        except NotOnScreenError as error:
            raise NotOnScreenError(f"{error}; shown: {self._screen.page}") from None

    def wait_for_text(self, text: str) -> None:
        """Let the screen live until this exact text can be read."""
        wait_until(lambda: plain(text) in self.visible_texts(), f"text {plain(text)!r}")

    def controls(self) -> list[Control]:
        """Every visible element of the accessibility tree, in reading order."""
        return [_control(node) for node in self._walk()]

    def visible_texts(self) -> list[str]:
        """What can be read: texts and headings, with ordinary spaces and straight apostrophes."""
        return [plain(c.name) for c in self.controls() if c.role in _TEXT_ROLES and c.name]

    def button_names(self) -> list[str]:
        """Names of the buttons that can be pressed."""
        return [plain(c.name) for c in self.controls() if c.role == QAccessible.Role.Button and c.enabled]

    def find(self, name: str, role: QAccessible.Role = QAccessible.Role.Button) -> QAccessibleInterface:
        """The one visible element of this role and name. Raises `NotOnScreenError` naming what is there instead."""
        wanted = plain(name)
        found = [n for n in self._walk() if n.role() == role and plain(n.text(QAccessible.Text.Name)) == wanted]
        if len(found) != 1:
            raise NotOnScreenError(f"{wanted!r}: {len(found)} on page {self.page}; there are {self.button_names()}")
        return found[0]

    def screenshot(self, path: Path) -> None:
        """Write a picture of the page as PNG."""
        self._screen.grab(path)

    # --- finger ---

    def press(self, name: str) -> None:
        """Press a button through its accessibility action, as a switch or a screen reader would."""
        node = self.find(name)
        if node.state().disabled:
            raise NotOnScreenError(f"{plain(name)!r} cannot be pressed now on page {self.page}")
        actions = node.actionInterface()
        actions.doAction(PRESS)

    def type_digits(self, digits: str) -> None:
        """Type on the drawn keypad, one key after the other; each shows before the next."""
        for digit in digits:
            before = self._screen.view.boxes
            self.press(digit)
            self._wait_for_boxes_after(before)

    def _wait_for_boxes_after(self, before: tuple[Box, ...]) -> None:
        wait_until(lambda: self._screen.view.boxes != before, "the digit just typed")

    def _walk(self) -> Iterator[QAccessibleInterface]:
        window: QObject = self._screen.window
        yield from _visible(QAccessible.queryAccessibleInterface(window))


def _visible(node: QAccessibleInterface) -> Iterator[QAccessibleInterface]:
    for index in range(node.childCount()):
        child = node.child(index)
        if child.isValid() and not child.state().invisible:
            yield child
            yield from _visible(child)


def _control(node: QAccessibleInterface) -> Control:
    return Control(
        name=node.text(QAccessible.Text.Name),
        role=node.role(),
        enabled=not node.state().disabled,
        rect=node.rect(),
        description=node.text(QAccessible.Text.Description),
    )
