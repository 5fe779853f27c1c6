"""One kiosk for the staging of one cause: it starts whatever is broken, and whatever was changed is changed back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Table, select, update

from kiosk.app import Kiosk, Surroundings
from kiosk.hardware.pcsc.api import CardProtocol, Scard
from kiosk.settings import Settings
from kiosk.ui import texts
from kiosk.ui.present import present
from kiosk.ui.ticket import draw_ticket
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause
from kiosk.visit.model import State
from kiosk.visit.page_kinds import Question
from kiosk.visit.pages import Attract, CodeIntro, Home, Identification, SerialNumber, StaffPin
from simulators.backend import schema
from simulators.card import SimulatedCard, open_persona
from simulators.personas import load
from simulators.reader.embedded import EmbeddedScard
from tests.e2e.audience import Audience, Time
from tests.e2e.theatre import Centre, House, serial_of


class ScriptedScard(EmbeddedScard):
    """The embedded reader, whose service answers as told: result codes of real services that nobody can stage."""

    def __init__(self, *, connect: int = 0, transmit: int = 0, denied: bool = False) -> None:
        super().__init__()
        self._results = {"connect": connect, "transmit": transmit}
        self._denied = denied

    def connect_exclusive(self, context: int, reader: str, protocols: CardProtocol) -> tuple[int, tuple[int, int]]:
        if self._results["connect"]:
            return self._results["connect"], (0, 0)
        return super().connect_exclusive(context, reader, protocols)

    def transmit(self, card: int, protocol: CardProtocol, command: bytes) -> tuple[int, bytes]:
        if self._results["transmit"]:
            return self._results["transmit"], b""
        return super().transmit(card, protocol, command)

    def access_denied(self) -> bool:
        return self._denied


@dataclass
class Scene:
    """`settings`: of an enrolled kiosk, known to `centre`. `folder`: for what only this scene needs."""

    folder: Path
    centre: Centre
    settings: Settings
    stack: ExitStack
    opened: list[House] = field(default_factory=list)

    # --- the kiosk ---

    def begin(self, settings: Settings | None = None, scard: Scard | None = None) -> House:
        """Start a kiosk, in whatever state it then is."""
        settings, scard = settings or self.settings, scard or EmbeddedScard()
        audience, moment, trace = Audience(), Time(), list[str]()
        kiosk = Kiosk(settings, Surroundings(scard, audience.publish, draw_ticket, moment, trace.append))
        self.stack.callback(kiosk.stop)
        kiosk.start()
        # Through pcscd the hands are the scene's own: nobody asks this house to move a card.
        self.opened.append(House(kiosk, settings, cast(EmbeddedScard, scard), audience, moment, trace))
        return self.opened[-1]

    def house(self, settings: Settings | None = None, scard: Scard | None = None) -> House:
        """Start one and wait until it is in service, and knows how the centre is."""
        house = self.begin(settings, scard)
        house.audience.wait(
            lambda s: isinstance(s.step, Attract) and (s.world.service_up is False or s.world.clock_trusted),
            "a kiosk in service",
        )
        return house

    # --- the centre's books ---

    def alter(self, table: Table, where: ColumnElement[bool], **values: Any) -> None:
        """Change rows until the scene ends."""
        columns = [table.c[name] for name in values]
        rows = self.centre.database.run(lambda c: c.execute(select(*columns).where(where)).mappings().all())
        assert rows, "nothing to change"
        before = dict(rows[0])
        self._write(table, where, values)
        self.stack.callback(self._write, table, where, before)

    def _write(self, table: Table, where: ColumnElement[bool], values: Mapping[str, Any]) -> None:
        self.centre.database.run(lambda c: c.execute(update(table).where(where).values(**values)))

    def alter_card(self, persona: str, **values: Any) -> None:
        """Change what the centre says of a persona's card."""
        self.alter(schema.card, schema.card.c.serial == serial_of(persona), **values)

    def withdraw_orders(self, persona: str) -> None:
        """The centre has nothing more for this card."""
        self.alter(schema.update_order, schema.update_order.c.serial == serial_of(persona), done=True)

    # --- ways through a visit ---

    def asked_for(self, choice: ev.Choice, persona: str = "outdated", house: House | None = None) -> House:
        """From the card to the answer to what was asked for at home."""
        house = house or self.house()
        house.to_home(open_persona(persona))
        house.choose(choice)
        return house

    def agreed(self, *prepare: Callable[[SimulatedCard], object], house: House | None = None) -> House:
        """… to an update, with the card prepared just before it begins."""
        house, card = house or self.house(), open_persona("outdated")
        house.to_agreement(card)
        for step in prepare:
            step(card)
        house.choose(ev.Choice.ACCEPT)
        return house

    def answered(self, house: House, question: Question, digits: str) -> None:
        """Type the answer to the question that is shown."""
        house.audience.step(Identification, lambda page: page.question is question and not page.digits)
        for digit in digits:
            house.kiosk.post(ev.DigitTyped(int(digit)))
        house.kiosk.post(ev.DigitsSubmitted())

    def identified(self, house: House | None = None, persona: str = "outdated") -> House:
        """… to the page that offers the code."""
        house = self.asked_for(ev.Choice.CODE, persona, house)
        self.answered(house, Question.BIRTH_DATE, born(persona))
        centre = load(persona).centre
        assert centre is not None
        self.answered(house, Question.POSTCODE, centre.postcode)
        house.audience.step(CodeIntro)
        return house

    def at_serial_number(self, house: House, persona: str = "up-to-date") -> None:
        """… to the page that can be printed."""
        self.asked_for(ev.Choice.SERIAL, persona, house)
        self.answered(house, Question.BIRTH_DATE, born(persona))
        house.audience.step(SerialNumber)

    def at_home_again(self, house: House, choice: ev.Choice, persona: str = "outdated") -> None:
        """The centre did not answer while the card was read; the member asks for it."""
        house.to_home(open_persona(persona))
        assert isinstance(house.audience.state.step, Home)
        house.choose(choice)


def born(persona: str) -> str:
    """The holder's birth date, as typed: DDMMYYYY."""
    chip = load(persona).card.chip
    assert chip is not None
    date = chip.beneficiaries[0].birth_date
    return date[6:8] + date[4:6] + date[:4]


def says(state: State, cause: Cause) -> bool:
    """Whether this page says that code, small, in its last line (or asks again because of it)."""
    step = state.step
    if isinstance(step, Identification | StaffPin):
        return step.fault is not None and step.fault.cause is cause
    shown = present(state, datetime.now(ZoneInfo("Europe/Paris")))
    return shown.footnote == texts.SUPPORT_CODE.format(code=cause.value)
