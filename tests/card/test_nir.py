"""NIR: the vectors of the domain reference, structure by first digit, display and masking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.card.nir import Nir, NirError, NirKind, nir_key, parse_nir

VECTORS = [
    ("2 55 08 14 168 025", "38"),
    ("2 84 05 88 321 025", "32"),
    ("2 84 05 2A 321 025", "52"),
    ("2 84 05 2B 321 025", "79"),
    ("2 84 20 2B 321 025", "28"),
    ("2 84 99 2B 321 025", "31"),
    ("2 94 03 75 120 005", "91"),
    ("1 53 12 45 007 231", "60"),
    ("1 62 12 28 010 001", "24"),
    ("2 82 02 95 046 199", "15"),
    ("1 62 12 2B 010 001", "03"),
    ("1 62 01 99 999 001", "77"),
    ("2 84 05 99 999 002", "79"),
    ("2 05 99 99 999 003", "21"),
]
bodies = st.builds(
    lambda first, year, month, department, rest: f"{first}{year:02d}{month:02d}{department}{rest:06d}",
    st.sampled_from("12"),
    st.integers(0, 99),
    st.one_of(st.integers(1, 12), st.integers(20, 99)),
    st.one_of(st.sampled_from(("2A", "2B")), st.integers(0, 99).map("{:02d}".format)),
    st.integers(0, 999_999),
)


def keyed(body: str) -> str:
    return body + nir_key(body)


@pytest.mark.parametrize(("spaced", "key"), VECTORS)
def test_published_and_fictional_vectors(spaced: str, key: str) -> None:
    body = spaced.replace(" ", "")
    assert nir_key(body) == key
    nir = parse_nir(body + key)
    assert isinstance(nir, Nir)
    assert nir.kind is NirKind.NORMAL
    assert (nir.text, nir.display) == (body + key, f"{spaced} {key}")
    assert nir.masked == f"{spaced[0]} •• •• •• ••• ••• ••"


def test_corsica_in_lower_case() -> None:
    nir = parse_nir("284052a32102552")
    assert isinstance(nir, Nir)
    assert nir.text == "284052A32102552"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("1620199999001", NirKind.NORMAL),
        ("2841299999001", NirKind.NORMAL),
        ("2842099999001", NirKind.NORMAL),
        ("3621399999001", NirKind.PROVISIONAL),
        ("4841399999001", NirKind.PROVISIONAL),
        ("5199900000001", NirKind.MIGRANT),
        ("6299900000001", NirKind.MIGRANT),
        ("7199900000001", NirKind.PROVISIONAL),
        ("8299900000001", NirKind.PROVISIONAL),
        ("7099900000001", NirKind.PROVISIONAL),
    ],
)
def test_kinds(body: str, kind: NirKind) -> None:
    nir = parse_nir(keyed(body))
    assert isinstance(nir, Nir), nir
    assert nir.kind is kind


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", NirError.LENGTH),
        ("16201999990017", NirError.LENGTH),
        ("1620199999001777", NirError.LENGTH),
        ("1 62 01 99 999 001 77", NirError.LENGTH),
        ("062019999900177", NirError.FIRST_DIGIT),
        ("962019999900177", NirError.FIRST_DIGIT),
        ("A62019999900177", NirError.CHARACTERS),
        ("162012C99900177", NirError.CHARACTERS),
        ("16201B199900177", NirError.CHARACTERS),
        ("1620199999001 7", NirError.CHARACTERS),
        ("16201999990017٧", NirError.CHARACTERS),
        ("162019999900ß77", NirError.CHARACTERS),
        (keyed("1620099999001"), NirError.STRUCTURE),
        (keyed("1621399999001"), NirError.STRUCTURE),
        (keyed("1621999999001"), NirError.STRUCTURE),
        (keyed("5399900000001"), NirError.STRUCTURE),
        (keyed("6099900000001"), NirError.STRUCTURE),
        (keyed("7399900000001"), NirError.STRUCTURE),
        ("162019999900178", NirError.KEY),
        ("162019999900100", NirError.KEY),
        ("284058832102530", NirError.KEY),  # the misprint in the published library's README
    ],
)
def test_errors(text: str, error: NirError) -> None:
    assert parse_nir(text) is error


@given(bodies)
def test_keys_lie_between_01_and_97_and_any_other_is_refused(body: str) -> None:
    key = nir_key(body)
    assert 1 <= int(key) <= 97
    assert isinstance(parse_nir(body + key), Nir)
    assert parse_nir(f"{body}{(int(key) + 1) % 100:02d}") is NirError.KEY


@given(bodies, st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_never_passes(body: str, position: int, shift: int) -> None:
    digit = body[position]
    if digit.isdigit():
        wrong = body[:position] + str((int(digit) + shift) % 10) + body[position + 1 :]
        assert isinstance(parse_nir(wrong + nir_key(body)), NirError)


@given(st.text(max_size=20))
def test_any_text_gives_a_nir_or_an_error(text: str) -> None:
    assert isinstance(parse_nir(text), Nir | NirError)


def test_repr_hides_the_number() -> None:
    assert repr(parse_nir("162019999900177")) == "Nir(kind=<NirKind.NORMAL: 'normal'>)"
