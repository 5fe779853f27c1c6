"""A member walks through the kiosk: reads the page, presses what it offers, and notes each step as it happened."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kiosk.card.values import CardKind
from kiosk.ui import texts
from kiosk.ui.typography import plain
from kiosk.visit.failure_pages import PAGES
from kiosk.visit.failures import Cause, MemberPage
from kiosk.visit.ports import PrintState, ReaderRole
from kiosk.visit.values import Outcome
from simulators.album import Album
from simulators.card.card import SimulatedCard
from simulators.personas import Persona
from simulators.screen import Finger, NotOnScreenError, wait_until

if TYPE_CHECKING:
    from simulators.stage import Stage  # the walk alone needs no backend in its process

CODE_DIGITS = 4
LAST_DIGITS = 11


@dataclass(slots=True)
class WalkStep:
    """One step of the walk."""

    name: str
    ok: bool
    duration_ms: int


@dataclass(slots=True)
class Walk:
    """What was seen on the way; personal values stay in here, the summary gets counts and truths."""

    steps: list[WalkStep] = field(default_factory=list)
    outcome: str | None = None
    serial_shown: bool = False
    code: str = ""
    ticket: Path | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[WalkStep]:
        """Time one step; what is not on the screen makes it fail and ends the walk."""
        started_s = time.monotonic()
        entry = WalkStep(name, ok=False, duration_ms=0)
        self.steps.append(entry)
        try:
            yield entry
            entry.ok = True
        finally:
            entry.duration_ms = round((time.monotonic() - started_s) * 1000)


class Member:
    """One persona in front of one kiosk."""

    def __init__(self, stage: Stage, album: Album, finger: Finger, persona: Persona, card: SimulatedCard) -> None:
        self.walk = Walk()
        self._stage = stage
        self._album = album
        self._finger = finger
        self._persona = persona
        self._card = card

    def visit(self) -> Walk:
        """From the attract page to the removal of the card. Ends early, with the last step not ok, when stuck."""
        try:
            self._insert()
            if self._served():
                self._update()
                self._serial()
                if self._code():
                    self._ticket()
            self._leave()
        except NotOnScreenError as error:
            self.problem = str(error)
            self._take_out()
        return self.walk

    problem: str = ""

    # --- steps ---------------------------------------------------------------------------------------------------

    def _insert(self) -> None:
        with self.walk.step("inserted"):
            self._finger.wait_for("attract")
            self._stage.slots.insert(ReaderRole.PATIENT, self._card)
            self._until(lambda: "reading" in self._album.pages, "page reading")

    def _served(self) -> bool:
        """Whether the card is one this kiosk serves; a page that says why not is a success for those it should not."""
        centre = self._persona.centre
        served = self._persona.card.kind is CardKind.VITALE_2 and centre is not None
        served = served and not (centre is not None and (centre.opposition or centre.replace))
        with self.walk.step("read"):
            self._finger.wait_for("home" if served else "cardProblem")
        if served:
            with self.walk.step("home"):
                self._until(lambda: plain(texts.HELLO) in self._finger.visible_texts(), "the greeting")
                self._was_told_closed = self._tells_closed()
        return served

    def _update(self) -> None:
        """Through the update; or to the page that says why there is none now, where the persona has such a reason."""
        pending = self._persona.centre is not None and any(
            order.priority == "MANDATORY" for order in self._persona.centre.orders
        )
        with self.walk.step("preview" if pending else "update") as step:
            if self._was_told_closed and plain(texts.HOME_UPDATE) not in self._finger.button_names():
                step.name = "update"
                return
            self._finger.press(self._offered(texts.HOME_UPDATE, texts.HOME_FINISH))
            self._until(lambda: self._finger.page in ("preview", "result", "problem"), "what comes of it")
            if self._finger.page == "problem":
                step.name = "update"
                self._understand_why_not(pending=pending)
                return
            self._finger.wait_for("preview" if pending else "result")
            if pending and self._offered(texts.LOSSES_CONTINUE, texts.AGREE) == texts.LOSSES_CONTINUE:
                self._finger.press(texts.LOSSES_CONTINUE)
                self._until(lambda: texts.AGREE in self._finger.button_names(), "the second preview page")
                self._album.take("preview")
        if pending:
            with self.walk.step("update"):
                self._finger.press(texts.AGREE)
                self._finger.wait_for("result")
        with self.walk.step("result"):
            wanted = Outcome.UPDATED if pending else Outcome.UP_TO_DATE
            self._until(lambda: self.walk.outcome == wanted.value, f"outcome {wanted.value}")
        self._finger.press(texts.CONTINUE)
        self._finger.wait_for("home")

    def _tells_closed(self) -> bool:
        """Whether the page says that the updates of this card's organisation are closed until some time."""
        told = plain(PAGES[MemberPage.CLOSED].what.partition("{")[0])
        return any(told in text for text in self._finger.visible_texts())

    def _understand_why_not(self, *, pending: bool) -> None:
        """Closed, for a persona whose centre is; torn without an order, for one who has none. Then back."""
        chip, centre = self._persona.card.chip, self._persona.centre
        unfinished = chip is not None and chip.unfinished
        if not unfinished and not self._was_told_closed:  # of an unfinished card the home page has more to say
            raise NotOnScreenError("a word on the home page that updates are closed")
        expected = set()
        if centre is not None and centre.outage_s is not None:
            expected.add(Cause.SERVICE_CLOSED)
        if unfinished and not pending:
            expected.add(Cause.CARD_TORN)
        said = [plain(texts.SUPPORT_CODE.format(code=cause.value)) for cause in expected]
        self._until(lambda: any(text in said for text in self._finger.visible_texts()), "a reason that this card has")
        self._finger.press(texts.RETRY)
        self._finger.wait_for("home")

    def _serial(self) -> None:
        chip = self._persona.card.chip
        if chip is None:
            raise NotOnScreenError("a served persona has a chip")
        born = chip.beneficiaries[0].birth_date
        with self.walk.step("identification"):
            self._finger.press(texts.HOME_SERIAL)
            self._finger.wait_for("identification")
            self._finger.type_digits(born[6:8] + born[4:6] + born[0:4])
            self._album.take("identification")
            self._finger.press(texts.SUBMIT)
            self._finger.wait_for("serial")
        with self.walk.step("serial_number"):
            self.walk.serial_shown = chip.serial[-LAST_DIGITS:] in self._digits()
            if not self.walk.serial_shown:
                raise NotOnScreenError("the last 11 digits of the serial number")
            self._finger.press(texts.NOTED)
            self._finger.wait_for("home")

    def _code(self) -> bool:
        centre = self._persona.centre
        if centre is None or plain(texts.HOME_CODE) not in self._finger.button_names():
            return False
        if not centre.eligible:  # told why, and by which route
            self._finger.press(texts.HOME_CODE)
            self._finger.wait_for("problem")
            self._finger.press(texts.RETRY)
            self._finger.wait_for("home")
            return False
        with self.walk.step("provisional_code"):
            self._finger.press(texts.HOME_CODE)
            self._finger.wait_for("identification")
            self._finger.type_digits(centre.postcode)
            self._finger.press(texts.SUBMIT)
            self._finger.wait_for("codeIntro")
            self._finger.press(texts.CODE_INTRO_MAIN)
            self._finger.wait_for("code")
            shown = [text.replace(" ", "") for text in self._finger.visible_texts()]
            codes = [text for text in shown if re.fullmatch(rf"[0-9]{{{CODE_DIGITS}}}", text)]
            self.walk.code = codes[0] if codes else "".join(text for text in shown if re.fullmatch("[0-9]", text))
            if len(self.walk.code) != CODE_DIGITS:
                raise NotOnScreenError("a code of four digits")
        return True

    def _ticket(self) -> None:
        with self.walk.step("ticket"):
            self._finger.press(texts.PRINT)
            self._finger.wait_for("ticket")
            self._until(lambda: self._print_state is not PrintState.QUEUED, "the printer's last word")
            self._album.take("ticket")
            tickets = list((self._stage.folder / "tickets").glob("*.png"))  # saved before the printer has said so
            if self._print_state is not PrintState.PRINTED or not tickets:
                raise NotOnScreenError("a printed ticket")
            (self.walk.ticket,) = tickets
        self._finger.press(texts.CONTINUE)

    def _leave(self) -> None:
        with self.walk.step("removed"):
            if texts.STOP in self._finger.button_names():
                self._finger.press(texts.STOP)
                self._finger.wait_for("removeCard")
            self._stage.slots.remove(ReaderRole.PATIENT)
            self._finger.wait_for("attract")

    def _take_out(self) -> None:
        """The card leaves a walk that got stuck too: what is left then is left of a finished visit."""
        self._stage.slots.remove(ReaderRole.PATIENT)
        with contextlib.suppress(NotOnScreenError):
            self._until(lambda: self._finger.page in ("attract", "interrupted"), "an end")
            if self._finger.page == "interrupted":
                self._finger.press(texts.STOP)
                self._finger.wait_for("attract")

    # --- eyes ----------------------------------------------------------------------------------------------------

    _print_state: PrintState = PrintState.QUEUED
    _was_told_closed: bool = False

    def noted(self, print_state: PrintState) -> None:
        """What the kiosk says became of the ticket."""
        self._print_state = print_state

    def _digits(self) -> str:
        return "".join(re.findall("[0-9]", " ".join(self._finger.visible_texts())))

    def _offered(self, *names: str) -> str:
        offered = self._finger.button_names()
        found = [name for name in names if plain(name) in offered]
        if not found:
            raise NotOnScreenError(f"none of {names} on page {self._finger.page}; there are {offered}")
        return found[0]

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        wait_until(condition, what)
