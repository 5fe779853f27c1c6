"""What the last run left open: begun, and never ended by it (a power cut, a kill). It gets its honest end.

What the visit must remember over a restart is read from the journal as well: tickets, and wrong birth dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial

from kiosk.facts import Facts
from kiosk.hardware.printer.driver import Printer
from kiosk.journal.unended import Unended, earlier_tickets, unended
from kiosk.journal.wrong_dates import wrong_dates
from kiosk.store.thread import Store
from kiosk.visit import events as ev
from kiosk.visit.ports import Post
from kiosk.visit.timing import TICKET_MEMORY_S
from kiosk.visit.values import EarlierTicket, RecordType

_Found = tuple[list[Unended], list[EarlierTicket], Mapping[str, int]]


def end_last_run(store: Store, facts: Facts, printer: Printer | None, post: Post, now_ms: int) -> None:
    """Note the ends, and that this run has begun. Before anything new.

    → `TicketsBefore` where tickets matter, `WrongDatesBefore` where there were any.
    """
    found = store.submit(lambda tx: (unended(tx), earlier_tickets(tx, now_ms, TICKET_MEMORY_S), wrong_dates(tx)))
    found.add_done_callback(partial(_note_ends, facts, printer, post))


def _note_ends(facts: Facts, printer: Printer | None, post: Post, found: Future[_Found]) -> None:
    ends, tickets, dates = ([], [], {}) if found.exception() is not None else found.result()
    for end in ends:
        facts.commit(end.event, end.fields, end.pseudonym)
    loose = any(end.event == RecordType.TICKET_ENDED for end in ends)
    if loose and printer is not None:
        printer.cut_off_remains()
    if loose or tickets:
        post(ev.TicketsBefore(tuple(tickets), loose))
    if dates:
        post(ev.WrongDatesBefore(dates))
    facts.commit("kiosk_started", {})  # last: should power go in between, the ends are still found open
