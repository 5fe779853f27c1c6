"""One event of each kind, with the values that change an answer, aimed at the sample states."""

from __future__ import annotations

from kiosk.card.values import CardKind
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.outages import NO_OUTAGES, Outages
from kiosk.visit.policy import Policy, Quarantine
from kiosk.visit.ports import CardSession, PrinterHealth, PrintState, ReaderRole, RunId, VisitId
from kiosk.visit.values import (
    CardStanding,
    EarlierTicket,
    Identified,
    Outcome,
    StaffKind,
    TicketKind,
    UpdatePhase,
    UpdateReport,
)
from simulators import samples

FAULT = Fault(Cause.NETWORK, "staged")
SESSIONS = (samples.SESSION, CardSession(8))
VISITS = tuple(VisitId(number) for number in (2, 3, 4))

REPORTS = (
    UpdateReport(Outcome.UPDATED, 1, 3, 12, wrote=True),
    UpdateReport(Outcome.IMPOSSIBLE, 3, 1, 2, wrote=False, fault=Fault(Cause.UPDATE_IMPOSSIBLE)),
    UpdateReport(Outcome.ABORTED, 3, 2, 7, wrote=True, fault=Fault(Cause.CARD_REMOVED), unfinished=True),
    UpdateReport(Outcome.ABORTED, 3, 1, 2, wrote=False, fault=Fault(Cause.CARD_REMOVED)),
    UpdateReport(Outcome.ABORTED, 3, 2, 7, wrote=True, fault=Fault(Cause.UNEXPECTED_STATUS), unfinished=True),
    UpdateReport(Outcome.UNCERTAIN, 3, 3, 12, wrote=True, fault=FAULT, unfinished=True),
    UpdateReport(Outcome.IMPOSSIBLE, 3, 5, 20, wrote=True, fault=Fault(Cause.UPDATE_IMPOSSIBLE)),
)
STANDINGS = (
    CardStanding(orders=()),
    CardStanding(orders=(samples.ORDER,)),
    CardStanding(orders=(samples.LOSING_ORDER,)),
    CardStanding(orders=(), opposed=True),
    CardStanding(orders=(), replace=True),
    CardStanding(orders=(samples.ORDER,), outage_until_utc_s=1_790_000_000),
    CardStanding(orders=(), outage_until_utc_s=1_790_000_000),
)


def every_event() -> tuple[ev.Event, ...]:
    """Each event type, with the values that change an answer."""
    events: list[ev.Event] = [ev.ServiceUp(), ev.ServiceDown(FAULT, 1_790_000_000), ev.Tick(), ev.Activity()]
    events += [
        ev.ClockTrusted(trusted=True),
        ev.ClockTrusted(trusted=False, fault=Fault(Cause.CLOCK_WRONG)),
        ev.StoreReady(),
    ]
    events += [ev.OutagesChanged(Outages(now=(samples.OUTAGE,))), ev.OutagesChanged(NO_OUTAGES)]
    events += [ev.PolicyChanged(samples.POLICY), ev.PolicyChanged(Policy(quarantine=Quarantine.STOP))]
    events += [ev.ConditionSeen(samples.LINES)]
    events += [ev.DigitErased(), ev.DigitsSubmitted(), *(ev.DigitTyped(digit) for digit in (0, 9))]
    events += [ev.Chosen(choice) for choice in ev.Choice]
    events += [ev.PrinterChanged(health) for health in PrinterHealth]
    events += [ev.TicketInOutput(present) for present in (True, False)]
    before = EarlierTicket(samples.MEMBER.pseudonym, TicketKind.CODE, 60.0)
    events += [ev.TicketsBefore((), unended=True), ev.TicketsBefore((before,), unended=False)]
    events += [ev.WrongDatesBefore({samples.MEMBER.pseudonym: 3})]
    events += [ev.Recorded(token) for token in (1, 2)] + [
        ev.RecordFailed(token, Fault(Cause.STORE_FULL)) for token in (1, 2)
    ]
    for role in ReaderRole:
        events += [ev.ReaderReady(role), ev.ReaderFailed(role, Fault(Cause.READER_LOST))]
        for session in SESSIONS:
            events += [ev.CardInserted(role, session, CardKind.VITALE_2), ev.CardRemoved(role, session)]
    for session in SESSIONS:
        events += [
            ev.CardRead(session, samples.CARD, samples.MEMBER.pseudonym),
            ev.CardFailed(session, Fault(Cause.CARD_MUTE)),
        ]
        events += [ev.StaffCardKnown(session, kind) for kind in StaffKind]
        events += [ev.StaffCardFailed(session, Fault(Cause.CARD_MISPLACED)), ev.BadgeAccepted(session)]
        events += [
            ev.BadgeRefused(session, Fault(Cause.PIN_WRONG), 2),
            ev.BadgeRefused(session, Fault(Cause.CARD_SILENT)),
        ]
    for run in (samples.RUN, RunId(99)):
        events += [ev.UpdateProgress(run, phase) for phase in UpdatePhase]
        events += [ev.UpdateEnded(run, report) for report in REPORTS]
    for visit in VISITS:
        events += [ev.StandingKnown(visit, standing) for standing in STANDINGS]
        events += [ev.StandingUnknown(visit, FAULT), ev.RequestFailed(visit, FAULT), ev.CodeIssued(visit, samples.CODE)]
        events += [ev.IdentityChecked(visit, Identified(accepted=True, tries_left=3, proof="0" * 32))]
        events += [ev.IdentityChecked(visit, Identified(accepted=False, tries_left=left)) for left in (0, 2)]
        events += [ev.TicketEnded(visit, state) for state in PrintState]
    return tuple(events)
