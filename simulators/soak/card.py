"""A card that somebody watches: counts commands and page writes, tells what is true of it, and calls at any point.

What may never be seen is looked for after every command: a change without a write command, and files neither entirely
old nor entirely new behind a closed transaction flag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from kiosk.card import layout
from simulators.backend.simfiles import Content as CentreContent
from simulators.card import ImageError, PlannedFault, SimulatedCard, build_card, open_card
from simulators.card.content import file_system, organisation_file, rights_file
from simulators.card.faults import Tear
from simulators.card.image import Image, open_image
from simulators.personas import Persona, load

INS_UPDATE_BINARY = 0xD6


class Side(StrEnum):
    """Where at a command or page write something happens."""

    BEFORE = "before"
    AFTER = "after"
    WRITE = "write"  # before the n-th page write


@dataclass(frozen=True, slots=True)
class Point:
    """A moment on the card, counted from `count_from_here`; numbers begin at 1."""

    side: Side
    number: int

    def __str__(self) -> str:
        return f"{'page write' if self.side is Side.WRITE else 'APDU'} {self.number} {self.side.value}"


class Content(StrEnum):
    """What is in the files that an update writes."""

    OLD = "old"
    NEW = "new"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a card now. `changed`: not the bytes it was put in with."""

    unfinished: bool
    content: Content
    changed: bool
    write_sent: bool

    def __str__(self) -> str:
        return (
            f"flag {int(self.unfinished)}, {self.content.value}, {'changed' if self.changed else 'unchanged'}, "
            f"{'a write was sent' if self.write_sent else 'no write sent'}"
        )


@dataclass(slots=True)
class WatchedCard:
    """A chip for a reader. `at(point)` runs on the card's thread; nothing it does may raise. `wrong_sw`: answered
    instead of executing that command. Without a chip content (bank card, mute card) there is nothing to watch."""

    persona: Persona
    card: SimulatedCard
    image: Image | None
    violations: list[str] = field(default_factory=list)
    at: Callable[[Point], None] = lambda _point: None
    wrong_sw: Callable[[int], int | None] = lambda _number: None
    commands: int = 0
    writes: int = 0
    write_sent: bool = False
    _baseline: bytes = b""

    @property
    def serial(self) -> str | None:
        """The printed digits, for the centre's books."""
        return None if self.persona.card.chip is None else self.persona.card.chip.serial

    def begin_visit(self) -> None:
        """What is on the card now is what the member came with."""
        self._baseline = self.card.image_bytes()
        self.write_sent = False

    def count_from_here(self) -> None:
        """The next command is number 1, and so is the next page write."""
        self.commands = self.writes = 0

    def plan(self, *faults: PlannedFault) -> None:
        """Plan faults of the card itself; all counts start again."""
        self.card.plan(faults)
        self.count_from_here()
        if self.image is not None:
            self.image.at_page = partial(self._at_page, self.image.at_page)

    # --- chip ----------------------------------------------------------------------------------------------------

    def power_on(self, cold: bool = True) -> bytes:
        """See `Chip`."""
        return self.card.power_on(cold)

    def power_off(self) -> None:
        """See `Chip`."""
        self.card.power_off()

    def cut_power(self) -> None:
        """See `Chip`."""
        self.card.cut_power()

    def transmit(self, command: bytes) -> bytes:
        """See `Chip`."""
        self.commands += 1
        number = self.commands
        is_write = len(command) > 1 and command[1] == INS_UPDATE_BINARY
        self.write_sent = self.write_sent or is_write  # the kiosk cannot know more than that it has left
        self.at(Point(Side.BEFORE, number))
        sw = self.wrong_sw(number)
        if sw is not None:
            return sw.to_bytes(2, "big")
        before = self.card.image_bytes()
        try:
            answer = self.card.transmit(command)
        finally:
            self._look(before, is_write)
        self.at(Point(Side.AFTER, number))
        return answer

    def _at_page(self, planned: Callable[[int, int], Tear | None], done_bytes: int, length_bytes: int) -> Tear | None:
        self.writes += 1
        self.at(Point(Side.WRITE, self.writes))
        return planned(done_bytes, length_bytes)

    def _look(self, before: bytes, is_write: bool) -> None:
        if not is_write and self.card.image_bytes() != before:
            self.violations.append("the image changed at a command that writes nothing")
        truth = self.truth()
        if truth.content is Content.MIXED and not truth.unfinished:
            self.violations.append("half written and not marked unfinished")

    # --- truth ---------------------------------------------------------------------------------------------------

    def holds(self, content: dict[str, Any]) -> bool:
        """Whether these values, as the centre keeps them, are what is in the files."""
        believed = CentreContent.from_json(content)
        return self._files(self.card.image_bytes()) == (
            organisation_file(believed.organisation),
            rights_file(believed.rights),
        )

    def truth(self) -> Truth:
        """Read off the image, not asked of the card."""
        chip, centre = self.persona.card.chip, self.persona.centre
        image = self.card.image_bytes()
        if chip is None or centre is None:
            return Truth(unfinished=False, content=Content.OLD, changed=False, write_sent=self.write_sent)
        files = self._files(image)
        flag = image[self._places()[layout.SIM_STATE[1]].start + layout.STATE_FLAG_OFFSET]
        old = (organisation_file(chip.organisation), rights_file(chip.rights))
        new = old
        if centre.orders:
            after = centre.orders[-1].after
            new = (organisation_file(after.organisation), rights_file(after.rights))
        content = Content.OLD if files == old else Content.NEW if files == new else Content.MIXED
        return Truth(flag != 0, content, image != self._baseline, self.write_sent)

    def _files(self, image: bytes) -> tuple[bytes, ...]:
        places = self._places()
        return tuple(image[places[place[1]]] for place in (layout.SIM_ORGANISATION, layout.SIM_RIGHTS))

    def _places(self) -> dict[int, slice]:
        """Where in the image each file is, as the image's own description says."""
        chip, centre = self.persona.card.chip, self.persona.centre
        if chip is None or centre is None:
            return {}
        places, start = {}, layout.EEPROM_PAGE_BYTES  # the header
        for ef in file_system(chip, centre.orders).efs():
            places[ef.fid] = slice(start, start + ef.size_bytes)
            start += ef.size_bytes + -ef.size_bytes % layout.EEPROM_PAGE_BYTES
        return places


def watched(name: str, path: Path | None = None) -> WatchedCard:
    """The card of a built-in persona; `path`: its image file, created if missing. Raises ValueError for a wrong one."""
    persona = load(name)
    chip, centre = persona.card.chip, persona.centre
    if chip is None or centre is None:
        plain = open_card(persona)
        if isinstance(plain, ImageError):
            raise ValueError(str(plain))
        return WatchedCard(persona, plain, None)
    files = file_system(chip, centre.orders)
    image = Image(files) if path is None else open_image(files, path)
    if isinstance(image, ImageError):
        raise ValueError(str(image))
    card = WatchedCard(persona, build_card(persona.card.atr, files, image, chip.serial), image)
    card.plan()
    card.begin_visit()
    return card
