"""The update of a card, from the member's agreement to what may truthfully be said of it."""

from __future__ import annotations

from dataclasses import replace

from kiosk.visit.availability import Service, refusal
from kiosk.visit.effects import ReadCard, RunUpdate
from kiosk.visit.failures import Cause, Fault, service_closed
from kiosk.visit.model import Member
from kiosk.visit.page_kinds import Notice, PreviewPart
from kiosk.visit.pages import Home, Interrupted, Preview, Problem, Reading, Updating
from kiosk.visit.ports import RunId
from kiosk.visit.safety import card_safety
from kiosk.visit.turn import Turn, ended_fields
from kiosk.visit.values import Outcome, PreviewEffect, RecordType, UpdatePhase, UpdateReport


def preview(turn: Turn) -> None:
    """Show what will change; a loss of rights has its own page, first."""
    standing = turn.member.standing
    lines = [line for order in standing.orders if order.mandatory for line in order.preview] if standing else []
    loses = any(line.effect is PreviewEffect.LOSS for line in lines)
    turn.go(Preview(PreviewPart.LOSSES if loses else PreviewPart.CHANGES))


def start_update(turn: Turn) -> None:
    """Run the pending updates, as agreed; unless something has switched updates off meanwhile."""
    member, card_session, fault = turn.member, turn.state.card_session, refusal(Service.UPDATE, turn.state)
    if card_session is None:
        return
    if fault is not None:
        turn.go(Problem(fault, card_safety(turn.state)))
        return
    pending = member.pending
    turn.learn(replace(member, agreed=pending, awaited_until_s=None, outcome=None, report=None))
    run = RunId(turn.note(RecordType.UPDATE_STARTED, {"updates": len(pending)}))
    turn.state = replace(turn.state, running={**turn.state.running, run: member.pseudonym})
    turn.ask(RunUpdate(run, card_session, member.card, pending))
    turn.go(Updating(UpdatePhase.OPENING, run))


def check_again(turn: Turn) -> None:
    """An update was begun with this card: the card itself and the centre say how it stands."""
    if turn.state.card_session is not None:
        turn.go(Reading(resume=True, retry=True))
        turn.ask(ReadCard(turn.state.card_session))


def resume_update(turn: Turn) -> None:
    """Card read again, centre asked again: finish what the member agreed to, or say what is known."""
    member = turn.member
    standing, report = member.standing, member.report
    closed = standing is not None and standing.outage_until_utc_s is not None
    written = member.awaited_until_s is not None or (report is not None and report.wrote)
    turn.learn(replace(member, awaited_until_s=None))
    if closed and member.card.unfinished:
        turn.learn(member)  # still awaited: the same card finishes once the centre is open
        turn.card_problem(service_closed(), keep_member=True)
    elif member.pending and set(member.pending) <= set(member.agreed):
        start_update(turn)
    elif member.pending:
        preview(turn)
    elif member.card.unfinished:
        turn.card_problem(torn_without_order())
    elif written and not closed:  # whole, and the centre has nothing more: only its closing word had been lost
        turn.result(Outcome.UPDATED, None, ended_fields(Outcome.UPDATED, report=report))
    else:
        turn.learn(replace(turn.member, outcome=None, agreed=()))
        turn.go(Home())


def torn_without_order() -> Fault:
    """The one way to say that a card is marked unfinished and nothing can finish it now."""
    return Fault(Cause.CARD_TORN)


def on_progress(turn: Turn, run: RunId, phase: UpdatePhase) -> None:
    """The relay moved on; each word of it restarts the page's limit."""
    step = turn.state.step
    if isinstance(step, Updating) and step.run == run:
        turn.go(Updating(phase, run))


def await_card(turn: Turn) -> None:
    """The card left while it may have been half written: the same card is awaited, for a limited time in all."""
    until_s = turn.member.awaited_until_s
    until_s = turn.now_s + turn.state.policy.interrupted_s if until_s is None else until_s
    turn.learn(replace(turn.member, awaited_until_s=until_s, open_write=True))
    turn.go(Interrupted())


def on_end(turn: Turn, run: RunId, report: UpdateReport) -> None:
    """The relay's last word: recorded always, shown if the member still waits for this run."""
    pseudonym = turn.state.running.get(run)
    if pseudonym is None:
        return
    running = {other: name for other, name in turn.state.running.items() if other != run}
    turn.state = replace(turn.state, running=running)
    fields = ended_fields(report.outcome, report.fault, report)
    member, step = turn.state.member, turn.state.step
    if member is None or not isinstance(step, Updating) or step.run != run:
        turn.note(RecordType.UPDATE_ENDED, fields, pseudonym)
        if member is not None and isinstance(step, Interrupted | Reading) and member.awaited_until_s is not None:
            _after_removal(turn, member, report)
        return
    turn.learn(replace(member, report=report, open_write=member.open_write or report.unfinished))
    card_left = report.fault is not None and report.fault.cause is Cause.CARD_REMOVED
    if card_left and turn.member.unfinished:  # the relay saw it before the reader's monitor did
        turn.note(RecordType.UPDATE_ENDED, fields, pseudonym)
        await_card(turn)
    elif card_left and report.fault is not None:
        turn.note(RecordType.UPDATE_ENDED, fields, pseudonym)
        turn.card_problem(report.fault)
    else:
        turn.result(report.outcome, report.fault, fields)


def _after_removal(turn: Turn, member: Member, report: UpdateReport) -> None:
    """The card left while being written; the relay now says how far it got."""
    updated = report.outcome is Outcome.UPDATED
    outcome = Outcome.UPDATED if updated else None
    turn.learn(replace(member, report=report, open_write=report.unfinished, outcome=outcome))
    if not isinstance(turn.state.step, Interrupted) or turn.state.card_session is not None:
        return  # a card is being looked at: what it says counts
    if updated:  # taken out after the last write: the centre closed all the same
        turn.end_visit("removed", Notice.UPDATED)
    elif not turn.member.unfinished and not report.wrote:  # the first write never left: nothing was changed
        turn.end_visit("removed", Notice.UNCHANGED)
