"""Tickets never lie: whatever dies or disturbs at whichever step, one original at most, and what is unknown is said.

The paper is the witness: each ticket that came out is compared, dot by dot, with both pictures, original and duplicate.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kiosk.state import open_store
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction
from kiosk.ui import texts as t
from kiosk.ui.screen import application
from kiosk.ui.ticket import draw_ticket
from kiosk.ui.typography import plain
from kiosk.visit import events as ev
from kiosk.visit.pages import Attract, SerialNumber, TicketPage
from kiosk.visit.ports import Bitmap, PrintState
from kiosk.visit.timing import FORGOTTEN_TICKET_S
from kiosk.visit.values import TicketContent, TicketKind
from simulators.printer import PtyPrinter
from simulators.reader.embedded import EmbeddedScard
from tests.e2e import ticket_life
from tests.e2e.audience import Audience, Time, words
from tests.e2e.ticket_life import PATIENT, Moment, Order, build, to_serial_number

BANDS = 3
ROWS = BANDS * 128
LIMIT_S = 60.0
EPSON, CUSTOM = "escpos-80mm", "custom-80mm"
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([ticket_life.__name__])

_STEPS = [
    (moment, number)
    for moment in Moment
    for number in (range(BANDS) if moment in (Moment.BAND, Moment.HALF_BAND) else range(1))
]
_RECORDED_BY = list(Moment).index(Moment.RECORDED)


@pytest.fixture(scope="module")
def pictures() -> dict[bool, Bitmap]:
    """The top of the ticket, which says whether it is a duplicate: its length is not the point here."""
    application()
    tickets = {
        duplicate: TicketContent(TicketKind.SERIAL, "802500000201234567892", None, "0999", "36 46", duplicate)
        for duplicate in (False, True)
    }
    drawn = {duplicate: draw_ticket(ticket, 576) for duplicate, ticket in tickets.items()}
    return {duplicate: Bitmap(576, ROWS, picture.rows[: 72 * ROWS]) for duplicate, picture in drawn.items()}


def life(order: Order) -> dict[str, Any] | None:
    """A kiosk's life in a process of its own; what it said at the end, None if it was killed before."""
    hears, says = _processes.Pipe(duplex=False)
    process = _processes.Process(target=ticket_life.live, args=(order, says))
    process.start()
    says.close()
    try:
        with hears:
            said: dict[str, Any] | None = hears.recv() if hears.poll(LIMIT_S) else None
    except EOFError:
        said = None
    process.join(LIMIT_S)
    exit_code = process.exitcode
    process.kill()  # one that hangs is not left behind
    process.join()
    process.close()
    assert exit_code == (0 if said is not None else -signal.SIGKILL)
    return said


class Paper:
    """What came out: whole originals, whole duplicates, and remains of tickets that were never finished."""

    def __init__(self, printer: PtyPrinter, pictures: dict[bool, Bitmap]) -> None:
        self.order: list[str] = [self._name(ticket, pictures) for ticket in printer.tickets]

    def count(self, what: str) -> int:
        return self.order.count(what)

    @staticmethod
    def _name(ticket: Image.Image, pictures: dict[bool, Bitmap]) -> str:
        rows = bytes(byte ^ 0xFF for byte in ticket.tobytes())
        if rows.startswith(pictures[False].rows):
            return "original"
        if rows.startswith(pictures[True].rows):
            return "duplicate"
        inked = rows.rstrip(b"\0")
        assert any(picture.rows.startswith(inked) for picture in pictures.values())
        return "remains"


@contextmanager
def desk(tmp_path: Path, profile: str, pictures: dict[bool, Bitmap]) -> Iterator[tuple[PtyPrinter, Order]]:
    """A printer that outlives its kiosk."""
    with PtyPrinter(custom=profile == CUSTOM) as printer:
        yield printer, Order(tmp_path / "kiosk", printer.port, profile, pictures)


def ends(folder: Path) -> list[str]:
    """What the journal says became of each ticket, oldest first."""
    store = open_store(folder)
    assert isinstance(store, Store)

    def states(tx: Transaction) -> list[str]:
        rows = tx.execute("SELECT fields FROM journal WHERE type = 'ticket_ended' ORDER BY seq")
        return [str(fields).split('"')[3] for (fields,) in rows]

    found = store.submit(states).result()
    store.close()
    return found


@pytest.mark.parametrize("profile", [EPSON, CUSTOM])
@pytest.mark.parametrize(("moment", "number"), _STEPS)
def test_killed_at_any_step_there_is_one_original_at_most_and_the_member_is_told(
    tmp_path: Path, pictures: dict[bool, Bitmap], profile: str, moment: Moment, number: int
) -> None:
    recorded, ended = list(Moment).index(moment) >= _RECORDED_BY, moment is Moment.ENDED
    with desk(tmp_path, profile, pictures) as (printer, order):
        assert life(replace(order, deed="kill", moment=moment, number=number)) is None
        said = life(order)
        paper = Paper(printer, pictures)
    assert said is not None
    assert said["state"] is PrintState.PRINTED
    assert said["duplicate"] is recorded
    assert said["told"] is (recorded and not ended)
    assert said["told_after"] is False
    assert paper.count("original") <= 1
    assert paper.count("duplicate") == (1 if recorded else 0)
    assert paper.order[-1] == ("duplicate" if recorded else "original")
    assert paper.count("remains") <= 1
    expected = ["printed"] if not recorded else ["printed" if ended else "unknown", "printed"]
    assert ends(order.folder) == expected


@pytest.mark.parametrize("deed", ["insert", "withdraw"])
@pytest.mark.parametrize(("moment", "number"), [step for step in _STEPS if step[1] == 0])
def test_a_staff_card_at_any_step_changes_nothing(
    tmp_path: Path, pictures: dict[bool, Bitmap], deed: str, moment: Moment, number: int
) -> None:
    with desk(tmp_path, EPSON, pictures) as (printer, order):
        said = life(replace(order, deed=deed, moment=moment, number=number))
        paper = Paper(printer, pictures)
    assert said == {
        "told": False,
        "state": PrintState.PRINTED,
        "duplicate": False,
        "told_after": False,
        "happened": True,
    }
    assert paper.order == ["original"]


def test_an_undisturbed_second_visit_is_a_duplicate_and_nothing_is_told(
    tmp_path: Path, pictures: dict[bool, Bitmap]
) -> None:
    with desk(tmp_path, EPSON, pictures) as (printer, order):
        told = [life(order), life(order)]
        paper = Paper(printer, pictures)
    assert [said and (said["told"], said["duplicate"]) for said in told] == [(False, False), (False, True)]
    assert paper.order == ["original", "duplicate"]


def test_a_ticket_is_to_be_taken_until_it_is_and_one_that_nobody_takes_is_noted(
    tmp_path: Path, pictures: dict[bool, Bitmap]
) -> None:
    scard, audience, time = EmbeddedScard(), Audience(), Time()
    with desk(tmp_path, CUSTOM, pictures) as (printer, order):
        kiosk = build(order, scard, audience, time)
        kiosk.start()
        to_serial_number(kiosk, scard, audience)
        kiosk.post(ev.Chosen(ev.Choice.PRINT))
        audience.step(TicketPage, lambda page: page.state is PrintState.PRINTED)
        audience.wait(lambda state: state.world.output_since_s is not None, "a ticket in the output")
        assert plain(t.TICKET_PRINTED) in words(audience.state)
        printer.take_ticket()
        audience.step(TicketPage, lambda page: page.taken)
        assert plain(t.TICKET_TAKEN) in words(audience.state)
        kiosk.post(ev.Chosen(ev.Choice.BACK))
        audience.step(SerialNumber)
        kiosk.post(ev.Chosen(ev.Choice.PRINT))
        audience.wait(lambda state: state.world.output_since_s is not None, "a ticket in the output")
        scard.remove(PATIENT)
        audience.step(Attract)
        time.pass_s(FORGOTTEN_TICKET_S)
        kiosk.post(ev.Tick())
        audience.wait(lambda state: state.world.output_forgotten, "a forgotten ticket")
        kiosk.stop()
    store = open_store(order.folder)
    assert isinstance(store, Store)
    entries = store.submit(
        lambda tx: tx.execute("SELECT pseudonym, fields FROM journal WHERE type = 'ticket_forgotten'")
    ).result()
    store.close()
    assert entries == [(None, "{}")]
