"""From state to view: what each page says, to whom, and never more than is known."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import pytest

from kiosk.card.values import Beneficiary
from kiosk.ui import texts as t
from kiosk.ui.present import present
from kiosk.ui.texts_guide import GUIDE
from kiosk.ui.typography import plain
from kiosk.ui.views import BoxKind, Button, Icon, Tone, ViewModel
from kiosk.visit.availability import Service, refusal
from kiosk.visit.events import Choice, Chosen
from kiosk.visit.failure_pages import PAGES
from kiosk.visit.failures import CATALOGUE, CardSafety, Cause, Fault
from kiosk.visit.machine import step
from kiosk.visit.model import Member, State
from kiosk.visit.page_kinds import Goal, Notice, PreviewPart, Question, Topic
from kiosk.visit.pages import (
    GUIDE_STEPS,
    Attract,
    CardProblem,
    CodePage,
    Guide,
    Help,
    Home,
    Identification,
    Preview,
    Problem,
    Result,
    SerialNumber,
    TicketPage,
    Welcome,
)
from kiosk.visit.policy import CodeIssuing, Quarantine
from kiosk.visit.ports import PrinterHealth, PrintState
from kiosk.visit.values import CardStanding, Outcome, PreviewEffect, PreviewLine
from simulators import samples
from simulators.gallery import NOW, states

STATES = states()
NOTHING = ViewModel(page="", heading="")


def _view(state: State) -> ViewModel:
    return present(state, NOW)


def _texts(view: ViewModel) -> str:
    rows = [text for row in view.rows for text in (row.title, row.detail)]
    changes = [text for row in view.changes for text in (row.label, row.before, row.after, row.word)]
    own = [value for field in fields(view) if isinstance(value := getattr(view, field.name), str)]
    buttons = [button.label for button in _buttons(view)]
    return plain("\n".join([*own, *rows, *changes, *buttons, "".join(box.glyph for box in view.boxes)]))


def _buttons(view: ViewModel) -> list[Button]:
    named = (view.main, view.second, view.inline, view.help, view.stop)
    listed = [Button(row.title, row.choice) for row in view.rows if row.choice is not None]
    return [button for button in named if button is not None] + listed


def _id(state: State) -> str:
    return state.step.page


@pytest.mark.parametrize("state", STATES, ids=_id)
def test_every_page_says_where_one_is_and_leaves_no_placeholder(state: State) -> None:
    view = _view(state)
    assert view.page == state.step.page
    assert view.heading
    assert "{" not in _texts(view)
    assert "}" not in _texts(view)


@pytest.mark.parametrize("state", STATES, ids=_id)
def test_no_button_is_dead(state: State) -> None:
    for button in _buttons(_view(state)):
        after, effects = step(state, Chosen(button.choice), now_s=1.0)
        assert (after.step, after.member) != (state.step, state.member) or effects, button.label


@pytest.mark.parametrize("state", STATES, ids=_id)
def test_one_main_button_and_one_other_question_at_most(state: State) -> None:
    view = _view(state)
    labels = [button.label for button in _buttons(view)]
    assert len(labels) == len(set(labels))
    assert view.page != "updating" or not labels


@pytest.mark.parametrize("state", STATES, ids=_id)
def test_neutral_words_only(state: State) -> None:
    words = _texts(_view(state)).lower()
    for banned in ("fraude", "radiation", "fin de droit", "muette", "apdu", "erreur technique", "votre faute"):
        assert banned not in words


@pytest.mark.parametrize("state", STATES, ids=_id)
def test_the_number_of_the_member_is_never_shown(state: State) -> None:
    assert samples.CARD.holder.nir[:13] not in _texts(_view(state))
    assert samples.CARD.holder.name not in _texts(_view(state))


# --- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("safety", CardSafety)
def test_a_failure_gives_its_four_answers_and_its_code(cause: Cause, safety: CardSafety) -> None:
    fault = Fault(cause, "two_ribs" if cause is Cause.NOT_ELIGIBLE else "detail for the technician")
    for page in (CardProblem(fault, safety), Problem(fault, safety)):
        view = _view(samples.state(page, member=samples.MEMBER, card=True))
        assert [row.title for row in view.rows] == [t.ANSWER_SAFE, t.ANSWER_TODO, t.ANSWER_CALL]
        assert all(row.detail for row in view.rows)
        assert cause.value in view.footnote
        assert "technician" not in _texts(view)
        assert view.heading.split("{")[0]


def test_every_picture_of_the_catalogue_is_drawn() -> None:
    for entry in CATALOGUE.values():
        assert PAGES[entry.page].picture
    for cause in Cause:
        assert _view(samples.state(CardProblem(Fault(cause)), card=True)).picture


def test_only_what_is_known_of_the_card_is_said() -> None:
    view = _view(samples.state(CardProblem(Fault(Cause.NETWORK), CardSafety.UNFINISHED), card=True))
    assert "n'a pas été modifiée" not in _texts(view)
    assert "n'est pas terminée" in _texts(view)


def test_place_comes_before_the_phone_when_the_site_has_one() -> None:
    state = samples.state(Problem(Fault(Cause.NETWORK), CardSafety.UNCHANGED), member=samples.MEMBER)
    placed = replace(state, policy=replace(state.policy, help_place="l'accueil"))
    assert "l'accueil, ou 09 72 72 40 60" in _texts(_view(placed))


# --- attract -----------------------------------------------------------------------------------------------------


def test_attract_says_what_works_before_a_card_is_put_in() -> None:
    rows = {row.title: row for row in _view(samples.state(Attract())).rows}
    assert {row.pictogram for row in rows.values()} == {Icon.CHECK}
    world = replace(samples.WORLD, service_up=None, printer=PrinterHealth.UNKNOWN)
    rows = {row.title: row for row in _view(replace(samples.state(Attract()), world=world)).rows}
    assert rows[t.SERVICE_UPDATE].detail == t.CHECKING
    assert rows[t.SERVICE_UPDATE].tone is Tone.MUTED  # unknown is never green
    assert rows[t.SERVICE_TICKET].pictogram is Icon.UNKNOWN
    assert rows[t.SERVICE_SERIAL].detail == t.AVAILABLE


@pytest.mark.parametrize("quarantine", Quarantine)
def test_attract_agrees_with_the_availability_table(quarantine: Quarantine) -> None:
    state = samples.state(Attract())
    state = replace(state, policy=replace(state.policy, quarantine=quarantine))
    rows = {row.title: row for row in _view(state).rows}
    for title, service in ((t.SERVICE_UPDATE, Service.UPDATE), (t.SERVICE_CODE, Service.CODE)):
        assert (rows[title].pictogram is Icon.CROSS) == (refusal(service, state) is not None)


def test_a_service_this_site_never_offers_is_not_listed() -> None:
    state = samples.state(Attract())
    state = replace(state, policy=replace(state.policy, issue_code=CodeIssuing.OFF, show_serial=False))
    titles = [row.title for row in _view(state).rows]
    assert t.SERVICE_CODE not in titles
    assert t.SERVICE_SERIAL not in titles


def test_a_service_down_says_since_when() -> None:
    fault = Fault(Cause.NETWORK)
    world = replace(
        samples.WORLD, service_up=False, service_fault=fault, service_down_since_utc_s=int(NOW.timestamp()) - 3600
    )
    rows = {row.title: row for row in _view(replace(samples.state(Attract()), world=world)).rows}
    assert plain(rows[t.SERVICE_UPDATE].detail) == "indisponible depuis 13 h 05"


@pytest.mark.parametrize("notice", Notice)
def test_each_notice_has_words(notice: Notice) -> None:
    assert _view(samples.state(Attract(notice))).notice


# --- home --------------------------------------------------------------------------------------------------------


def _home(member: Member) -> ViewModel:
    return _view(samples.state(Home(), member=member, card=True))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [("CAMILLE", "SPECIMEN", "Camille S."), ("JEAN-PIERRE", "ESSAI", "Jean-Pierre E."), ("", "ESSAI", "E.")],
)
def test_the_name_is_masked(first: str, last: str, expected: str) -> None:
    holder = Beneficiary(last, first, "19620117", samples.CARD.holder.nir)
    view = _home(replace(samples.MEMBER, card=replace(samples.CARD, beneficiaries=(holder,))))
    assert plain(view.lead) == f"Carte de {expected}"


@pytest.mark.parametrize(
    ("days", "told"), [(0, "fermée pour votre caisse jusqu'à 1"), (7, "fermée pour votre caisse jusqu'au 2")]
)
def test_an_outage_is_told_with_its_end_in_good_french(days: int, told: str) -> None:
    until_s = int(NOW.timestamp()) + 60 + days * 86_400
    assert told in plain(_home(replace(samples.MEMBER, standing=CardStanding((), outage_until_utc_s=until_s))).notice)


def test_others_on_the_card_are_counted_not_named() -> None:
    people = samples.CARD.beneficiaries * 3
    assert "2 autres personnes" in plain(
        _home(replace(samples.MEMBER, card=replace(samples.CARD, beneficiaries=people))).lead
    )


@pytest.mark.parametrize(("last", "warned"), [(date(2025, 9, 20), True), (date(2025, 9, 21), False), (None, False)])
def test_a_year_without_update_is_said(last: date | None, warned: bool) -> None:
    view = _home(replace(samples.MEMBER, card=replace(samples.CARD, last_update=last)))
    assert (t.OVER_A_YEAR in view.text) is warned


def test_home_tells_what_the_centre_said_and_no_more() -> None:
    member = samples.MEMBER
    assert _home(member).notice == t.UPDATE_READY
    assert _home(replace(member, standing=CardStanding(orders=()))).notice == t.NO_UPDATE_READY
    assert _home(replace(member, standing=None)).notice == t.CENTRE_SILENT
    assert _home(replace(member, card=replace(samples.CARD, unfinished=True))).notice == t.UNFINISHED
    done = _home(replace(member, outcome=Outcome.UPDATED))
    assert done.notice == t.CARD_DONE
    assert done.main is not None
    assert done.main.choice is Choice.STOP


# --- changes -----------------------------------------------------------------------------------------------------

_LOST_EXEMPTION = PreviewLine("Exonération", "maladie longue", "aucune", PreviewEffect.LOSS, sensitive=True)


def _member(*lines: PreviewLine, level: int = 0) -> Member:
    order = replace(samples.ORDER, preview=lines)
    return replace(samples.MEMBER, standing=CardStanding(orders=(order,)), level=level, agreed=("0a01",))


def _preview(part: PreviewPart, member: Member) -> ViewModel:
    return _view(samples.state(Preview(part), member=member, card=True))


@pytest.mark.parametrize("part", PreviewPart)
def test_sensitive_lines_carry_nothing_at_level_0(part: PreviewPart) -> None:
    words = _texts(_preview(part, _member(samples.GAIN, _LOST_EXEMPTION)))
    for secret in ("Exonération", "maladie longue"):
        assert secret not in words
    assert t.SHOW_SENSITIVE in words


def test_sensitive_lines_at_level_1() -> None:
    view = _preview(PreviewPart.CHANGES, _member(samples.GAIN, _LOST_EXEMPTION, level=1))
    assert [row.label for row in view.changes] == [plain(samples.GAIN.label).replace("'", "’"), "Exonération"]
    assert view.inline is None


def test_losses_stand_alone_with_a_phone() -> None:
    view = _preview(PreviewPart.LOSSES, _member(samples.GAIN, samples.LOSS))
    assert [row.word for row in view.changes] == [t.LOSS]
    assert "09 72 72 40 60" in plain(view.lead)
    assert view.second is not None
    assert view.second.choice is Choice.DECLINE


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_page(outcome: Outcome) -> None:
    view = _view(samples.state(Result(outcome), member=replace(_member(samples.GAIN), outcome=outcome), card=True))
    assert bool(view.changes) is (outcome is Outcome.UPDATED)


# --- numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", range(9))
def test_typed_digits_are_masked_and_counted(typed: int) -> None:
    view = _view(
        samples.state(
            Identification(Question.BIRTH_DATE, Goal.SERIAL, digits="17011962"[:typed]), member=samples.MEMBER
        )
    )
    assert [box.kind for box in view.boxes].count(BoxKind.TYPED) == typed
    assert "".join(box.glyph for box in view.boxes) == "•" * typed + "JJMMAAAA"[typed:]
    assert view.can_submit is (typed == 8)


def test_a_refused_answer_says_the_tries_that_are_left() -> None:
    page = Identification(Question.POSTCODE, Goal.CODE, fault=Fault(Cause.POSTCODE_WRONG), tries_left=2)
    assert "Essais restants : 2" in _texts(_view(samples.state(page, member=samples.MEMBER)))


def _serial(iccsn: str, *, masked: bool = False) -> ViewModel:
    member = replace(samples.MEMBER, card=replace(samples.CARD, iccsn=iccsn), level=1)
    return _view(samples.state(SerialNumber(masked), member=member, card=True))


def test_the_serial_number_is_10_then_10_and_1() -> None:
    view = _serial("802500000201234567892")
    assert view.boxes_prefix == "8025000002"
    assert "".join(box.glyph for box in view.boxes) == "01234567892"
    assert [number for number, box in enumerate(view.boxes) if box.gap] == [10]


def test_a_digit_that_the_chip_lacks_is_left_to_be_read() -> None:
    view = _serial("80250000020123456789")
    assert len(view.boxes) == 11
    assert view.boxes[-1].kind is BoxKind.UNKNOWN
    assert view.boxes_text == t.SERIAL_UNKNOWN


def test_the_centre_gives_the_digit_that_the_chip_lacks() -> None:
    standing = CardStanding(orders=(), serial="802500000201234567892")
    member = replace(samples.MEMBER, standing=standing, card=replace(samples.CARD, iccsn="80250000020123456789"))
    view = _view(samples.state(SerialNumber(), member=member, card=True))
    assert view.boxes[-1].glyph == "2"


def test_masked_means_absent() -> None:
    assert "0123456789" not in _texts(_serial("802500000201234567892", masked=True))
    member = replace(samples.MEMBER, code=samples.CODE)
    assert samples.CODE.digits not in _texts(_view(samples.state(CodePage(masked=True), member=member, card=True)))


def test_a_ticket_is_offered_only_when_the_printer_can() -> None:
    member = replace(samples.MEMBER, code=samples.CODE)
    state = samples.state(CodePage(), member=member, card=True)
    assert _view(state).second is not None
    for health in PrinterHealth:
        view = _view(replace(state, world=replace(samples.WORLD, printer=health)))
        assert (view.second is not None) is health.usable


@pytest.mark.parametrize("state", PrintState)
def test_printed_is_said_only_when_it_is_proven(state: PrintState) -> None:
    view = _view(samples.state(TicketPage(samples.TICKET, state), member=samples.MEMBER, card=True))
    assert (view.heading == t.TICKET_PRINTED) is (state is PrintState.PRINTED)


# --- help and guide ----------------------------------------------------------------------------------------------


def test_every_topic_and_every_step_has_words() -> None:
    assert set(t.TOPICS) == set(Topic)
    assert len(GUIDE) == GUIDE_STEPS
    headings = [_view(samples.state(Guide(number))).heading for number in range(1, GUIDE_STEPS + 1)]
    assert len(set(headings)) == GUIDE_STEPS


def test_the_asked_topic_comes_first() -> None:
    view = _view(samples.state(Help(back=Welcome(), topic=Topic.WRONG_INFORMATION)))
    assert view.rows[0].title == t.TOPICS[Topic.WRONG_INFORMATION][0]


def test_the_kiosk_never_asks_for_iban_mail_or_password() -> None:
    for state in STATES:
        assert not (_view(state).keypad and state.step.page not in ("identification", "staffPin"))


def test_an_empty_view_holds_nothing() -> None:
    for field in fields(NOTHING):
        assert not getattr(NOTHING, field.name) or field.name == "notice_tone"
