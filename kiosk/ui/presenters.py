"""What QML sees of Python: the display, the current view, and the member's hand. Typed, so that qmllint knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Property, QObject, Signal, Slot
from PySide6.QtQml import QmlElement, QmlSingleton

from kiosk.ui import texts as t
from kiosk.ui.rows import RowsModel
from kiosk.ui.views import Box, Button, ChangeRow, Row, ViewModel
from kiosk.visit.events import Activity, Choice, Chosen, DigitErased, DigitsSubmitted, DigitTyped, MemberEvent

QML_IMPORT_NAME = "Kiosk.View"
QML_IMPORT_MAJOR_VERSION = 1

_EMPTY = ViewModel(page="", heading="")


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


@QmlElement
@QmlSingleton
class Hand(QObject):
    """What the member does: each slot posts one event."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._post: Callable[[MemberEvent], None] = _nowhere

    def attach(self, post: Callable[[MemberEvent], None]) -> None:
        """Where events go."""
        self._post = post

    @Slot(str)
    def choose(self, choice: str) -> None:
        """A button of the page."""
        self._post(Chosen(Choice(choice)))

    @Slot(int)
    def digit(self, digit: int) -> None:
        """A key 0–9, drawn or physical."""
        self._post(DigitTyped(digit))

    @Slot()
    def erase(self) -> None:
        """The erase key."""
        self._post(DigitErased())

    @Slot()
    def submit(self) -> None:
        """The validate key."""
        self._post(DigitsSubmitted())

    @Slot()
    def activity(self) -> None:
        """Any touch or key."""
        self._post(Activity())


def _nowhere(event: MemberEvent) -> None:
    raise AssertionError(f"{type(event).__name__} before the screen was attached")


@QmlElement
@QmlSingleton
class View(QObject):
    """The current `ViewModel`, property by property. Showing another one drops this one."""

    changed = Signal()
    pageChanged = Signal()  # noqa: N815  # QML name: the page is entered anew

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._view = _EMPTY
        self._rows = RowsModel(Row, self)
        self._changes = RowsModel(ChangeRow, self)
        self._boxes = RowsModel(Box, self)

    def show(self, view: ViewModel) -> None:
        """Show this view instead; `pageChanged` when it is another page or another question."""
        entered = (view.page, view.key) != (self._view.page, self._view.key)
        self._view = view
        self._rows.replace(view.rows)
        self._changes.replace(view.changes)
        self._boxes.replace(view.boxes)
        self.changed.emit()
        if entered:
            self.pageChanged.emit()

    def current(self) -> ViewModel:
        """The view being shown."""
        return self._view

    # --- page and frame ---

    @Property(str, notify=pageChanged)
    def page(self) -> str:
        return self._view.page

    @Property(str, notify=changed)
    def heading(self) -> str:
        return self._view.heading

    @Property(str, notify=changed)
    def step(self) -> str:
        return self._view.step

    @Property(str, notify=changed)
    def lead(self) -> str:
        return self._view.lead

    @Property(str, notify=changed)
    def text(self) -> str:
        return self._view.text

    @Property(str, notify=changed)
    def notice(self) -> str:
        return self._view.notice

    @Property(str, notify=changed)
    def noticeTone(self) -> str:  # noqa: N802  # QML name
        return self._view.notice_tone.value

    @Property(str, notify=changed)
    def picture(self) -> str:
        return self._view.picture.value

    @Property(str, notify=changed)
    def footnote(self) -> str:
        return self._view.footnote

    @Property(float, notify=changed)
    def countdownS(self) -> float:  # noqa: N802  # QML name
        return self._view.countdown_s

    # --- lists ---

    @Property(str, notify=changed)
    def rowsTitle(self) -> str:  # noqa: N802  # QML name
        return self._view.rows_title

    @Property(QObject, notify=changed)
    def rows(self) -> RowsModel:
        return self._rows

    @Property(bool, notify=changed)
    def hasRows(self) -> bool:  # noqa: N802  # QML name
        return bool(self._view.rows)

    @Property(QObject, notify=changed)
    def changes(self) -> RowsModel:
        return self._changes

    @Property(bool, notify=changed)
    def hasChanges(self) -> bool:  # noqa: N802  # QML name
        return bool(self._view.changes)

    @Property(bool, notify=changed)
    def past(self) -> bool:
        """Whether the changes have been written."""
        return self._view.page == "result"

    @Property(QObject, notify=changed)
    def boxes(self) -> RowsModel:
        return self._boxes

    @Property(int, notify=changed)
    def gaps(self) -> int:
        """How many boxes have a space before them."""
        return sum(box.gap for box in self._view.boxes)

    @Property(str, notify=changed)
    def boxesTitle(self) -> str:  # noqa: N802  # QML name
        return self._view.boxes_title

    @Property(str, notify=changed)
    def boxesPrefix(self) -> str:  # noqa: N802  # QML name
        return self._view.boxes_prefix

    @Property(str, notify=changed)
    def boxesText(self) -> str:  # noqa: N802  # QML name
        return self._view.boxes_text

    @Property(str, notify=changed)
    def boxesName(self) -> str:  # noqa: N802  # QML name
        """The digits as one accessible name: exactly the glyphs that are drawn."""
        return "".join((" " if box.gap else "") + box.glyph for box in self._view.boxes).strip()

    @Property(bool, notify=changed)
    def keypad(self) -> bool:
        return self._view.keypad

    @Property(bool, notify=changed)
    def canSubmit(self) -> bool:  # noqa: N802  # QML name
        return self._view.can_submit

    # --- buttons: an empty label means that there is none ---

    @Property(str, notify=changed)
    def mainLabel(self) -> str:  # noqa: N802  # QML name
        return _label(self._view.main)

    @Property(str, notify=changed)
    def mainChoice(self) -> str:  # noqa: N802  # QML name
        return _choice(self._view.main)

    @Property(str, notify=changed)
    def mainIcon(self) -> str:  # noqa: N802  # QML name
        return _icon(self._view.main)

    @Property(str, notify=changed)
    def secondLabel(self) -> str:  # noqa: N802  # QML name
        return _label(self._view.second)

    @Property(str, notify=changed)
    def secondChoice(self) -> str:  # noqa: N802  # QML name
        return _choice(self._view.second)

    @Property(str, notify=changed)
    def secondIcon(self) -> str:  # noqa: N802  # QML name
        return _icon(self._view.second)

    @Property(str, notify=changed)
    def inlineLabel(self) -> str:  # noqa: N802  # QML name
        return _label(self._view.inline)

    @Property(str, notify=changed)
    def inlineChoice(self) -> str:  # noqa: N802  # QML name
        return _choice(self._view.inline)

    @Property(str, notify=changed)
    def inlineIcon(self) -> str:  # noqa: N802  # QML name
        return _icon(self._view.inline)

    @Property(str, notify=changed)
    def helpLabel(self) -> str:  # noqa: N802  # QML name
        return _label(self._view.help)

    @Property(str, notify=changed)
    def helpChoice(self) -> str:  # noqa: N802  # QML name
        return _choice(self._view.help)

    @Property(str, notify=changed)
    def stopLabel(self) -> str:  # noqa: N802  # QML name
        return _label(self._view.stop)

    @Property(str, notify=changed)
    def stopChoice(self) -> str:  # noqa: N802  # QML name
        return _choice(self._view.stop)


def _label(button: Button | None) -> str:
    return "" if button is None else button.label


def _choice(button: Button | None) -> str:
    return "" if button is None else button.choice.value


def _icon(button: Button | None) -> str:
    return "" if button is None else button.icon.value


@QmlElement
@QmlSingleton
class Words(QObject):
    """Fixed texts of the controls themselves."""

    changed = Signal()

    @Property(str, notify=changed)
    def more(self) -> str:
        return t.MORE

    @Property(str, notify=changed)
    def less(self) -> str:
        return t.LESS

    @Property(str, notify=changed)
    def erase(self) -> str:
        return t.ERASE

    @Property(str, notify=changed)
    def submit(self) -> str:
        return t.SUBMIT

    @Property(str, notify=changed)
    def submitLater(self) -> str:  # noqa: N802  # QML name
        return t.SUBMIT_LATER

    @Property(str, notify=changed)
    def before(self) -> str:
        return t.BEFORE

    @Property(str, notify=changed)
    def after(self) -> str:
        return t.AFTER

    @Property(str, notify=changed)
    def was(self) -> str:
        return t.WAS

    @Property(str, notify=changed)
    def now(self) -> str:
        return t.NOW

    @Property(str, notify=changed)
    def serialPrefix(self) -> str:  # noqa: N802  # QML name
        return t.SERIAL_PREFIX
