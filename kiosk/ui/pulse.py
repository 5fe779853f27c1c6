"""Whether the screen's thread still comes round: it answers what it is asked, as one event among its others."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot


class Pulse(QObject):
    """Made in the GUI thread."""

    _asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._asked.connect(self._answer, Qt.ConnectionType.QueuedConnection)

    def ping(self, answer: Callable[[], None]) -> None:
        """Have the GUI thread call `answer`. Safe from any thread."""
        self._asked.emit(answer)

    @Slot(object)
    def _answer(self, answer: Callable[[], None]) -> None:
        answer()
