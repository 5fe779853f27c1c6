"""Two windows on one desktop: where they stand, and what ends them both."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from PySide6.QtCore import QCoreApplication, QEvent, QSocketNotifier, QTimer
from PySide6.QtGui import QGuiApplication, QWindow

GAP_PX: Final = 16
TITLE_BAR_PX: Final = 32
PANEL_MAX_PX: Final = 760  # high enough for a whole ticket


def side_by_side(qt: QGuiApplication, kiosk: QWindow, panel: QWindow) -> None:
    """Stand the kiosk at the left edge and the panel beside it; closing either ends the application's loop."""
    free = qt.primaryScreen().availableGeometry()
    kiosk.setTitle("Borne")
    kiosk.setPosition(free.x() + GAP_PX, free.y() + TITLE_BAR_PX)
    left_px = kiosk.x() + kiosk.width() + GAP_PX
    room_px = free.x() + free.width() - left_px - GAP_PX
    panel.resize(
        max(min(room_px, panel.width()), panel.minimumWidth()),
        max(min(kiosk.height(), PANEL_MAX_PX), panel.minimumHeight()),
    )
    panel.setPosition(min(left_px, max(free.x() + free.width() - panel.width(), free.x())), kiosk.y())
    for window in (kiosk, panel):
        window.visibleChanged.connect(partial(_quit_unless, qt))


def _quit_unless(qt: QGuiApplication, visible: bool) -> None:
    if not visible:
        qt.quit()


@contextmanager
def leaving(qt: QGuiApplication) -> Iterator[Callable[[], int]]:
    """Yields what runs the loop until a window is closed, or SIGINT or SIGTERM comes. Main thread only.

    A signal that comes earlier ends the loop as it begins. The handlers of before come back at the end.
    """
    # A signal must wake Qt's loop: Python writes its number to this socket, and handles it once the loop has turned.
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    notifier = QSocketNotifier(reading.fileno(), QSocketNotifier.Type.Read)
    notifier.activated.connect(lambda: reading.recv(64))
    signal.set_wakeup_fd(writing.fileno())
    before = {
        number: signal.signal(number, lambda _number, _frame: QTimer.singleShot(0, qt.quit))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    # Processes started meanwhile inherit this: a terminal's Ctrl-C reaches them too, but it is we who end them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def run() -> int:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        status = qt.exec()
        # Closing the last window asked to quit once more: left in the queue, that would end every later loop at once.
        QCoreApplication.removePostedEvents(qt, QEvent.Type.Quit.value)
        return status

    try:
        yield run
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        notifier.setEnabled(False)
        reading.close()
        writing.close()
