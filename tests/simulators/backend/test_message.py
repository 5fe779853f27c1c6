"""One message to a PostgreSQL server: done in its order or not at all from the first that fails; the driver goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from simulators.backend.message import Message
from simulators.backend.private_postgres import PrivatePostgres, private_postgres

ADD = "INSERT INTO word VALUES ($1::text)"
ALL = "SELECT text, 7::bigint, '\\x00ff'::bytea, NULL FROM word ORDER BY text"

Driver = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def server() -> Iterator[PrivatePostgres]:
    with private_postgres() as cluster:
        yield cluster


def connected(server: PrivatePostgres) -> Driver:
    return psycopg.connect(f"host={server.folder} user=postgres dbname=postgres")


@pytest.fixture
def driver(server: PrivatePostgres) -> Iterator[Driver]:
    """With a table of unique words."""
    with connected(server) as connection:
        connection.execute("DROP TABLE IF EXISTS word")
        connection.execute("CREATE TABLE word (text text PRIMARY KEY)")
        connection.commit()
        yield connection


def test_statements_are_done_in_their_order_and_answered_as_by_the_driver(driver: Driver) -> None:
    prepared: dict[str, bytes] = {}
    for words in (("b", "é"), ("a", "")):
        message = Message(driver, prepared)
        for word in words:
            message.execute(ADD, [word])
        answer = message.execute(ALL, [])
        assert answer.fetchall() == []
        message.send()
    assert answer.fetchall() == [(word, 7, b"\0\xff", None) for word in ("", "a", "b", "é")]
    assert set(prepared) == {ADD, ALL}
    assert driver.info.transaction_status is TransactionStatus.INTRANS


def test_it_commits_what_it_was_told_to(server: PrivatePostgres, driver: Driver) -> None:
    message = Message(driver, {})
    message.execute(ADD, ["kept"])
    message.commit()
    message.send()
    assert driver.info.transaction_status is TransactionStatus.IDLE
    with connected(server) as other:
        assert other.execute("SELECT text FROM word").fetchall() == [("kept",)]


def test_nothing_is_sent_when_there_is_nothing_to_say(driver: Driver) -> None:
    Message(driver, {}).send()
    assert driver.info.transaction_status is TransactionStatus.IDLE


def test_from_the_first_that_fails_nothing_is_done_and_the_connection_goes_on(driver: Driver) -> None:
    prepared: dict[str, bytes] = {}
    message = Message(driver, prepared)
    for word in ("a", "a", "b"):
        message.execute(ADD, [word])
    never = message.execute(ALL, [])
    message.commit()
    with pytest.raises(psycopg.errors.UniqueViolation):
        message.send()
    assert never.fetchall() == []
    assert driver.info.transaction_status is TransactionStatus.INERROR
    driver.rollback()
    again = Message(driver, prepared)
    found = again.execute(ALL, [])
    again.execute("SELECT $1::text", ["new"])
    again.send()
    assert found.fetchall() == []
    driver.rollback()


@pytest.mark.parametrize("when", ["before", "in the middle"])
def test_a_server_that_goes_is_an_operational_error(server: PrivatePostgres, driver: Driver, when: str) -> None:
    message = Message(driver, {})
    if when == "before":
        with connected(server) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [driver.info.backend_pid])
    else:
        message.execute("SELECT pg_terminate_backend(pg_backend_pid())", [])
    message.execute(ALL, [])
    with pytest.raises(psycopg.OperationalError):
        message.send()
    assert driver.closed


def test_more_than_any_buffer_goes_both_ways(driver: Driver) -> None:
    message = Message(driver, {})
    answers = [message.execute("SELECT $1::text", [str(n % 10) * 1_000_000]) for n in range(20)]
    message.send()
    assert [answer.fetchall()[0][0][0] for answer in answers] == [str(n % 10) for n in range(20)]
