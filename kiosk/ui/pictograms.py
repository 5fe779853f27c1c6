"""Our own pictograms: strokes on a grid of 24, drawn in the colour of a role.

Given to QML as pictures `image://pictogram/NAME/WEIGHT/RRGGBB`. Neither of the two nearer ways holds: with the software
renderer a Qt Quick `Shape` ignores the clip of the list it is in, and an item written in Python, created by QML, is
never freed (measured: 0.25 MB for each change between two pages).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtQuick import QQuickImageProvider
from PySide6.QtSvg import QSvgRenderer

PROVIDER: Final = "pictogram"
GRID: Final = 24
STROKES: Final[Mapping[str, str]] = {
    "check": "M4 12.5 L9.5 18 L20 6.5",
    "cross": "M6 6 L18 18 M18 6 L6 18",
    "unknown": "M8 8.5 A4 4 0 1 1 12.6 12.9 C12 13.2 12 13.8 12 15 M12 19 L12 19.1",
    "warning": "M12 3.5 L22 20.5 L2 20.5 Z M12 10 L12 14.5 M12 17.4 L12 17.5",
    "info": "M12 2.5 A9.5 9.5 0 1 1 11.99 2.5 Z M12 11 L12 17 M12 7.4 L12 7.5",
    "card": "M4.5 5 L19.5 5 A2.5 2.5 0 0 1 22 7.5 L22 16.5 A2.5 2.5 0 0 1 19.5 19 L4.5 19 A2.5 2.5 0 0 1 2 16.5 "
    "L2 7.5 A2.5 2.5 0 0 1 4.5 5 Z M5.5 10 L9.5 10 L9.5 14 L5.5 14 Z M13 10 L18.5 10 M13 14 L16.5 14",
    "update": "M20 8 A8.5 8.5 0 0 0 4.5 8.5 M20.5 3.5 L20 8 L15.5 7.5 M4 16 A8.5 8.5 0 0 0 19.5 15.5 M3.5 20.5 L4 "
    "16 L8.5 16.5",
    "wipe": "M10 3.5 C10.9 9 12 10.1 17.5 11 C12 11.9 10.9 13 10 18.5 C9.1 13 8 11.9 2.5 11 C8 10.1 9.1 9 10 3.5 Z "
    "M18.5 15 C18.9 17.2 19.4 17.7 21.5 18.1 C19.4 18.5 18.9 19 18.5 21.2 C18.1 19 17.6 18.5 15.5 18.1 C17.6 17.7 "
    "18.1 17.2 18.5 15 Z",
    "number": "M9.5 3.5 L7.5 20.5 M16.5 3.5 L14.5 20.5 M4 9 L20.5 9 M3.5 15 L20 15",
    "key": "M8 8.5 A4.5 4.5 0 1 1 7.99 8.5 Z M11.5 10 L20.5 3.5 M16 6.8 L18.6 10.4 M19 4.6 L21 7.4",
    "person": "M12 3 A4.4 4.4 0 1 1 11.99 3 Z M3.5 21 C4 15.5 8 14 12 14 C16 14 20 15.5 20.5 21 Z",
    "phone": "M6 2.5 L9.5 3 L11 8 L8.5 10 C9.5 12.5 11.5 14.5 14 15.5 L16 13 L21 14.5 L21.5 18 C21.3 20 20 21.5 "
    "18 21.5 C9.5 21 3 14.5 2.5 6 C2.5 4 4 2.7 6 2.5 Z",
    "lock": "M5 10.5 L19 10.5 L19 21 L5 21 Z M8 10.5 L8 7 A4 4 0 0 1 16 7 L16 10.5 M12 14.5 L12 17",
    "ticket": "M5.5 2.5 L18.5 2.5 L18.5 21.5 L16.3 19.8 L14.2 21.5 L12 19.8 L9.8 21.5 L7.7 19.8 L5.5 21.5 Z M9 7.5 "
    "L15 7.5 M9 11.5 L15 11.5 M9 15.5 L12.5 15.5",
    "clock": "M12 2.5 A9.5 9.5 0 1 1 11.99 2.5 Z M12 7 L12 12.5 L15.8 14.8",
    "help": "M12 2.5 A9.5 9.5 0 1 1 11.99 2.5 Z M9.2 9.3 A2.9 2.9 0 1 1 12.5 12.6 C12 12.8 12 13.3 12 14.3 M12 "
    "17.4 L12 17.5",
    "stop": "M12 2.5 A9.5 9.5 0 1 1 11.99 2.5 Z M8.5 8.5 L15.5 15.5 M15.5 8.5 L8.5 15.5",
    "back": "M20 12 L4 12 M10.5 5.5 L4 12 L10.5 18.5",
    "next": "M4 12 L20 12 M13.5 5.5 L20 12 L13.5 18.5",
    "mail": "M2.5 5 L21.5 5 L21.5 19 L2.5 19 Z M3 5.5 L12 13 L21 5.5",
    "globe": "M12 2.5 A9.5 9.5 0 1 1 11.99 2.5 Z M2.5 12 L21.5 12 M12 2.5 C15.5 6 16 9 16 12 C16 15 15.5 18 12 "
    "21.5 C8.5 18 8 15 8 12 C8 9 8.5 6 12 2.5",
    "shield": "M12 2.5 L20.5 5.5 L20.5 11.5 C20.5 16.5 17 20 12 21.8 C7 20 3.5 16.5 3.5 11.5 L3.5 5.5 Z M8 11.8 "
    "L11 14.8 L16.2 9",
    "bank": "M2.5 9 L12 3 L21.5 9 Z M5 12 L5 17.5 M9.7 12 L9.7 17.5 M14.3 12 L14.3 17.5 M19 12 L19 17.5 M3 20.8 "
    "L21 20.8",
    "home": "M3 11.5 L12 3.5 L21 11.5 M5.5 9.8 L5.5 20.5 L18.5 20.5 L18.5 9.8",
    "calendar": "M3 5 L21 5 L21 21 L3 21 Z M3 10 L21 10 M8 2.5 L8 7 M16 2.5 L16 7 M8 14.5 L8 14.6 M12 14.5 L12 14.6 "
    "M16 14.5 L16 14.6",
    "eye": "M2 12 C5 7 8.5 5 12 5 C15.5 5 19 7 22 12 C19 17 15.5 19 12 19 C8.5 19 5 17 2 12 Z M12 9 A3 3 0 1 1 "
    "11.99 9 Z",
    "eye_off": "M2 12 C5 7 8.5 5 12 5 C15.5 5 19 7 22 12 C19 17 15.5 19 12 19 C8.5 19 5 17 2 12 Z M12 9 A3 3 0 1 1 "
    "11.99 9 Z M4 21 L20 3",
    "dot": "M12 2.5 A9.5 9.5 0 1 1 11.99 2.5 Z M12 8.5 A3.5 3.5 0 1 1 11.99 8.5 Z",
    "ring": "M12 2.5 A9.5 9.5 0 1 1 11.99 2.5 Z",
    "network": "M2 9 C8 3.5 16 3.5 22 9 M5.5 13 C9.5 9.5 14.5 9.5 18.5 13 M9 17 C11 15.3 13 15.3 15 17 M12 20.5 L12 "
    "20.6",
    "place": "M12 22 C7 16.5 4.5 13 4.5 9.8 A7.5 7.5 0 0 1 19.5 9.8 C19.5 13 17 16.5 12 22 Z M12 7.3 A2.7 2.7 0 1 "
    "1 11.99 7.3 Z",
    "edit": "M4 20.5 L4.8 16 L16.5 4.3 L20.2 8 L8.5 19.7 Z M14 6.8 L17.7 10.5",
    "up": "M5 15.5 L12 8.5 L19 15.5",
    "down": "M5 8.5 L12 15.5 L19 8.5",
    "erase": "M9 5 L21.5 5 L21.5 19 L9 19 L2.5 12 Z M12.5 9 L17.5 15 M17.5 9 L12.5 15",
}


class Pictograms(QQuickImageProvider):
    """Draws pictograms at the size that is asked for. An unknown name gives an empty picture, which Qt reports."""

    def __init__(self) -> None:
        super().__init__(QQuickImageProvider.ImageType.Image)

    def requestImage(self, id: str, size: QSize, requestedSize: QSize) -> QImage:  # noqa: A002, N802, N803  # Qt's names
        """The picture NAME/WEIGHT/RRGGBB, square, `requestedSize` wide."""
        name, weight, color = id.split("/")
        side = max(requestedSize.width(), 1)
        size.setWidth(side)
        size.setHeight(side)
        path = STROKES.get(name)
        if path is None:
            return QImage()
        image = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        _renderer(path, float(weight), color).render(painter)
        painter.end()
        return image


def _renderer(path: str, weight: float, color: str) -> QSvgRenderer:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {GRID} {GRID}"><path d="{path}" fill="none" '
        f'stroke="#{color}" stroke-width="{weight}" stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )
    return QSvgRenderer(QByteArray(svg.encode()))
