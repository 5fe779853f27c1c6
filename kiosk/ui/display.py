"""What QML sees of the screen itself: its measures, and the member's preferences."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtQml import QmlElement, QmlSingleton

QML_IMPORT_NAME = "Kiosk.View"
QML_IMPORT_MAJOR_VERSION = 1


@dataclass(frozen=True, slots=True)
class DisplaySpec:
    """A screen as it really is. `cap_ratio`: height of a capital in em of the typeface in use."""

    width_px: int
    height_px: int
    diagonal_in: float
    viewing_mm: float
    family: str
    cap_ratio: float

    @property
    def px_per_mm(self) -> float:
        """Pixels in a millimetre, from configured diagonal and resolution; the reported DPI is often wrong."""
        return float((self.width_px**2 + self.height_px**2) ** 0.5 / (self.diagonal_in * 25.4))


@QmlElement
@QmlSingleton
class Display(QObject):
    """The screen's measures and the member's preferences."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._spec = DisplaySpec(1080, 1920, 21.5, 500, "", 0.668)
        self._theme, self._scale, self._still, self._fit = "clair", 1.0, False, False

    def attach(self, spec: DisplaySpec, *, still: bool, fit: bool) -> None:
        """Set the measures; before the first page. `still`: no motion at all. `fit`: scale the page to the window."""
        self._spec, self._still, self._fit = spec, still, fit
        self.changed.emit()

    def prefer(self, theme: str, text_scale: float) -> None:
        """The member's preferences: `clair`, `jaune` or `blanc`; 1, 1.25 or 1.5."""
        self._theme, self._scale = theme, text_scale
        self.changed.emit()

    @Property(int, notify=changed)
    def widthPx(self) -> int:  # noqa: N802  # QML name
        return self._spec.width_px

    @Property(int, notify=changed)
    def heightPx(self) -> int:  # noqa: N802  # QML name
        return self._spec.height_px

    @Property(float, notify=changed)
    def pxPerMm(self) -> float:  # noqa: N802  # QML name
        return self._spec.px_per_mm

    @Property(float, notify=changed)
    def viewingMm(self) -> float:  # noqa: N802  # QML name
        return self._spec.viewing_mm

    @Property(float, notify=changed)
    def capRatio(self) -> float:  # noqa: N802  # QML name
        return self._spec.cap_ratio

    @Property(str, notify=changed)
    def family(self) -> str:
        return self._spec.family

    @Property(str, notify=changed)
    def theme(self) -> str:
        return self._theme

    @Property(float, notify=changed)
    def textScale(self) -> float:  # noqa: N802  # QML name
        return self._scale

    @Property(bool, notify=changed)
    def still(self) -> bool:
        return self._still

    @Property(bool, notify=changed)
    def fit(self) -> bool:
        return self._fit
