"""What QML sees of the page: the current view, and the fixed words. Typed, so that qmllint knows them."""

from __future__ import annotations

from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtQml import QmlElement, QmlSingleton

from kiosk.ui import texts as t
from kiosk.ui.rows import RowsModel
from kiosk.ui.views import Box, Button, ChangeRow, Row, ViewModel

QML_IMPORT_NAME = "Kiosk.View"
QML_IMPORT_MAJOR_VERSION = 1

_EMPTY = ViewModel(page="", heading="")


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
