"""Pages around a visit: nobody there, out of service, without a card, help, guide, end of the visit."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from kiosk.ui import texts as t
from kiosk.ui.failures_view import answers, call_text, loose_ticket, picture, support_code, what
from kiosk.ui.site_words import announced, clock_notice, help_text, nearby, outage_who
from kiosk.ui.texts_guide import GUIDE
from kiosk.ui.typography import moment, typeset, until
from kiosk.ui.views import Button, Icon, Picture, Row, Tone, ViewModel
from kiosk.visit.availability import Service, closed_until_s, refusal
from kiosk.visit.events import Choice
from kiosk.visit.failure_pages import SAFETY
from kiosk.visit.failures import CardSafety, Cause
from kiosk.visit.model import State
from kiosk.visit.page_kinds import Notice, Topic
from kiosk.visit.pages import (
    GUIDE_STEPS,
    Attract,
    ForgottenCard,
    Guide,
    Help,
    IdlePrompt,
    OutOfService,
    RemoveCard,
    Welcome,
)
from kiosk.visit.policy import CodeIssuing
from kiosk.visit.ports import PrinterHealth

_NOTICES = {
    Notice.CARD_REMOVED: (t.NOTICE_REMOVED, Tone.OK),
    Notice.UNCHANGED: (t.NOTICE_UNCHANGED, Tone.OK),
    Notice.UNFINISHED: (t.NOTICE_UNFINISHED, Tone.WARN),
    Notice.UNCERTAIN: (t.NOTICE_UNCERTAIN, Tone.WARN),
    Notice.UPDATED: (t.NOTICE_UPDATED, Tone.OK),
    Notice.TIME_OVER: (t.NOTICE_TIME_OVER, Tone.INFO),
}


def attract(step: Attract, state: State, now: datetime) -> ViewModel:
    """Waiting for a card; what works is said before one is put in."""
    notice, tone = _notice(step, state, now)
    return ViewModel(
        page=step.page,
        heading=t.ATTRACT,
        lead=t.ATTRACT_LEAD,
        notice=notice,
        notice_tone=tone,
        picture=Picture.CARD_INSERT,
        rows_title=t.SERVICES,
        rows=_services(state, now),
        text=t.SCAM,
        footnote=t.KIOSK_NUMBER.format(number=state.policy.kiosk_number),
        second=Button(t.NO_CARD, Choice.START_WITHOUT_CARD, Icon.HELP),
    )


def _notice(step: Attract | OutOfService, state: State, now: datetime) -> tuple[str, Tone]:
    if step.notice is not None:
        return _NOTICES[step.notice]
    if not isinstance(step, Attract):
        return loose_ticket(state), Tone.INFO
    told = (loose_ticket(state), clock_notice(state) or announced(state.world.outages, now))
    return "\n".join(line for line in told if line), Tone.WARN if clock_notice(state) else Tone.INFO


def _services(state: State, now: datetime) -> tuple[Row, ...]:
    rows = [_update_service(state, now)]
    if state.policy.show_serial:
        rows.append(_service(t.SERVICE_SERIAL, Service.SERIAL, state, now, asks_centre=False))
    if state.policy.issue_code is CodeIssuing.ON:
        rows.append(_service(t.SERVICE_CODE, Service.CODE, state, now, asks_centre=True))
    if state.policy.print_tickets and state.world.has_printer:
        rows.append(_ticket_service(state.world.printer))
    rows.append(Row(t.SERVICE_GUIDE, t.AVAILABLE, Icon.CHECK, Tone.OK))
    return tuple(rows)


def _update_service(state: State, now: datetime) -> Row:
    row = _service(t.SERVICE_UPDATE, Service.UPDATE, state, now, asks_centre=True)
    fault, running = refusal(Service.UPDATE, state), state.world.outages.now
    until_s = closed_until_s(state)
    if fault is not None and fault.cause is Cause.SERVICE_CLOSED and until_s is not None:
        return replace(row, detail=typeset(t.UNAVAILABLE_UNTIL.format(until=until(until_s, now))))
    if row.tone is Tone.OK and running:
        return Row(row.title, typeset(t.EXCEPT_FOR.format(who=outage_who(running[-1]))), Icon.WARNING, Tone.WARN)
    return row


def _service(title: str, service: Service, state: State, now: datetime, *, asks_centre: bool) -> Row:
    fault, since_s = refusal(service, state), state.world.service_down_since_utc_s
    if fault is not None:
        network = fault is state.world.service_fault and since_s is not None
        words = t.UNAVAILABLE_SINCE.format(since=moment(since_s, now)) if network and since_s else t.UNAVAILABLE
        return Row(title, words, Icon.CROSS, Tone.WARN)
    if asks_centre and (state.world.service_up is None or not state.world.clock_trusted):
        return Row(title, t.CHECKING, Icon.UNKNOWN, Tone.MUTED)
    return Row(title, t.AVAILABLE, Icon.CHECK, Tone.OK)


def _ticket_service(printer: PrinterHealth) -> Row:
    if printer.usable:
        return Row(t.SERVICE_TICKET, t.AVAILABLE, Icon.CHECK, Tone.OK)
    if printer is PrinterHealth.UNKNOWN:
        return Row(t.SERVICE_TICKET, t.TICKET_UNKNOWN, Icon.UNKNOWN, Tone.MUTED)
    return Row(t.SERVICE_TICKET, t.ON_SCREEN_ONLY, Icon.CROSS, Tone.WARN)


def out_of_service(step: OutOfService, state: State, now: datetime) -> ViewModel:
    """Nothing can be done here: why, where else, whom to call. A card that is inside is asked for back."""
    elsewhere = Row(t.ELSEWHERE, nearby(state) or t.ELSEWHERE_TEXT, Icon.PLACE, Tone.INFO)
    notice, tone = _notice(step, state, now)
    without_card = Button(t.NO_CARD, Choice.START_WITHOUT_CARD, Icon.HELP)
    if step.card_in_slot:
        fault = step.fault
        return ViewModel(
            page=step.page,
            key="card",
            heading=t.TAKE_CARD,
            lead=typeset(SAFETY[step.safety]),
            picture=Picture.CARD_REMOVE,
            rows=() if fault is None else (*answers(fault, step.safety, state, now, with_what=True)[:1], elsewhere),
            text=call_text(state),
            footnote="" if fault is None else support_code(fault),
        )
    if step.fault is None:
        return ViewModel(page=step.page, key="starting", heading=t.STARTING, lead=t.STARTING_LEAD, picture=Picture.WAIT)
    return ViewModel(
        page=step.page,
        heading=t.OUT_OF_SERVICE,
        lead=what(step.fault, state, now),
        notice=notice,
        notice_tone=tone,
        picture=picture(step.fault) if step.fault.cause is not Cause.STORE_FAILED else Picture.KIOSK,
        rows=(elsewhere, Row(t.ANSWER_CALL, call_text(state), Icon.PHONE, Tone.INFO)),
        footnote=support_code(step.fault),
        second=without_card,
    )


def welcome(step: Welcome) -> ViewModel:
    """Somebody without a card."""
    return ViewModel(
        page=step.page,
        heading=t.WELCOME,
        lead=t.WELCOME_LEAD,
        rows=(
            Row(t.WELCOME_GUIDE, t.WELCOME_GUIDE_TEXT, Icon.PERSON, choice=Choice.GUIDE),
            Row(t.WELCOME_HELP, t.WELCOME_HELP_TEXT, Icon.HELP, choice=Choice.HELP),
        ),
        text=t.WELCOME_INSERT,
        second=Button(t.WELCOME_BACK, Choice.STOP, Icon.STOP),
    )


def help_page(step: Help, state: State) -> ViewModel:
    """Situations explained; the one that was asked for comes first, alone."""
    wanted = (
        [step.topic] if step.topic is not None else [topic for topic in Topic if topic is not Topic.WRONG_INFORMATION]
    )
    if step.topic is not None:
        wanted.append(Topic.CONTACT)
    icons = {
        Topic.NO_CARD: Icon.CARD,
        Topic.LOST: Icon.SHIELD,
        Topic.CARD_FAILS: Icon.UPDATE,
        Topic.REFUNDS: Icon.BANK,
        Topic.SCAMS: Icon.LOCK,
        Topic.CONTACT: Icon.PHONE,
        Topic.WRONG_INFORMATION: Icon.EDIT,
    }
    return ViewModel(
        page=step.page,
        heading=t.HELP_TITLE,
        rows=tuple(
            Row(t.TOPICS[topic][0], help_text(topic, state.policy), icons[topic], Tone.INFO) for topic in wanted
        ),
        main=Button(t.BACK, Choice.BACK, Icon.BACK),
    )


def guide(step: Guide, state: State) -> ViewModel:
    """One page of the guide."""
    contents, near = state.policy.contents, nearby(state)
    filled = {"phone": state.policy.phone, "hours": state.policy.phone_hours, "site": contents.account_site}
    page, last = GUIDE[step.number - 1], step.number == GUIDE_STEPS
    return ViewModel(
        page=step.page,
        key=str(step.number),
        heading=page.heading.format(**filled),
        step=t.STEP_GUIDE.format(number=step.number, total=GUIDE_STEPS),
        lead=page.lead,
        rows=tuple(
            Row(title, _near_or(near, icon, step) or typeset(text.format(**filled)), icon, Tone.INFO)
            for icon, title, text in page.lines
        ),
        notice=page.note,
        main=Button(t.GUIDE_END if last else t.GUIDE_NEXT, Choice.NEXT, Icon.NONE if last else Icon.NEXT),
        second=Button(
            t.GUIDE_LEAVE if step.number == 1 else t.GUIDE_PREVIOUS,
            Choice.BACK if step.number == 1 else Choice.PREVIOUS,
            Icon.BACK,
        ),
    )


def _near_or(near: str, icon: Icon, step: Guide) -> str:
    """The first page says where else the card can be updated: known places stand for the general advice."""
    return near if step.number == 1 and icon is Icon.PLACE else ""


def idle_prompt(step: IdlePrompt, state: State) -> ViewModel:
    """Nobody has touched anything for a while."""
    return ViewModel(
        page=step.page,
        heading=t.IDLE,
        lead=t.IDLE_LEAD,
        picture=Picture.CLOCK,
        countdown_s=state.policy.idle_prompt_s,
        main=Button(t.STILL_HERE, Choice.STILL_HERE),
        second=Button(t.IDLE_STOP, Choice.STOP, Icon.STOP),
    )


def remove_card(step: RemoveCard) -> ViewModel:
    """The visit is over and wiped; the card is still inside."""
    notice, tone = _parting(step.safety)
    return ViewModel(
        page=step.page,
        heading=t.REMOVE,
        lead=t.REMOVE_LEAD,
        picture=Picture.CARD_REMOVE,
        notice=notice,
        notice_tone=tone,
        text=t.SCAM,
    )


def forgotten_card(step: ForgottenCard) -> ViewModel:
    """Nobody took the card; no name is shown."""
    notice, tone = _parting(step.safety)
    return ViewModel(
        page=step.page,
        heading=t.FORGOTTEN,
        lead=t.FORGOTTEN_LEAD,
        picture=Picture.CARD_REMOVE,
        notice=notice,
        notice_tone=tone,
        text=t.FORGOTTEN_TEXT,
    )


def _parting(safety: CardSafety) -> tuple[str, Tone]:
    if safety is CardSafety.UNFINISHED:
        return t.NOTICE_UNFINISHED, Tone.WARN
    if safety is CardSafety.UNKNOWN:
        return t.NOTICE_UNCERTAIN, Tone.WARN
    if safety is CardSafety.UPDATED:
        return typeset(SAFETY[safety]), Tone.OK
    return "", Tone.INFO
