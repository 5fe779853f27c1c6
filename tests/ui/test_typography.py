"""French typography."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.ui.typography import after, day, hour, moment, plain, typeset, until

N = "\u00a0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Où aller ?", f"Où aller{N}?"),
        ("Étape 2 sur 4 : Mise à jour", f"Étape 2 sur 4{N}: Mise à jour"),
        ("« Afficher »", f"«{N}Afficher{N}»"),
        ("09 72 72 40 60", f"09{N}72{N}72{N}40{N}60"),
        ("8 h 30 – 17 h 30", f"8{N}h{N}30{N}–\u2060{N}17{N}h{N}30"),
        ("n'a pas", "n’a pas"),
        ("par e-mail", "par e-\u2060mail"),
        ("", ""),
    ],
)
def test_typeset(text: str, expected: str) -> None:
    assert typeset(text) == expected


@given(st.text(alphabet="ab 12:;?!«»–'he-mail", max_size=40))
def test_typesetting_changes_no_word_and_happens_once(text: str) -> None:
    once = typeset(text)
    assert typeset(once) == once
    assert plain(once) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [(date(2026, 3, 1), f"1er{N}mars{N}2026"), (date(2024, 12, 31), f"31{N}décembre{N}2024")],
)
def test_day(value: date, expected: str) -> None:
    assert day(value) == expected


def test_hour_keeps_two_digits_of_minutes() -> None:
    assert hour(datetime(2026, 9, 21, 9, 5, tzinfo=UTC)) == f"9{N}h{N}05"


def test_moment_gives_the_day_only_when_it_is_another_one() -> None:
    now = datetime(2026, 9, 21, 14, 5, tzinfo=UTC)
    assert moment(int(now.timestamp()) + 900, now) == f"14{N}h{N}20"
    assert moment(int(now.timestamp()) + 86_400, now) == f"22{N}septembre{N}2026 à 14{N}h{N}05"


@pytest.mark.parametrize(
    ("ahead_s", "ends", "begins"),
    [(900, "jusqu'à 14 h 20", "après 14 h 20"),
     (8 * 86_400, "jusqu'au 29 septembre 2026 à 14 h 05", "après le 29 septembre 2026 à 14 h 05"),
     (10 * 86_400, "jusqu'au 1er octobre 2026 à 14 h 05", "après le 1er octobre 2026 à 14 h 05")],
)  # fmt: skip
def test_a_limit_reads_well_today_and_on_another_day(ahead_s: int, ends: str, begins: str) -> None:
    now = datetime(2026, 9, 21, 14, 5, tzinfo=UTC)
    limit_s = int(now.timestamp()) + ahead_s
    assert plain(f"jusqu'{until(limit_s, now)}") == ends
    assert plain(f"après {after(limit_s, now)}") == begins
