"""The panel's window and its life: own QML engine, one bridge, the hands behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import shiboken6
from PySide6.QtCore import QUrl
from PySide6.QtGui import QAccessible
from PySide6.QtQml import QQmlApplicationEngine
from PySide6.QtQuick import QQuickWindow  # else the root is a bare QWindow

from kiosk import ui
from kiosk.ui import display, pictograms, presenters  # noqa: F401  # the kiosk's controls need them registered
from kiosk.ui.fonts import load_fonts
from simulators.panel import bridge
from simulators.panel.bridge import Bench, built_in
from simulators.panel.hands import Hands, Scene
from simulators.personas import Persona, replaces
from simulators.stage import Stage

_QML: Final = Path(__file__).with_name("qml")
_KIOSK_QML: Final = Path(ui.__file__).with_name("qml")


class Panel:
    """One panel for one stage, alive while an event loop runs. Everything in the GUI thread."""

    def __init__(self, stage: Stage, persona: Persona) -> None:
        """Open the window with this persona's card in the hand, the built-in ones beside it.

        Raises RuntimeError when the QML cannot be loaded.
        """
        family = load_fonts()
        engine = self._engine = QQmlApplicationEngine()
        engine.addImportPath(str(_KIOSK_QML))
        bench = engine.singletonInstance(bridge.QML_IMPORT_NAME, "Bench")
        if not isinstance(bench, Bench):
            raise RuntimeError("the panel's bridge is not registered")
        self._bench: Bench | None = bench
        deck = (persona, *(other for other in built_in() if not replaces(persona, other)))
        self.hands = Hands(stage, deck, self._show)
        bench.attach(self.hands, deck, family)
        engine.load(QUrl.fromLocalFile(str(_QML / "Panel.qml")))
        roots = engine.rootObjects()
        if not roots or not isinstance(roots[0], QQuickWindow):
            self.hands.close()
            raise RuntimeError("the panel's page cannot be loaded")
        self.window: QQuickWindow = roots[0]
        QAccessible.setActive(True)  # else Controls have empty names

    @property
    def scene(self) -> Scene:
        """What the panel shows. Raises RuntimeError once closed."""
        if self._bench is None:
            raise RuntimeError("the panel is closed")
        return self._bench.current()

    def grab(self, path: Path) -> None:
        """Write a picture of the panel to `path` (PNG by its name)."""
        if not self.window.grabWindow().save(str(path)):
            raise OSError(f"picture cannot be written: {path.name}")

    def close(self) -> None:
        """Put the hands down, close the window, delete the engine. Twice is harmless."""
        if self._bench is None:
            return
        self.hands.close()
        self._bench = None
        self.window.close()
        shiboken6.delete(self._engine)

    def _show(self, scene: Scene) -> None:
        if self._bench is not None:
            self._bench.show(scene)
