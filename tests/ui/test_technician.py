"""The diagnostics page speaks French to the technician: every cause, every part; what needs somebody comes first."""

from __future__ import annotations

import pytest

from kiosk import __version__
from kiosk.ui import texts as t
from kiosk.ui.present import present
from kiosk.ui.technician_texts import ADVICE
from kiosk.ui.typography import plain
from kiosk.ui.views import Row, Tone, ViewModel
from kiosk.visit.failures import CATALOGUE, Cause, Fault
from kiosk.visit.pages import Attract, Diagnostics
from kiosk.visit.values import PartLine
from simulators import samples
from simulators.gallery import NOW

SENTENCE_CHARACTERS = 110
"""Two lines of the page: longer ones are not read standing."""
UNKNOWN, WELL = PartLine("keys", well=None), PartLine("store", well=True)
DOUBT = PartLine("card slot", well=False, facts=(("reason", "a card was left in the slot"),))
BROKEN = PartLine("printer", well=False, fault=Fault(Cause.PRINTER_COVER))


def _page(*lines: PartLine) -> ViewModel:
    return present(samples.state(Diagnostics(Attract(), lines=lines)), NOW)


def _row(line: PartLine) -> Row:
    (row,) = _page(line).rows
    return row


def test_every_cause_has_its_french_meaning_and_action() -> None:
    assert set(ADVICE) == set(Cause)
    meanings = [advice.meaning for advice in ADVICE.values()]
    assert len(set(meanings)) == len(meanings), "two causes told in the same words cannot be told apart"
    for cause, advice in ADVICE.items():
        sentences = [advice.meaning, advice.action] if advice.action else [advice.meaning]
        assert all(text.endswith(".") and 0 < len(text) <= SENTENCE_CHARACTERS for text in sentences), cause
        asks = not CATALOGUE[cause].next_action.startswith("None")
        assert bool(advice.action) or not asks, f"{cause}: the catalogue names an action, the page none"


@pytest.mark.parametrize("cause", Cause)
def test_a_fault_is_told_with_code_meaning_action_and_detail(cause: Cause) -> None:
    row = _row(PartLine("channel", well=False, fault=Fault(cause, "connection refused"), facts=(("count", 3),)))
    advice = ADVICE[cause]
    assert plain(row.word) == f"En panne – {cause.value}"
    told = [advice.meaning, advice.action, "Détail : connexion refusée", "count : 3"]
    assert plain(row.detail) == plain("\n".join(text for text in told if text))
    assert CATALOGUE[cause].technician not in row.detail


def test_a_part_whose_state_is_unknown_is_never_green() -> None:
    row = _row(UNKNOWN)
    assert (row.word, row.detail, row.tone) == (t.PART_UNKNOWN, "", Tone.MUTED)
    hung = _row(PartLine("keys", well=None, fault=Fault(Cause.READER_HUNG)))
    assert (plain(hung.word), hung.tone) == ("État inconnu – L-03", Tone.MUTED)


def test_what_has_no_cause_is_to_be_looked_at() -> None:
    row = _row(DOUBT)
    assert (row.word, row.tone) == (t.PART_DOUBT, Tone.WARN)
    assert plain(row.detail) == "Raison : une carte est restée dans la fente"


def test_what_needs_somebody_comes_first_and_is_counted() -> None:
    page = _page(WELL, UNKNOWN, DOUBT, BROKEN, WELL)
    assert [row.tone for row in page.rows] == [Tone.ERROR, Tone.WARN, Tone.MUTED, Tone.OK, Tone.OK]
    assert plain(page.lead) == "1 en panne, 1 à vérifier, 1 d'état inconnu. Se met à jour seul."
    assert plain(_page(WELL).lead) == "Tout est en ordre. Se met à jour seul."
    assert page.stop is not None
    assert page.stop.label == "Fermer"


def test_the_page_names_the_kiosk_and_its_version() -> None:
    assert plain(_page().step) == f"Borne {samples.POLICY.kiosk_number}, v{__version__}"


def test_a_part_that_nobody_has_named_is_shown_as_it_is() -> None:
    assert _row(PartLine("new part", well=True)).title == "new part"
