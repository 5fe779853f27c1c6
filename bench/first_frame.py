"""`python -m bench.first_frame kiosk FOLDER | empty`: start, print when the first frame was presented, end.

One JSON line: `presented_s` on the machine's monotonic clock, which parent and child share, and `rss_mb` at that
moment.
`kiosk` is the product's own `run`, on the state in FOLDER; its first frame is the first that shows a page. `empty` is
one empty QML window with the imports that every QML window needs.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

QML = b"import QtQuick\nWindow { width: 1080; height: 1920; visible: true }\n"


def kiosk(folder: Path) -> int:
    """The kiosk, ended by the first frame that shows a page."""
    from kiosk import cli  # noqa: PLC0415  # what is imported is what is measured
    from kiosk.settings import KioskSettings, Settings  # noqa: PLC0415
    from kiosk.ui import screen  # noqa: PLC0415

    class Watched(screen.Screen):
        def _presented(self) -> None:
            if self.shown:
                tell()

    def watched(*arguments: object, **named: object) -> Watched:
        made = Watched(*arguments, **named)  # type: ignore[arg-type]  # as `run` calls it
        made.window.frameSwapped.connect(made._presented)
        return made

    screen.Screen = watched  # type: ignore[assignment, misc]  # `run` looks it up here
    return cli.run(Settings(kiosk=KioskSettings(folder, serial="K-0999")))


def empty() -> int:
    """An empty window."""
    from PySide6.QtGui import QGuiApplication  # noqa: PLC0415
    from PySide6.QtQml import QQmlApplicationEngine  # noqa: PLC0415
    from PySide6.QtQuick import QQuickWindow, QSGRendererInterface  # noqa: PLC0415

    application = QGuiApplication(["empty"])
    QQuickWindow.setGraphicsApi(QSGRendererInterface.GraphicsApi.Software)
    engine = QQmlApplicationEngine()
    engine.loadData(QML)
    (window,) = engine.rootObjects()
    assert isinstance(window, QQuickWindow)

    window.frameSwapped.connect(tell)
    return application.exec()


def tell() -> None:
    """One line, and the end of the process as it is: nothing after the first frame is of interest."""
    presented_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    from bench.memory import rss_mb  # noqa: PLC0415

    print(json.dumps({"presented_s": presented_s, "rss_mb": rss_mb()}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    os.environ.update(QT_QPA_PLATFORM="offscreen", QT_QUICK_BACKEND="software")
    sys.exit(kiosk(Path(sys.argv[2])) if sys.argv[1] == "kiosk" else empty())
