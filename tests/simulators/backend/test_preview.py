"""The words of « ce qui va changer », and the files that bring the change about."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.card import layout
from kiosk.card.tlv import Tlv, parse_tlvs
from kiosk.card.values import Exemption, Organisation, RightsPeriod
from kiosk.sync.centre import MAX_PREVIEW_LINES
from kiosk.visit.values import PreviewEffect
from simulators.backend import simfiles
from simulators.backend.preview import Line, preview
from simulators.backend.simfiles import Content
from simulators.card.content import organisation_file, rights_file, state_file
from simulators.personas import load, names

TODAY = dt.date(2026, 11, 22)
MGEN, GENERAL = Organisation("91", "999", "9999"), Organisation("01", "999", "9999")
GAIN, LOSS, NEUTRAL = PreviewEffect.GAIN, PreviewEffect.LOSS, PreviewEffect.NEUTRAL


def period(end: str, exemption: Exemption = Exemption.NONE, start: str = "2024-01-01") -> RightsPeriod:
    return RightsPeriod(0, dt.date.fromisoformat(start), dt.date.fromisoformat(end), exemption)


def lines(before: list[RightsPeriod], after: list[RightsPeriod], name: str = "JEANNE") -> tuple[Line, ...]:
    return preview(Content(GENERAL, tuple(before)), Content(GENERAL, tuple(after)), [name], TODAY)


def test_the_same_content_changes_nothing() -> None:
    assert lines([period("2031-12-31")], [period("2031-12-31")]) == ()


def test_another_organisation_is_a_neutral_line() -> None:
    assert preview(Content(MGEN, ()), Content(GENERAL, ()), ["JEANNE"], TODAY) == (
        Line("Caisse", "MGEN, caisse 999, centre 9999", "Régime général, caisse 999, centre 9999", NEUTRAL),
    )


@pytest.mark.parametrize(
    ("before", "after", "effect", "words"),
    [
        (["2026-12-31"], ["2031-12-31"], GAIN, ("31 décembre 2026", "31 décembre 2031")),
        (["2031-12-31"], ["2030-01-01"], LOSS, ("31 décembre 2031", "1er janvier 2030")),
        ([], ["2031-08-15"], GAIN, ("aucune période enregistrée", "15 août 2031")),
        (["2026-11-22"], [], LOSS, ("22 novembre 2026", "aucune période enregistrée")),
        (["2026-11-21"], [], NEUTRAL, ("21 novembre 2026", "aucune période enregistrée")),
        (["2025-12-31", "2031-12-31"], ["2032-02-29"], GAIN, ("31 décembre 2031", "29 février 2032")),
    ],
)
def test_the_end_of_rights(before: list[str], after: list[str], effect: PreviewEffect, words: tuple[str, str]) -> None:
    assert lines([period(end) for end in before], [period(end) for end in after]) == (
        Line("Droits de Jeanne jusqu’au", *words, effect),
    )


@pytest.mark.parametrize(("start", "effect"), [("2023-01-01", GAIN), ("2025-01-01", NEUTRAL)])
def test_the_start_of_rights(start: str, effect: PreviewEffect) -> None:
    [line] = lines([period("2031-12-31")], [period("2031-12-31", start=start)], "ADAM")
    assert (line.label, line.effect) == ("Droits d’Adam à partir du", effect)


ALD, C2S, MAT = Exemption.ALD, Exemption.C2S, Exemption.MATERNITE


@pytest.mark.parametrize(
    ("before", "after", "effect", "words"),
    [
        ([], [(ALD, "2031-12-31")], GAIN, ("aucune", "affection de longue durée jusqu’au 31 décembre 2031")),
        ([(C2S, "2030-06-30")], [], LOSS, ("Complémentaire santé solidaire jusqu’au 30 juin 2030", "aucune")),
        ([(MAT, "2025-12-31")], [], NEUTRAL, ("maternité jusqu’au 31 décembre 2025", "aucune")),
        ([(C2S, "2030-06-30")], [(ALD, "2031-12-31")], LOSS, None),  # a gain does not hide a loss
        ([(MAT, "2025-12-31")], [(ALD, "2031-12-31")], GAIN, None),
        ([(ALD, "2030-06-30")], [(ALD, "2029-06-30")], LOSS, None),
    ],
)
def test_exemptions_are_sensitive_and_told_one_by_one(
    before: list[tuple[Exemption, str]],
    after: list[tuple[Exemption, str]],
    effect: PreviewEffect,
    words: tuple[str, str] | None,
) -> None:
    always = period("2031-12-31")
    [line] = lines(
        [always, *(period(end, kind) for kind, end in before)], [always, *(period(end, kind) for kind, end in after)]
    )
    assert (line.label, line.effect, line.sensitive) == ("Exonération de Jeanne", effect, True)
    assert words is None or (line.before, line.after) == words


def test_the_personas_show_what_they_are_for() -> None:
    def effects(name: str) -> set[PreviewEffect]:
        chip, centre = load(name).card.chip, load(name).centre
        assert chip is not None
        assert centre is not None
        after = centre.orders[0].after
        found = preview(
            Content(chip.organisation, chip.rights),
            Content(after.organisation, after.rights),
            [person.first_name for person in chip.beneficiaries],
            TODAY,
        )
        assert 0 < len(found) <= MAX_PREVIEW_LINES
        return {line.effect for line in found}

    assert LOSS in effects("losing-rights")
    for name in ("outdated", "corsican", "torn", "nineteen-beneficiaries"):
        assert LOSS not in effects(name)
        assert GAIN in effects(name)


def test_no_value_is_in_a_repr() -> None:
    [line] = lines([period("2026-12-31")], [period("2031-12-31")])
    assert "2031" not in repr(line)
    assert "Jeanne" not in repr(line)


dates = st.dates(dt.date(1950, 1, 1), dt.date(2099, 12, 31))
periods = st.builds(RightsPeriod, st.integers(0, 18), dates, dates, st.sampled_from(Exemption))
contents = st.builds(
    Content,
    st.builds(
        Organisation,
        *(st.text("0123456789", min_size=size, max_size=size) for size in (2, 3, 4)),
    ),
    st.lists(periods, max_size=layout.SIM_MAX_PERIODS).map(tuple),
)


@given(contents)
@settings(max_examples=60, deadline=None)
def test_any_content_fits_its_files_and_survives_as_json(content: Content) -> None:
    assert Content.from_json(content.to_json()) == content
    files = {
        layout.SIM_ORGANISATION[2]: organisation_file(content.organisation),
        layout.SIM_RIGHTS[2]: rights_file(content.rights),
        layout.SIM_STATE[2]: state_file(unfinished=True, last_update=TODAY),
    }
    for short_identifier, file in files.items():
        assert len(file) == layout.SIM_FILE_BYTES[short_identifier]
        writes = list(simfiles.write_whole(short_identifier, file))
        assert b"".join(data for _, _, data in writes) == file
        assert all(p1 == 0x80 | short_identifier and 0 <= p2 <= 255 and len(data) <= 239 for p1, p2, data in writes)
        parsed = parse_tlvs(file, padded=True)
        assert isinstance(parsed, tuple)
        assert isinstance(parsed[0], Tlv)
    assert files[layout.SIM_STATE[2]][layout.STATE_FLAG_OFFSET] == 1


def test_one_period_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="SIMRIGHT holds 448 bytes"):
        rights_file((period("2031-12-31"),) * (layout.SIM_MAX_PERIODS + 1))


def test_every_persona_with_orders_fits() -> None:
    for name in names():
        centre = load(name).centre
        for order in centre.orders if centre else ():
            rights_file(order.after.rights)
