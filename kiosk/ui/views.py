"""What a page shows, as frozen values: the only form in which member data reach the screen.

One `ViewModel` is alive at a time. Every field has an empty default, so a page without a member holds nothing personal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.visit.events import Choice


class Tone(StrEnum):
    """What a line means; always doubled by an icon and by words, never by colour alone."""

    PLAIN = "plain"
    INFO = "info"
    OK = "ok"
    WARN = "warn"
    ERROR = "error"
    MUTED = "muted"


class Icon(StrEnum):
    """Pictograms drawn by `KIcon.qml`."""

    NONE = ""
    CHECK = "check"
    CROSS = "cross"
    UNKNOWN = "unknown"
    WARNING = "warning"
    INFO = "info"
    CARD = "card"
    UPDATE = "update"
    NUMBER = "number"
    KEY = "key"
    PERSON = "person"
    PHONE = "phone"
    LOCK = "lock"
    TICKET = "ticket"
    CLOCK = "clock"
    HELP = "help"
    STOP = "stop"
    BACK = "back"
    NEXT = "next"
    MAIL = "mail"
    GLOBE = "globe"
    SHIELD = "shield"
    BANK = "bank"
    HOME = "home"
    CALENDAR = "calendar"
    EYE = "eye"
    EYE_OFF = "eye_off"
    DOT = "dot"
    RING = "ring"
    NETWORK = "network"
    PLACE = "place"
    EDIT = "edit"


class Picture(StrEnum):
    """Illustrations drawn by `Picture.qml`."""

    NONE = ""
    CARD_INSERT = "card_insert"
    CARD_REMOVE = "card_remove"
    CARD_STAY = "card_stay"
    CARD_TURN = "card_turn"
    CARD_WIPE = "card_wipe"
    CARD_OTHER = "card_other"
    CARD_VITALE_1 = "card_vitale1"
    NUMBER_FRONT = "number_front"
    CALL = "call"
    CLOCK = "clock"
    NETWORK = "network"
    UPDATE = "update"
    QUESTION = "question"
    TICKET = "ticket"
    KIOSK = "kiosk"
    WAIT = "wait"
    DONE = "done"
    LOCK = "lock"


class BoxKind(StrEnum):
    """One digit's place."""

    EMPTY = "empty"  # nothing typed: the glyph is a hint (J, M, A)
    TYPED = "typed"  # typed and masked
    SHOWN = "shown"
    MASKED = "masked"
    UNKNOWN = "unknown"  # the chip does not hold this digit


@dataclass(frozen=True, slots=True)
class Button:
    """A button of the page: its text is its accessible name."""

    label: str
    choice: Choice
    icon: Icon = Icon.NONE


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list: a pictogram, a title, a detail. With a `choice` it is a button."""

    title: str
    detail: str = ""
    pictogram: Icon = Icon.NONE
    tone: Tone = Tone.PLAIN
    choice: Choice | None = None
    word: str = ""  # the state in a word, in the colour of the tone


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One before/after line. Masked lines carry no value at all."""

    label: str = field(repr=False)
    before: str = field(repr=False)
    after: str = field(repr=False)
    word: str  # what the change means, in a word
    tone: Tone
    masked: bool


@dataclass(frozen=True, slots=True)
class Box:
    """One digit's place; `gap` leaves a space before it."""

    glyph: str = field(repr=False)
    kind: BoxKind
    gap: bool = False


@dataclass(frozen=True, slots=True)
class ViewModel:
    """A page. Texts are ready to be read: French, typeset, filled in."""

    page: str
    heading: str
    key: str = ""  # differs when the same page asks another question: the page is entered anew
    step: str = ""  # « Étape 2 sur 4 : Mise à jour »
    lead: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    notice: str = ""
    notice_tone: Tone = Tone.INFO
    picture: Picture = Picture.NONE
    rows_title: str = ""
    rows: tuple[Row, ...] = ()
    changes: tuple[ChangeRow, ...] = ()
    boxes: tuple[Box, ...] = ()
    boxes_title: str = ""
    boxes_prefix: str = field(default="", repr=False)
    boxes_text: str = ""
    footnote: str = ""
    keypad: bool = False
    can_submit: bool = False
    countdown_s: float = 0.0
    main: Button | None = None
    second: Button | None = None
    inline: Button | None = None  # belongs to the content: mask, sensitive lines
    help: Button | None = None
    stop: Button | None = None
