"""What QML tells of the member's hand: each slot posts one event."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Slot
from PySide6.QtQml import QmlElement, QmlSingleton

from kiosk.visit.events import Activity, Choice, Chosen, DigitErased, DigitsSubmitted, DigitTyped, MemberEvent

QML_IMPORT_NAME = "Kiosk.View"
QML_IMPORT_MAJOR_VERSION = 1


@QmlElement
@QmlSingleton
class Hand(QObject):
    """What the member does: each slot posts one event."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._post: Callable[[MemberEvent], None] = _nowhere

    def attach(self, post: Callable[[MemberEvent], None]) -> None:
        """Where events go."""
        self._post = post

    @Slot(str)
    def choose(self, choice: str) -> None:
        """A button of the page."""
        self._post(Chosen(Choice(choice)))

    @Slot(int)
    def digit(self, digit: int) -> None:
        """A key 0–9, drawn or physical."""
        self._post(DigitTyped(digit))

    @Slot()
    def erase(self) -> None:
        """The erase key."""
        self._post(DigitErased())

    @Slot()
    def submit(self) -> None:
        """The validate key."""
        self._post(DigitsSubmitted())

    @Slot()
    def activity(self) -> None:
        """Any touch or key."""
        self._post(Activity())


def _nowhere(event: MemberEvent) -> None:
    raise AssertionError(f"{type(event).__name__} before the screen was attached")
