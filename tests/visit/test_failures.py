"""One catalogue: each cause has one entry, one raise site, one page with four answers, and one line in the document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import kiosk
from kiosk.visit import failures
from kiosk.visit.document import failures_table
from kiosk.visit.failure_pages import CALL, PAGES, SAFETY
from kiosk.visit.failures import CATALOGUE, CardSafety, Cause, MemberPage

PRODUCT = Path(kiosk.__file__).parent
DOCUMENT = PRODUCT.parent / "docs" / "failures.md"
FORBIDDEN = ("fraude", "refus ", "fin de droits", "radiation", "APDU", "muette", "erreur")
PLACEHOLDERS = {"phone", "hours", "until", "after", "tries", "reason", "place"}


def test_catalogue_and_pages_are_complete() -> None:
    assert set(CATALOGUE) == set(Cause)
    assert set(PAGES) == set(MemberPage)
    assert set(SAFETY) == set(CardSafety)
    assert {entry.page for entry in CATALOGUE.values()} == set(MemberPage), "a page that no cause leads to"


@pytest.mark.parametrize("cause", list(Cause))
def test_one_raise_site(cause: Cause) -> None:
    site = re.compile(rf"Fault\(\s*Cause\.{cause.name}\b")
    sites = [path.name for path in PRODUCT.rglob("*.py") for _ in site.findall(path.read_text(encoding="utf-8"))]
    assert len(sites) == 1, f"{cause.name} is raised at {sites}"


@pytest.mark.parametrize("page", list(MemberPage))
def test_four_answers_in_plain_neutral_words(page: MemberPage) -> None:
    text = PAGES[page]
    answers = (text.what, text.rights, text.todo, CALL)
    assert all(answer.strip() for answer in answers)
    for answer in answers:
        assert not any(word.lower() in answer.lower() for word in FORBIDDEN), answer
        assert set(re.findall(r"{(\w+)}", answer)) <= PLACEHOLDERS
        assert all(len(sentence.split()) <= 24 for sentence in re.split(r"[.:]", answer)), answer


def test_a_page_never_claims_what_only_the_machine_knows() -> None:
    claims = [text for text in PAGES.values() if "pas été modifiée" in f"{text.what} {text.rights} {text.todo}"]
    assert claims == []


ROWS: Mapping[str, tuple[Cause, ...]] = {
    "service absent or died": (Cause.SERVICE_LOST,),
    "access denied": (Cause.ACCESS_DENIED,),
    "no reader": (Cause.NO_READER,),
    "reader without driver": (Cause.READER_UNSEEN,),
    "reader lost, idle or in use": (Cause.READER_LOST,),
    "reader not answering": (Cause.READER_HUNG,),
    "card mute: turned over, then damaged": (Cause.CARD_MUTE, Cause.CARD_DAMAGED),
    "protocol mismatch": (Cause.PROTOCOL_MISMATCH,),
    "bank card": (Cause.CARD_BANK,),
    "other unknown card": (Cause.CARD_OTHER,),
    "professional card in patient slot, or reverse": (Cause.CARD_STAFF, Cause.CARD_MISPLACED),
    "held by another program": (Cause.HELD_BY_OTHER,),
    "removed while reading": (Cause.CARD_REMOVED,),
    "removed while updating": (Cause.CARD_REMOVED,),  # in the journal; the member's page is `Interrupted`
    "reset by other": (Cause.CARD_RESET,),
    "dirty contacts": (Cause.CARD_DIRTY,),
    "PIN wrong or blocked": (Cause.PIN_WRONG, Cause.PIN_BLOCKED),
    "professional card withdrawn": (Cause.BADGE_WITHDRAWN,),
    "card silent": (Cause.CARD_SILENT,),
    "unexpected SW": (Cause.UNEXPECTED_STATUS,),
    "malformed answer": (Cause.CARD_MALFORMED,),
    "swapped mid-dialogue": (Cause.CARD_REMOVED,),  # told as removal, then insertion: the new card starts anew
    "ticket not printed or unproven": (Cause.TICKET_UNPROVEN,),
    "printer out of paper, open, jammed, silent": (
        Cause.PRINTER_PAPER,
        Cause.PRINTER_COVER,
        Cause.PRINTER_CUTTER,
        Cause.PRINTER_HEAD,
        Cause.PRINTER_FAULT,
        Cause.PRINTER_SILENT,
    ),
    "result of the PC/SC service that has no class": (Cause.PCSC_UNKNOWN,),
    "a badge that proves nothing": (Cause.BADGE_UNPROVEN, Cause.BADGE_NO_AUTHORITY),
    "an old card whose commands are not public": (Cause.CARD_VITALE_1,),
}
"""The hardware reference's table of failures, row by row; below it what else devices and cards can bring about."""
_HARDWARE = ("S", "L", "P", "B", "C-0", "C-1", "M-04")


def test_every_row_of_the_hardware_table_has_its_cause_and_every_hardware_cause_its_row() -> None:
    of_hardware = {cause for cause in Cause if cause.value.startswith(_HARDWARE)}
    assert {cause for causes in ROWS.values() for cause in causes} == of_hardware


def test_codes_are_unique_and_short() -> None:
    assert all(re.fullmatch(r"[A-Z]-[0-9]{2}", cause.value) for cause in Cause)
    assert len({cause.value for cause in Cause}) == len(Cause)


def test_document_is_the_catalogue() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == failures_table()


def test_fault_shows_no_more_than_it_holds() -> None:
    assert "detail" in repr(failures.Fault(Cause.NETWORK, "x"))
