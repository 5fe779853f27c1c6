"""What becomes of tickets: the page about one, which further one is a DUPLICATA, one that nobody saw end or took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kiosk.visit.failures import Fault
from kiosk.visit.model import NO_VISIT, SentTicket, State
from kiosk.visit.pages import Help, IdlePrompt, Step, TicketPage
from kiosk.visit.ports import PrintState, VisitId
from kiosk.visit.timing import LOOSE_TICKET_S, TICKET_MEMORY_S, output_limit_s
from kiosk.visit.turn import Turn
from kiosk.visit.values import EarlierTicket, RecordType, TicketKind


def may_be_out(state: State, kind: TicketKind) -> bool:
    """Whether an original of this kind may have come out for this member."""
    member = state.member
    return member is not None and any(sent.kind is kind and sent.pseudonym == member.pseudonym for sent in state.sent)


def remember_sent(turn: Turn, *tickets: SentTicket) -> None:
    """From now on a further one is a DUPLICATA; what is too old to matter is forgotten when the next visit begins."""
    turn.state = replace(turn.state, sent=(*turn.state.sent, *tickets))


def forget_sent(turn: Turn, kind: TicketKind) -> None:
    """What the member's next ticket of this kind will carry is new: earlier ones were of something else."""
    member = turn.state.member
    name = None if member is None else member.pseudonym
    kept = tuple(sent for sent in turn.state.sent if sent.kind is not kind or sent.pseudonym != name)
    turn.state = replace(turn.state, sent=kept)


def on_tickets_before(turn: Turn, tickets: Iterable[EarlierTicket], unended: bool) -> None:
    """The journal was read at the start."""
    earlier = (
        SentTicket(ticket.pseudonym, ticket.kind, NO_VISIT, turn.now_s + TICKET_MEMORY_S - ticket.age_s)
        for ticket in tickets
    )
    remember_sent(turn, *(sent for sent in earlier if sent.until_s > turn.now_s))
    if unended:
        turn.know(loose_ticket_until_s=turn.now_s + LOOSE_TICKET_S)


def on_ticket_end(turn: Turn, visit: VisitId, state: PrintState, fault: Fault | None) -> None:
    """The printer's last word about a ticket, perhaps of a visit that is over."""
    names = [sent.pseudonym for sent in turn.state.sent if sent.visit == visit]
    turn.note_about(names[-1] if names else None, RecordType.TICKET_ENDED, {"state": state.value})
    if state is PrintState.PRINTED:
        turn.know(loose_ticket_until_s=None)
    page = ticket_page(turn.state.step)
    if visit == turn.state.visit and page is not None:
        change_ticket(turn, replace(page, state=state, fault=fault))


def on_output(turn: Turn, present: bool) -> None:
    """A ticket waits in the printer's output, or was taken."""
    world, page = turn.state.world, ticket_page(turn.state.step)
    if present:
        turn.know(output_since_s=turn.now_s if world.output_since_s is None else world.output_since_s)
        return
    if world.output_since_s is not None and page is not None and page.state is PrintState.PRINTED:
        change_ticket(turn, replace(page, taken=True))
    turn.know(output_since_s=None, output_forgotten=False)


def settle_tickets(turn: Turn) -> None:
    """What time does to tickets, whatever the page."""
    world = turn.state.world
    if world.loose_ticket_until_s is not None and turn.now_s >= world.loose_ticket_until_s:
        turn.know(loose_ticket_until_s=None)
    forgotten_s = output_limit_s(world)
    if forgotten_s is not None and turn.now_s >= forgotten_s:
        turn.note_about(None, RecordType.TICKET_FORGOTTEN, {})
        turn.know(output_forgotten=True)


def ticket_page(step: Step | None) -> TicketPage | None:
    """The ticket page shown, or the one under the idle prompt or the help."""
    match step:
        case TicketPage():
            return step
        case IdlePrompt(over=under) | Help(back=under):
            return ticket_page(under)
        case _:
            return None


def change_ticket(turn: Turn, page: TicketPage) -> None:
    """Put another ticket page where one is."""
    match turn.state.step:
        case IdlePrompt(over=Help() as under) as prompt:
            turn.state = replace(turn.state, step=replace(prompt, over=replace(under, back=page)))
        case IdlePrompt() as prompt:
            turn.state = replace(turn.state, step=replace(prompt, over=page))
        case Help() as under:
            turn.state = replace(turn.state, step=replace(under, back=page))
        case _:
            turn.go(page)
