"""Columns as a server's literals: whatever they hold comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, LargeBinary, Text

from simulators.backend.bulk import array_literals
from simulators.backend.private_postgres import private_postgres

COLUMNS = (Column("text", Text), Column("number", BigInteger), Column("data", LargeBinary))
_texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"))  # no engine takes the others
_words = st.sampled_from(["", "NULL", "None", "{}", '","', '"', "\\", "\x1f", "a\x1fb", " a ", "\n", "é"])
_numbers = st.integers(-(2**63), 2**63 - 1)
_rows = st.lists(
    st.tuples(st.none() | _words | _texts, st.none() | _numbers, st.none() | st.binary(max_size=40)),
    min_size=1,
    max_size=20,
)


@pytest.fixture(scope="module")
def server() -> Iterator[psycopg.Connection]:
    """In a database that speaks UTF-8."""
    with (
        private_postgres() as cluster,
        psycopg.connect(f"host={cluster.folder} user=postgres dbname=postgres") as connection,
    ):
        yield connection


@given(_rows)
@example([("a\x1fb", 1, b""), ("c", None, b"\xff\\")])
@example([("a", 1, b"x"), ("b", 2, None)])
def test_what_a_column_holds_comes_back_as_it_was(
    server: psycopg.Connection, rows: list[tuple[str | None, int | None, bytes | None]]
) -> None:
    sql = "SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])"
    assert psycopg.RawCursor(server).execute(sql, array_literals(COLUMNS, rows)).fetchall() == rows
