"""The window. Shows immutable states, posts member events, knows nothing else. All of it lives in the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import shiboken6
from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import QAccessible, QFont, QFontMetricsF, QGuiApplication
from PySide6.QtQml import QQmlApplicationEngine
from PySide6.QtQuick import QQuickWindow, QSGRendererInterface  # QQuickWindow: else the root is a bare QWindow
from PySide6.QtQuickControls2 import QQuickStyle

from kiosk.ui import presenters
from kiosk.ui.display import Display, DisplaySpec
from kiosk.ui.fonts import load_fonts
from kiosk.ui.hand import Hand
from kiosk.ui.pictograms import PROVIDER, Pictograms
from kiosk.ui.present import present
from kiosk.ui.presenters import View
from kiosk.ui.views import ViewModel
from kiosk.visit.events import MemberEvent
from kiosk.visit.model import State

_QML: Final = Path(__file__).with_name("qml")
_MEASURE_PX: Final = 1000
_Presenter = TypeVar("_Presenter", bound=QObject)


def local_now() -> datetime:
    """Wall time in the kiosk's zone, for display."""
    return datetime.now().astimezone()


@cache
def _draw_in_software() -> None:
    """Once a process, before the first window: Qt refuses to hear it twice."""
    QQuickWindow.setGraphicsApi(QSGRendererInterface.GraphicsApi.Software)
    QQuickStyle.setStyle("Basic")


def application() -> QGuiApplication:
    """The Qt application, made on first use, drawing in software: a kiosk has no GPU worth trusting."""
    existing = QGuiApplication.instance()
    if isinstance(existing, QGuiApplication):
        return existing
    return QGuiApplication(["kiosk"])


class Screen(QObject):
    """One kiosk screen, alive while an event loop runs; `show` is safe from any thread."""

    _arrived = Signal(object)

    def __init__(
        self,
        post: Callable[[MemberEvent], None],
        *,
        diagonal_in: float,
        width_px: int,
        height_px: int,
        viewing_mm: float = 500,
        scale_to_fit: bool = False,
        still: bool = False,
        now: Callable[[], datetime] = local_now,
    ) -> None:
        """Open the window with an empty page.

        Args:
            post: where member events go; called in the GUI thread, must not block.
            diagonal_in, width_px, height_px: the real screen, upright as installed.
            viewing_mm: distance of the eyes; capitals subtend 0.7° there.
            scale_to_fit: a desktop window of the screen's proportions instead of the screen itself.
            still: no motion at all (always in tests).
            now: wall time for display.

        Raises RuntimeError when a page cannot be loaded: a bug, never a condition of the machine.
        """
        super().__init__()
        _draw_in_software()
        application()
        self._now = now
        self._has_member = False
        self._shown = 0
        family = load_fonts()
        self._engine: QQmlApplicationEngine | None = QQmlApplicationEngine()
        self._engine.addImportPath(str(_QML))
        self._engine.addImageProvider(PROVIDER, Pictograms())
        self._spec = DisplaySpec(width_px, height_px, diagonal_in, viewing_mm, family, _cap_ratio(family))
        self._display = self._singleton("Display", Display)
        self._display.attach(self._spec, still=still, fit=scale_to_fit)
        self._singleton("Hand", Hand).attach(post)
        self._view = self._singleton("View", View)
        self._engine.load(QUrl.fromLocalFile(str(_QML / "Main.qml")))
        roots = self._engine.rootObjects()
        if not roots or not isinstance(roots[0], QQuickWindow):
            raise RuntimeError("the screen's main page cannot be loaded")
        self._window: QQuickWindow | None = roots[0]
        QAccessible.setActive(True)  # else Controls have empty names
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)
        self._window.show()

    def _singleton(self, name: str, kind: type[_Presenter]) -> _Presenter:
        engine = self._engine
        presenter = None if engine is None else engine.singletonInstance(presenters.QML_IMPORT_NAME, name)
        if not isinstance(presenter, kind):
            raise RuntimeError(f"presenter {name} is not registered")
        return presenter

    def show(self, state: State) -> None:
        """Show this state as soon as the event loop runs. Safe from any thread."""
        self._arrived.emit(state)

    def present(self, limit_ms: int = 2000) -> None:
        """Run the event loop until a state given to `show` has been presented, or this long. GUI thread only."""
        loop = QEventLoop()

        def swapped() -> None:
            if self._shown:
                loop.quit()

        connection = self.window.frameSwapped.connect(swapped)
        QTimer.singleShot(limit_ms, loop, loop.quit)
        loop.exec()
        self.window.frameSwapped.disconnect(connection)

    @Slot(object)
    def _on_arrived(self, state: State) -> None:
        if self._engine is None:
            return
        had_member = self._has_member
        self._has_member = state.member is not None
        self._view.show(present(state, self._now()))
        self._shown += 1
        if had_member and not self._has_member:
            self._engine.collectGarbage()  # texts of the member that only the script engine still held

    @property
    def page(self) -> str:
        """Name of the page being shown."""
        return self._view.current().page

    @property
    def spec(self) -> DisplaySpec:
        """The screen's measures."""
        return self._spec

    @property
    def shown(self) -> int:
        """How many states have been shown: tells that the one just given is on the screen."""
        return self._shown

    @property
    def view(self) -> ViewModel:
        """What is being shown."""
        return self._view.current()

    @property
    def presenter(self) -> View:
        """What QML reads; for the residue scanner."""
        return self._view

    @property
    def window(self) -> QQuickWindow:
        """The window, for those who walk its accessibility tree. Raises RuntimeError once closed."""
        if self._window is None:
            raise RuntimeError("the screen is closed")
        return self._window

    def prefer(self, *, theme: str = "clair", text_scale: float = 1.0) -> None:
        """Change theme (`clair`, `jaune`, `blanc`) and text scale (1, 1.25, 1.5)."""
        self._display.prefer(theme, text_scale)

    def grab(self, path: Path) -> None:
        """Write a picture of the window to `path` (PNG by its name). GUI thread only."""
        if not self.window.grabWindow().save(str(path)):
            raise OSError(f"picture cannot be written: {path.name}")

    def close(self) -> None:
        """Close the window and delete the engine, which must die before the application. Twice is harmless."""
        if self._engine is None:
            return
        self._arrived.disconnect(self._on_arrived)
        window, engine = self._window, self._engine
        self._window = self._engine = None
        if window is not None:
            window.close()
        shiboken6.delete(engine)


def _cap_ratio(family: str) -> float:
    font = QFont(family)
    font.setPixelSize(_MEASURE_PX)
    return QFontMetricsF(font).capHeight() / _MEASURE_PX
