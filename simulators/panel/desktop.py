"""Two windows on one desktop: where they stand, and what ends them both."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from PySide6.QtCore import QSocketNotifier, QTimer
from PySide6.QtGui import QGuiApplication, QWindow

GAP_PX: Final = 16
TITLE_BAR_PX: Final = 32


def side_by_side(qt: QGuiApplication, kiosk: QWindow, panel: QWindow) -> None:
    """Stand the kiosk at the left edge and the panel beside it; closing either ends the application's loop."""
    free = qt.primaryScreen().availableGeometry()
    kiosk.setTitle("Borne")
    kiosk.setPosition(free.x() + GAP_PX, free.y() + TITLE_BAR_PX)
    left_px = kiosk.x() + kiosk.width() + GAP_PX
    room_px = free.x() + free.width() - left_px - GAP_PX
    panel.resize(max(min(room_px, panel.width()), panel.minimumWidth()), max(kiosk.height(), panel.minimumHeight()))
    panel.setPosition(min(left_px, max(free.x() + free.width() - panel.width(), free.x())), kiosk.y())
    for window in (kiosk, panel):
        window.visibleChanged.connect(partial(_quit_unless, qt))


def _quit_unless(qt: QGuiApplication, visible: bool) -> None:
    if not visible:
        qt.quit()


@contextmanager
def leaving(qt: QGuiApplication) -> Iterator[None]:
    """SIGINT and SIGTERM end the loop, or the next one to run; the handlers of before come back. Main thread only."""
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
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        notifier.setEnabled(False)
        reading.close()
        writing.close()
