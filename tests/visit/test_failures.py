"""One catalogue: each cause has one entry, one raise site, one page with four answers, and one line in the document."""

from __future__ import annotations

import re
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


def test_codes_are_unique_and_short() -> None:
    assert all(re.fullmatch(r"[A-Z]-[0-9]{2}", cause.value) for cause in Cause)
    assert len({cause.value for cause in Cause}) == len(Cause)


def test_document_is_the_catalogue() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == failures_table()


def test_fault_shows_no_more_than_it_holds() -> None:
    assert "detail" in repr(failures.Fault(Cause.NETWORK, "x"))
