"""One numbered picture a page, taken when the page is shown, however short its life."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, Slot

from kiosk.ui.screen import Screen
from kiosk.visit.model import State


class Album(QObject):
    """Stands between runner and screen: each state reaches the screen first; on a new page the picture is taken.

    Lives in the GUI thread; `publish` is safe from any. `pages`: what was shown, in order.
    """

    _arrived = Signal(object)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._screen: Screen | None = None
        self._page = ""
        self._count = 0
        self.pages: list[str] = []
        self.watch: Callable[[State], None] = lambda _state: None
        self._arrived.connect(self._look, Qt.ConnectionType.QueuedConnection)

    def attach(self, screen: Screen) -> None:
        """The screen to look at."""
        self._screen = screen

    def publish(self, state: State) -> None:
        """Hand a state to the screen, then look."""
        if self._screen is not None:
            self._screen.show(state)
        self._arrived.emit(state)

    @Slot(object)
    def _look(self, state: State) -> None:
        self.watch(state)
        if self._screen is None or state.step.page == self._page:
            return
        self._page = state.step.page
        self.pages.append(self._page)
        self.take(self._page)

    def take(self, name: str) -> Path:
        """A picture of what is shown now."""
        self._count += 1
        path = self._folder / f"{self._count:02d}-{name}.png"
        if self._screen is not None:
            self._screen.grab(path)
        return path
