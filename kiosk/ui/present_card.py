"""Pages about the card: reading, refused, home, what will change, the update, what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from kiosk.ui import texts as t
from kiosk.ui.failures_view import answers, call_text, loose_ticket, picture, support_code, what
from kiosk.ui.site_words import clock_notice
from kiosk.ui.typography import day, typeset
from kiosk.ui.views import Button, ChangeRow, Icon, Picture, Row, Tone, ViewModel
from kiosk.visit.availability import Service, closed_until_s, refusal
from kiosk.visit.events import Choice
from kiosk.visit.failure_pages import SAFETY
from kiosk.visit.failures import CardSafety, service_closed
from kiosk.visit.model import Member, State
from kiosk.visit.page_kinds import PreviewPart
from kiosk.visit.pages import CardProblem, Home, Interrupted, Preview, Problem, Reading, Result, Updating
from kiosk.visit.policy import CodeIssuing
from kiosk.visit.safety import card_safety
from kiosk.visit.values import Outcome, PreviewEffect, PreviewLine, UpdatePhase

YEAR = timedelta(days=365)


def reading(step: Reading) -> ViewModel:
    """The card is being read, then the centre is asked."""
    lead = t.READING_CENTRE if step.asking_centre else t.READING_CARD
    return ViewModel(
        page=step.page,
        heading=t.READING_AGAIN if step.resume and not step.retry else t.READING,
        lead=t.READING_RESUME if step.resume and not step.retry else lead,
        notice=t.KEEP_CARD,
        notice_tone=Tone.WARN,
        picture=Picture.CARD_STAY,
        text=t.READING_SLOW if step.slow else "",
    )


def card_problem(step: CardProblem, state: State, now: datetime) -> ViewModel:
    """This card is not served here; it is never kept."""
    return ViewModel(
        page=step.page,
        key=step.fault.cause.value,
        heading=what(step.fault, state, now),
        picture=picture(step.fault),
        rows=answers(step.fault, step.safety, state, now),
        # A page about the card itself says already that it must be taken out.
        notice="" if step.fault.cause.value.startswith("C") else t.PROBLEM_CARD,
        footnote=support_code(step.fault),
    )


def problem(step: Problem, state: State, now: datetime) -> ViewModel:
    """Something did not work; the visit goes on."""
    return ViewModel(
        page=step.page,
        key=step.fault.cause.value,
        heading=what(step.fault, state, now),
        picture=picture(step.fault),
        rows=answers(step.fault, step.safety, state, now),
        footnote=support_code(step.fault),
        main=Button(t.RETRY, Choice.CONTINUE),
    )


def masked_name(member: Member) -> str:
    """First name and initial: enough to recognise one's own card, too little for a passer-by."""
    holder = member.card.holder
    first = "-".join(part.capitalize() for part in holder.first_name.strip().split("-"))
    return f"{first} {holder.name.strip()[:1].upper()}.".strip()


def home(step: Home, state: State, member: Member, now: datetime) -> ViewModel:
    """What can be done with this card. The update first; afterwards, leaving."""
    name, others = masked_name(member), len(member.card.beneficiaries) - 1
    many = t.CARD_OF if others == 0 else t.CARD_OF_TWO if others == 1 else t.CARD_OF_MANY
    notice, tone = _standing_notice(state, member, now)
    notice = "\n".join(line for line in (notice, loose_ticket(state)) if line)
    done = not member.unfinished and member.outcome in (Outcome.UPDATED, Outcome.UP_TO_DATE)
    last, old = member.card.last_update, False
    if done:
        text = ""
    elif last is None:
        text = t.LAST_UPDATE_UNKNOWN
    else:
        old = now.date() - last > YEAR
        text = t.LAST_UPDATE.format(day=day(last)) + (f"\n{t.OVER_A_YEAR}" if old else "")
    if member.outcome is Outcome.UNCERTAIN:
        label = t.HOME_CHECK
    else:
        label = t.HOME_FINISH if member.unfinished else t.HOME_UPDATE
    update = Button(label, Choice.UPDATE, Icon.UPDATE)
    finish = Button(t.HOME_END, Choice.STOP, Icon.CARD)
    # What was begun, here or elsewhere, can always be asked for: the page behind the button says why not now.
    closed = closed_until_s(state) is not None and not member.begun and not member.unfinished
    return ViewModel(
        page=step.page,
        key="after" if member.outcome is not None else "",
        heading=t.HELLO,
        lead=typeset(many.format(name=name, count=others)),
        text=text,
        notice=notice,
        notice_tone=tone,
        rows_title=t.HOME_OTHERS,
        rows=_home_rows(state),
        main=finish if done or closed else update,
        second=finish if member.outcome is not None and not done and not closed else None,
    )


def _standing_notice(state: State, member: Member, now: datetime) -> tuple[str, Tone]:
    """What is known of this card's update: the card's own word first, then the centre's; silence is not « none »."""
    match card_safety(state):
        case CardSafety.UNKNOWN:
            return t.UNCERTAIN, Tone.WARN
        case CardSafety.UNFINISHED:
            return t.UNFINISHED, Tone.WARN
        case CardSafety.UPDATED:
            return t.CARD_DONE, Tone.OK
        case _:
            pass
    if member.outcome is Outcome.UP_TO_DATE:
        return t.CARD_DONE, Tone.OK
    if member.outcome is Outcome.DECLINED:
        return t.DECLINED_LEAD, Tone.INFO
    if closed_until_s(state) is not None:
        return f"{what(service_closed(), state, now)} {t.RIGHTS_STAY}", Tone.WARN
    if member.standing is None and clock_notice(state):
        return f"{clock_notice(state)} {t.RIGHTS_STAY}", Tone.WARN
    if member.standing is None:
        return t.CENTRE_SILENT, Tone.WARN
    return (t.UPDATE_READY, Tone.INFO) if member.pending else (t.NO_UPDATE_READY, Tone.OK)


def _home_rows(state: State) -> tuple[Row, ...]:
    rows = []
    if state.policy.show_serial:
        row = Row(t.HOME_SERIAL, t.HOME_SERIAL_TEXT, Icon.NUMBER, choice=Choice.SERIAL)
        rows.append(_as_available(row, Service.SERIAL, state))
    if state.policy.issue_code is CodeIssuing.ON:
        row = Row(t.HOME_CODE, t.HOME_CODE_TEXT, Icon.KEY, choice=Choice.CODE)
        rows.append(_as_available(row, Service.CODE, state))
    rows.append(Row(t.HOME_GUIDE, t.HOME_GUIDE_TEXT, Icon.PERSON, choice=Choice.GUIDE))
    return tuple(rows)


def _as_available(row: Row, service: Service, state: State) -> Row:
    if refusal(service, state) is None:
        return row
    # Still a button: touching it opens the page that says why, and what else can be done.
    return replace(row, detail=t.NOT_NOW, tone=Tone.MUTED)


# --- what changes ------------------------------------------------------------------------------------------------

_WORDS = {
    PreviewEffect.GAIN: (t.GAIN, Tone.OK),
    PreviewEffect.LOSS: (t.LOSS, Tone.WARN),
    PreviewEffect.NEUTRAL: (t.NEUTRAL, Tone.INFO),
}


def _lines(member: Member, ids: Iterable[str]) -> list[PreviewLine]:
    wanted = set(ids)
    orders = member.standing.orders if member.standing is not None else ()
    return [line for order in orders if order.update_id in wanted for line in order.preview]


def _change_rows(lines: Iterable[PreviewLine], level: int) -> tuple[ChangeRow, ...]:
    rows = []
    for line in lines:
        word, tone = _WORDS[line.effect]
        masked = line.sensitive and level == 0
        if masked:  # no value and no name: a passer-by learns nothing
            rows.append(ChangeRow(t.MASKED_LABEL, "", "", t.MASKED_VALUE, Tone.MUTED, masked=True))
        else:
            rows.append(
                ChangeRow(typeset(line.label), typeset(line.before), typeset(line.after), word, tone, masked=False)
            )
    return tuple(rows)


def _unmask(rows: tuple[ChangeRow, ...]) -> Button | None:
    masked = any(row.masked for row in rows)
    return Button(t.SHOW_SENSITIVE, Choice.SHOW_SENSITIVE, Icon.EYE) if masked else None


def preview(step: Preview, state: State, member: Member) -> ViewModel:
    """Before any write: losses on their own page, then everything else."""
    lines = _lines(member, member.pending)
    decline = Button(t.DECLINE, Choice.DECLINE)
    if step.part is PreviewPart.LOSSES:
        rows = _change_rows([line for line in lines if line.effect is PreviewEffect.LOSS], member.level)
        return ViewModel(
            page=step.page,
            key=step.part.value,
            heading=t.LOSSES,
            lead=typeset(t.LOSSES_LEAD.format(phone=state.policy.phone)),
            notice=t.LOSSES_CALL,
            notice_tone=Tone.WARN,
            changes=rows,
            inline=_unmask(rows),
            main=Button(t.LOSSES_CONTINUE, Choice.CONTINUE, Icon.NEXT),
            second=decline,
        )
    # Sensitive losses again: the birth date, once given on the page of losses, leads here.
    rows = _change_rows(
        [line for line in lines if line.sensitive or line.effect is not PreviewEffect.LOSS], member.level
    )
    return ViewModel(
        page=step.page,
        key=step.part.value,
        heading=t.PREVIEW,
        lead=t.PREVIEW_LEAD,
        changes=rows,
        text="" if rows else t.NOTHING_ELSE,
        inline=_unmask(rows),
        main=Button(t.AGREE, Choice.ACCEPT, Icon.UPDATE),
        second=decline,
    )


# --- the update --------------------------------------------------------------------------------------------------


def updating(step: Updating) -> ViewModel:
    """The update runs: steps, never a countdown; no button."""
    phases = (
        (UpdatePhase.OPENING, t.PHASE_OPENING),
        (UpdatePhase.WRITING, t.PHASE_WRITING),
        (UpdatePhase.CLOSING, t.PHASE_CLOSING),
    )
    here = [phase for phase, _ in phases].index(step.phase)
    return ViewModel(
        page=step.page,
        heading=t.UPDATING,
        lead=t.UPDATING_LEAD,
        notice=t.KEEP_CARD,
        notice_tone=Tone.WARN,
        picture=Picture.CARD_STAY,
        rows=tuple(_phase_row(title, number - here) for number, (_, title) in enumerate(phases)),
    )


def _phase_row(title: str, distance: int) -> Row:
    if distance < 0:
        return Row(title, t.PHASE_DONE, Icon.CHECK, Tone.OK)
    if distance == 0:
        return Row(title, t.PHASE_NOW, Icon.DOT, Tone.INFO)
    return Row(title, t.PHASE_NEXT, Icon.RING, Tone.MUTED)


def interrupted(step: Interrupted) -> ViewModel:
    """The card left while it was being written: put the same one back."""
    return ViewModel(
        page=step.page,
        heading=t.INTERRUPTED,
        lead=t.INTERRUPTED_LEAD,
        text=t.INTERRUPTED_TEXT,
        notice=t.OTHER_CARD if step.other_card else "",
        notice_tone=Tone.WARN,
        picture=Picture.CARD_REMOVE if step.other_card else Picture.CARD_INSERT,
    )


def result(step: Result, state: State, member: Member, now: datetime) -> ViewModel:
    """How the update ended: what is known, and no more."""
    onward = Button(t.CONTINUE, Choice.CONTINUE, Icon.NEXT)
    if step.outcome is Outcome.UPDATED:
        rows = _change_rows(_lines(member, member.agreed), member.level)
        return ViewModel(
            page=step.page,
            key=step.outcome.value,
            heading=t.RESULT_UPDATED,
            lead=t.RESULT_UPDATED_LEAD if rows else t.RESULT_UPDATED_PLAIN,
            picture=Picture.NONE if rows else Picture.DONE,
            changes=rows,
            inline=_unmask(rows),
            main=onward,
            second=Button(t.NOT_MINE, Choice.NOT_MINE, Icon.HELP),
        )
    if step.outcome is Outcome.UP_TO_DATE:
        return ViewModel(
            page=step.page,
            key=step.outcome.value,
            heading=t.RESULT_CURRENT,
            lead=t.RESULT_CURRENT_LEAD,
            text=t.RESULT_CURRENT_TEXT,
            picture=Picture.DONE,
            main=onward,
            second=Button(t.NOT_MINE, Choice.NOT_MINE, Icon.HELP),
        )
    if step.outcome is Outcome.DECLINED:
        contact = {"phone": state.policy.phone, "hours": state.policy.phone_hours}
        return ViewModel(
            page=step.page,
            key=step.outcome.value,
            heading=t.RESULT_DECLINED,
            lead=t.RESULT_DECLINED_LEAD,
            text=typeset(t.RESULT_DECLINED_TEXT.format(**contact)),
            picture=Picture.CARD_STAY,
            main=onward,
        )
    return _unhappy(step, state, now, onward)


_UNHAPPY = {
    Outcome.IMPOSSIBLE: t.RESULT_IMPOSSIBLE,
    Outcome.ABORTED: t.RESULT_STOPPED,
    Outcome.UNCERTAIN: t.RESULT_UNCERTAIN,
}


def _unhappy(step: Result, state: State, now: datetime, onward: Button) -> ViewModel:
    heading = _UNHAPPY[step.outcome]
    safety = card_safety(state)
    fault = step.fault
    rows: tuple[Row, ...]
    if fault is None:  # shown again after an identification: the cause was told the first time
        rows = (
            Row(t.ANSWER_SAFE, typeset(SAFETY[safety]), Icon.SHIELD, Tone.WARN),
            Row(t.ANSWER_CALL, call_text(state), Icon.PHONE, Tone.INFO),
        )
    else:
        repeated = what(fault, state, now).rstrip(".") == heading
        rows = answers(fault, safety, state, now, with_what=not repeated, finish=True)
    return ViewModel(
        page=step.page,
        key=step.outcome.value,
        heading=heading,
        picture=Picture.UPDATE if fault is None else picture(fault),
        rows=rows,
        footnote="" if fault is None else support_code(fault),
        main=onward,
    )
