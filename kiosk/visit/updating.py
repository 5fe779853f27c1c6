"""The update of a card, from the member's agreement to what may truthfully be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kiosk.visit.effects import RunUpdate
from kiosk.visit.failures import Cause
from kiosk.visit.model import Interrupted, Notice, Preview, PreviewPart, Reading, Updating
from kiosk.visit.ports import CardSession
from kiosk.visit.turn import Turn, ended_fields
from kiosk.visit.values import Outcome, PreviewEffect, RecordType, UpdatePhase, UpdateReport


def preview(turn: Turn) -> None:
    """Show what will change; a loss of rights has its own page, first."""
    standing = turn.member.standing
    lines = [line for order in standing.orders if order.mandatory for line in order.preview] if standing else []
    loses = any(line.effect is PreviewEffect.LOSS for line in lines)
    turn.go(Preview(PreviewPart.LOSSES if loses else PreviewPart.CHANGES))


def start_update(turn: Turn) -> None:
    """Run the pending updates, as agreed."""
    member, card_session = turn.member, turn.state.card_session
    if card_session is None:
        return
    pending = member.pending
    turn.learn(replace(member, agreed=pending, interrupted=False))
    turn.state = replace(turn.state, running={**turn.state.running, card_session: member.pseudonym})
    turn.note(RecordType.UPDATE_STARTED, {"updates": len(pending)})
    turn.ask(RunUpdate(turn.state.visit, card_session, member.card, pending))
    turn.go(Updating(UpdatePhase.OPENING))


def resume_update(turn: Turn) -> None:
    """The same card is back and the centre has answered: finish what the member agreed to, or show what is new."""
    member = turn.member
    if member.pending and set(member.pending) <= set(member.agreed):
        start_update(turn)
    elif member.pending:
        preview(turn)
    else:  # the centre holds it as done: only its closing word had been lost
        turn.learn(replace(member, interrupted=False))
        turn.result(Outcome.UPDATED, None, ended_fields(Outcome.UPDATED, report=member.report))


def on_progress(turn: Turn, card_session: CardSession, phase: UpdatePhase) -> None:
    """The relay moved on."""
    if card_session == turn.state.card_session and isinstance(turn.state.step, Updating):
        turn.go(Updating(phase))


def without(running: Mapping[CardSession, str], ended: CardSession | None) -> Mapping[CardSession, str]:
    """The other update runs: a card put back at once starts its next run before the last one's end is told."""
    return {card_session: pseudonym for card_session, pseudonym in running.items() if card_session != ended}


def on_end(turn: Turn, card_session: CardSession, report: UpdateReport) -> None:
    """The relay's last word: recorded always, shown if the member is still there."""
    pseudonym = turn.state.running.get(card_session)
    if pseudonym is None:
        return
    turn.state = replace(turn.state, running=without(turn.state.running, card_session))
    fields = ended_fields(report.outcome, report.fault, report)
    member = turn.state.member
    here = isinstance(turn.state.step, Updating) and card_session == turn.state.card_session
    if member is None or not here:
        turn.note(RecordType.UPDATE_ENDED, fields, pseudonym)
        if member is not None and isinstance(turn.state.step, Interrupted | Reading) and member.interrupted:
            _after_removal(turn, report)
        return
    turn.learn(replace(member, report=report, wrote=member.wrote or report.wrote))
    card_left = report.fault is not None and report.fault.cause is Cause.CARD_REMOVED
    if card_left and turn.member.unfinished:  # the relay saw it before the reader's monitor did
        turn.note(RecordType.UPDATE_ENDED, fields, pseudonym)
        turn.learn(replace(turn.member, interrupted=True))
        turn.go(Interrupted())
    elif card_left and report.fault is not None:
        turn.note(RecordType.UPDATE_ENDED, fields, pseudonym)
        turn.card_problem(report.fault)
    else:
        turn.result(report.outcome, report.fault, fields)


def _after_removal(turn: Turn, report: UpdateReport) -> None:
    """The card left while being written; the relay now says how far it got."""
    member = turn.member
    turn.learn(replace(member, report=report, wrote=member.wrote or report.wrote))
    if not isinstance(turn.state.step, Interrupted):
        return
    if report.outcome is Outcome.UPDATED:  # taken out after the last write: the centre closed all the same
        turn.learn(replace(turn.member, outcome=Outcome.UPDATED, interrupted=False))
        turn.end_visit("removed", Notice.UPDATED)
    elif not (member.card.unfinished or turn.member.wrote):  # the first write never left: nothing was changed
        turn.learn(replace(turn.member, interrupted=False))
        turn.end_visit("removed", Notice.UNCHANGED)
