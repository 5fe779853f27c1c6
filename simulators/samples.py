"""One fictional member and one state for each page: what tests walk, what the gallery draws, what documents list."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from kiosk.card.values import Beneficiary, CardContent, Exemption, Generation, Organisation, RightsPeriod
from kiosk.visit.failures import CardSafety, Cause, Fault
from kiosk.visit.model import Member, StaffCard, State
from kiosk.visit.outages import Outage
from kiosk.visit.page_kinds import Goal, Notice, PreviewPart, Question, Waiting
from kiosk.visit.pages import (
    Attract,
    CardProblem,
    CodeIntro,
    CodePage,
    Diagnostics,
    ForgottenCard,
    Guide,
    Help,
    Home,
    Identification,
    IdlePrompt,
    Interrupted,
    OutOfService,
    Preview,
    Problem,
    Reading,
    RemoveCard,
    Result,
    SerialNumber,
    StaffPin,
    StaffSlot,
    Step,
    TicketPage,
    Updating,
    Wait,
    Welcome,
)
from kiosk.visit.policy import CodeIssuing, Policy, SiteKind
from kiosk.visit.ports import CardSession, PrinterHealth, PrintState, RunId, VisitId
from kiosk.visit.values import (
    CardStanding,
    Outcome,
    PartLine,
    PreviewEffect,
    PreviewLine,
    ProvisionalCode,
    StaffKind,
    TicketContent,
    TicketKind,
    UpdateOrder,
    UpdatePhase,
)
from kiosk.visit.world import World

SESSION = CardSession(7)
RUN = RunId(1)
POLICY = Policy(site_kind=SiteKind.AGENCY, issue_code=CodeIssuing.ON, kiosk_number="0999")
WORLD = World(reader_ready=True, service_up=True, clock_trusted=True, printer=PrinterHealth.OK)

OUTAGE = Outage("vendredi", from_utc_s=1_790_000_000, until_utc_s=1_790_028_800, regimes=("91",))

CARD = CardContent(
    generation=Generation.VITALE_2,
    iccsn="802500000200000000013",
    beneficiaries=(Beneficiary("SPECIMEN", "CAMILLE", "19620117", "162019999900177"),),
    start_date=date(2019, 3, 4),
    organisation=Organisation("91", "999", "9999"),
    rights=(RightsPeriod(0, date(2024, 1, 1), date(2024, 12, 31), Exemption.NONE),),
    last_update=date(2024, 1, 9),
)

GAIN = PreviewLine("Droits de Camille jusqu'au", "31 décembre 2024", "31 décembre 2026", PreviewEffect.GAIN)
LOSS = PreviewLine("Droits de Dominique jusqu'au", "31 décembre 2026", "aucun", PreviewEffect.LOSS)
SENSITIVE = PreviewLine("Exonération", "aucune", "affection de longue durée", PreviewEffect.GAIN, sensitive=True)
ORDER = UpdateOrder("0a01", mandatory=True, description="Nouveaux droits", preview=(GAIN, SENSITIVE))
LOSING_ORDER = replace(ORDER, update_id="0a02", preview=(GAIN, LOSS))

MEMBER = Member(CARD, pseudonym="0" * 32, standing=CardStanding(orders=(ORDER,)))
CODE = ProvisionalCode("0427", valid_s=900, expires_utc_s=1_790_000_000)
TICKET = TicketContent(TicketKind.CODE, "0427", CODE.expires_utc_s, "0999", POLICY.phone)
_NETWORK = Fault(Cause.NETWORK, "connection refused")

LINES = (
    PartLine("store", well=True),
    PartLine("reader patient", well=False, fault=Fault(Cause.READER_LOST, "Fictional Reader not among 1 readers")),
    PartLine("contacts patient", well=True, facts=(("vanished", 0), ("mute", 2), ("silent", 0), ("flaky", 0))),
    PartLine("card slot", well=True),
    PartLine("printer", well=None, fault=Fault(Cause.PRINTER_SILENT)),
    PartLine("channel", well=False, fault=_NETWORK),
)
_FAULTY_LINES = (
    PartLine("store", well=False, fault=Fault(Cause.STORE_FAILED, "key: wrong key, or the file is damaged")),
    PartLine(
        "reader patient",
        well=False,
        fault=Fault(Cause.READER_HUNG, "SCardTransmit over its limit on Fictional Reader [Contact Slot] (0099) 00 00"),
    ),
    PartLine("contacts patient", well=False, facts=(("vanished", 7), ("mute", 2), ("silent", 4), ("flaky", 3))),
    PartLine("reader professional", well=True),
    PartLine("contacts professional", well=True, facts=(("vanished", 0), ("mute", 0), ("silent", 0), ("flaky", 0))),
    PartLine("card slot", well=False, facts=(("reason", "a card was left in the slot"),)),
    PartLine("printer", well=False, fault=Fault(Cause.PRINTER_CUTTER)),
    PartLine("ticket output", well=False, facts=(("reason", "a ticket was left in the output"),)),
    PartLine(
        "channel",
        well=False,
        fault=Fault(
            Cause.UNSIGNED_ANSWER, "unsigned 401: the backend does not know this key, or it is not our backend"
        ),
    ),
    PartLine("orders", well=False, fault=Fault(Cause.QUARANTINED, "no_relay")),
    PartLine("clock", well=False, fault=Fault(Cause.CLOCK_WRONG), facts=(("clock_ahead_s", 86_400),)),
    PartLine("journal", well=True, facts=(("entries", 48_213), ("pruned", 12_000))),
    PartLine(
        "documents",
        well=False,
        facts=(
            ("policy", "3"),
            ("quarantine/fleet", "2 no_relay"),
            ("site_capabilities", "4 expired"),
            ("contents unreadable", "envelope: not what was accepted"),
            ("outage_calendar/fleet refused", "payload.version: below 4, the last accepted"),
            ("policy refused", "payload.body.identify_tries: a whole number from 1 to 10 expected"),
            ("contents/fleet withheld", 12),
        ),
    ),
    PartLine(
        "outbox",
        well=False,
        facts=(
            ("pending", 812_000),
            ("refused", 12),
            ("percent", 93),
            ("upload", "stopped"),
            ("reason", "rolled_back"),
        ),
    ),
    PartLine(
        "keys",
        well=True,
        facts=(
            ("store", "file"),
            ("sealed_by", "nothing (mode 0600)"),
            ("database_key", "plain (mode 0600)"),
            ("generation", 4),
            ("certificate_until_s", 1_794_000_000),
            ("renewal", "due"),
            ("renewal_failed", "network"),
        ),
    ),
)

_WITHOUT_MEMBER: tuple[Step, ...] = (
    OutOfService(None),
    OutOfService(Fault(Cause.READER_LOST)),
    Attract(),
    Attract(Notice.UNFINISHED),
    StaffSlot(),
    StaffSlot(Fault(Cause.BADGE_WITHDRAWN), over=Attract()),
    Welcome(),
    Guide(),
    Help(back=Welcome()),
)
_WITH_BADGE: tuple[Step, ...] = (
    StaffPin(Attract(), digits="17"),
    StaffPin(Attract(), digits="0942"),
    StaffPin(Attract(), fault=Fault(Cause.PIN_WRONG), tries_left=2),
    StaffPin(Attract(), checking=True),
    Diagnostics(Attract()),
    Diagnostics(OutOfService(Fault(Cause.READER_LOST)), lines=LINES),
    Diagnostics(OutOfService(Fault(Cause.READER_HUNG)), lines=_FAULTY_LINES),
    StaffSlot(Fault(Cause.PIN_BLOCKED), over=Attract()),
)
_WITH_CARD: tuple[Step, ...] = (
    OutOfService(Fault(Cause.STORE_FAILED), card_in_slot=True),
    Reading(),
    Reading(slow=True),
    CardProblem(Fault(Cause.CARD_MUTE)),
    CardProblem(Fault(Cause.CARD_BANK)),
    RemoveCard(),
    ForgottenCard(),
)
_WITH_MEMBER: tuple[Step, ...] = (
    Reading(asking_centre=True),
    Home(),
    Preview(PreviewPart.LOSSES),
    Preview(PreviewPart.CHANGES),
    Updating(UpdatePhase.OPENING, RUN),
    Updating(UpdatePhase.WRITING, RUN),
    Updating(UpdatePhase.CLOSING, RUN),
    *(Result(outcome) for outcome in Outcome),
    Identification(Question.BIRTH_DATE, Goal.SERIAL, digits="170"),
    Identification(Question.POSTCODE, Goal.CODE, fault=Fault(Cause.POSTCODE_WRONG), tries_left=2),
    SerialNumber(),
    CodeIntro(),
    CodePage(),
    *(TicketPage(TICKET, state) for state in PrintState),
    TicketPage(TICKET, PrintState.PRINTED, taken=True),
    Guide(3),
    Help(back=Home()),
    Wait(Waiting.SAVING, record=1, then=Result(Outcome.UPDATED)),
    Wait(Waiting.CHECKING),
    Wait(Waiting.CODE),
    Problem(_NETWORK, CardSafety.UNCHANGED),
    IdlePrompt(over=Home()),
)


BADGE = StaffCard(CardSession(8), StaffKind.TECHNICIAN)


def state(step: Step, *, member: Member | None = None, card: bool = False) -> State:
    """A state on this page, in a kiosk where all is well."""
    return State(
        policy=POLICY,
        step=step,
        world=WORLD,
        visit=VisitId(3),
        card_session=SESSION if card else None,
        member=member,
        running={RUN: MEMBER.pseudonym} if isinstance(step, Updating) else {},
        next_token=2,
    )


def _member_for(step: Step) -> Member:
    match step:
        case Preview(part=PreviewPart.LOSSES):
            return replace(MEMBER, standing=CardStanding(orders=(LOSING_ORDER,)))
        case Result():
            return replace(MEMBER, outcome=step.outcome)
        case SerialNumber():
            return replace(MEMBER, level=1, birth_date="19620117")
        case Identification(question=Question.POSTCODE):
            return replace(MEMBER, level=1, birth_date="19620117")
        case CodeIntro():
            return replace(MEMBER, level=2, birth_date="19620117", proof="0" * 32)
        case CodePage() | TicketPage() | Wait():
            return replace(MEMBER, level=2, birth_date="19620117", proof="0" * 32, code=CODE)
        case _:
            return MEMBER


def every_page() -> tuple[State, ...]:
    """At least one state for each page, with what the page needs."""
    interrupted = replace(MEMBER, awaited_until_s=120.0, open_write=True, agreed=("0a01",))
    return (
        *(state(step) for step in _WITHOUT_MEMBER),
        replace(state(Attract()), world=replace(WORLD, output_since_s=0.0)),
        *(state(step, card=True) for step in _WITH_CARD),
        *(replace(state(step), staff=BADGE) for step in _WITH_BADGE),
        replace(state(StaffPin(RemoveCard(), checking=True), card=True), staff=BADGE),
        *(state(step, member=_member_for(step), card=True) for step in _WITH_MEMBER),
        state(Interrupted(), member=interrupted),
        state(Interrupted(other_card=True), member=interrupted, card=True),
        state(Reading(resume=True), member=interrupted, card=True),
        state(CardProblem(_NETWORK, CardSafety.UNFINISHED), member=interrupted, card=True),
    )
