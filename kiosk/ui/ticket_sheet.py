"""A strip of thermal paper to draw on, top to bottom: text that wraps, rules, boxes, numbered steps.

Sizes are dots at 203 per inch (8 a millimetre), the resolution of the print head; nothing else on a ticket is measured
in anything but dots.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QFont,
    QImage,
    QPainter,
    QPalette,
    QPen,
    QTextBlockFormat,
    QTextCursor,
    QTextDocument,
)

from kiosk.ui.fonts import load_fonts
from kiosk.visit.ports import Bitmap

BLACK: Final = QColor(0, 0, 0)
WHITE: Final = QColor(255, 255, 255)
_MAX_HEIGHT: Final = 3000
_CAP_HEIGHT_EM: Final = 0.668
"""Height of capitals and digits of the bundled face (interface reference, fonts)."""
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")


@dataclass(frozen=True, slots=True)
class Style:
    """Type in dots: em size, weight 400, 600 or 700, and the space between baselines as a share of the em."""

    size: int
    weight: int = 400
    leading: float = 1.18


class Sheet:
    """`width` dots wide; `y` is where the next thing goes. `finish` gives the strip as long as what was drawn."""

    def __init__(self, width: int, margin: int) -> None:
        self.width = width
        self.margin = margin
        self.y = 0.0
        self._family = load_fonts()
        self._image = QImage(width, _MAX_HEIGHT, QImage.Format.Format_Grayscale8)
        self._image.fill(WHITE)
        self._painter = QPainter(self._image)
        self._painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)

    @property
    def inner(self) -> float:
        """Dots between the margins."""
        return float(self.width - 2 * self.margin)

    def space(self, dots: float) -> None:
        """Leave paper white."""
        self.y += dots

    def text(self, text: str, style: Style, *, centred: bool = False, ink: QColor = BLACK) -> None:
        """A paragraph between the margins; `**…**` is bold."""
        self.y += self._paragraph(text, style, float(self.margin), self.y, self.inner, centred=centred, ink=ink)

    def step(self, number: int, text: str, style: Style) -> None:
        """A number in a black disc, its sentence beside it."""
        disc = style.size * 1.45
        badge = QRectF(self.margin, self.y, disc, disc)
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(BLACK)
        self._painter.drawEllipse(badge)
        self.glyphs(str(number), badge, Style(style.size, 700), WHITE)
        left = self.margin + disc + style.size * 0.5
        first_line = (disc - style.size * style.leading) / 2
        height = self._paragraph(text, style, left, self.y + first_line, self.width - self.margin - left)
        self.y += max(disc, height + first_line)

    def glyphs(self, text: str, box: QRectF, style: Style, ink: QColor = BLACK) -> None:
        """One line in the middle of a box, by the height of its capitals and digits."""
        font = self._font(style)
        self._painter.setFont(font)
        self._painter.setPen(ink)
        baseline = box.center().y() + style.size * _CAP_HEIGHT_EM / 2
        advance = self._painter.fontMetrics().horizontalAdvance(text)
        self._painter.drawText(QPointF(box.center().x() - advance / 2, baseline), text)

    def frame(self, box: QRectF, line: float, radius: float) -> None:
        """A rounded outline, wholly inside the box."""
        half = line / 2
        self._painter.setPen(QPen(BLACK, line))
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.drawRoundedRect(box.adjusted(half, half, -half, -half), radius, radius)

    def fill(self, box: QRectF, radius: float) -> None:
        """A rounded black area."""
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(BLACK)
        self._painter.drawRoundedRect(box, radius, radius)

    def rule(self, line: float) -> None:
        """A thin line across."""
        self._painter.fillRect(QRectF(self.margin, self.y, self.inner, line), BLACK)
        self.y += line

    def band(self, lines: list[tuple[str, Style]], padding: float) -> None:
        """White text, centred, on a black area as tall as the text needs."""
        width = self.inner - 2 * padding
        height = sum(self._document(text, style, width, centred=True).size().height() for text, style in lines)
        top = self.y
        self.fill(QRectF(self.margin, top, self.inner, height + 2 * padding), 14)
        at = top + padding
        for text, style in lines:
            at += self._paragraph(text, style, self.margin + padding, at, width, centred=True, ink=WHITE)
        self.y = top + height + 2 * padding

    def finish(self) -> Bitmap:
        """The strip down to `y`, each dot black or white. The sheet is used up."""
        self._painter.end()
        height = min(int(self.y), _MAX_HEIGHT)
        strip = self._image.copy(0, 0, self.width, height).convertToFormat(
            QImage.Format.Format_Mono, [WHITE.rgb(), BLACK.rgb()], Qt.ImageConversionFlag.ThresholdDither
        )
        row_bytes, stride = (self.width + 7) // 8, strip.bytesPerLine()
        data = bytes(strip.constBits())
        rows = b"".join(data[row * stride : row * stride + row_bytes] for row in range(height))
        return Bitmap(self.width, height, rows)

    def _paragraph(
        self,
        text: str,
        style: Style,
        left: float,
        top: float,
        width: float,
        *,
        centred: bool = False,
        ink: QColor = BLACK,
    ) -> float:
        """Draw wrapped text and return its height."""
        document = self._document(text, style, width, centred=centred)
        context = QAbstractTextDocumentLayout.PaintContext()
        context.palette.setColor(QPalette.ColorRole.Text, ink)
        self._painter.save()
        self._painter.translate(left, top)
        document.documentLayout().draw(self._painter, context)
        self._painter.restore()
        return document.size().height()

    def _document(self, text: str, style: Style, width: float, *, centred: bool) -> QTextDocument:
        document = QTextDocument()
        document.setDocumentMargin(0)
        document.setDefaultFont(self._font(style))
        document.setHtml(_BOLD.sub(r"<b>\1</b>", html.escape(text)))
        line = QTextBlockFormat()
        line.setLineHeight(style.size * style.leading, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        line.setAlignment(Qt.AlignmentFlag.AlignHCenter if centred else Qt.AlignmentFlag.AlignLeft)
        cursor = QTextCursor(document)
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.mergeBlockFormat(line)
        document.setTextWidth(width)
        return document

    def _font(self, style: Style) -> QFont:
        font = QFont(self._family)
        font.setPixelSize(style.size)
        font.setWeight(QFont.Weight(style.weight))
        font.setFeature(QFont.Tag("tnum"), 1)
        return font
