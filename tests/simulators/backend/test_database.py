"""The database thread on both engines: groups, who pays for a failure, statements of any number of rows, versions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, func, insert, select, text, update

from simulators.backend import engines, exchange, intake, migrations, schema
from simulators.backend.bulk import Ask, Request
from simulators.backend.database import (
    Database,
    DatabaseBusy,
    DatabaseUnusableError,
    DatabaseUrlError,
    DatabaseVersionError,
)
from simulators.backend.engines import open_engine
from simulators.backend.private_postgres import PrivatePostgres, private_postgres

Place = Path | str


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    with private_postgres() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a new database is to be."""
    if request.param == "sqlite":
        return tmp_path / "backend.sqlite"
    cluster: PrivatePostgres = request.getfixturevalue("postgres")
    return cluster.new_database()


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    opened = Database(place)
    yield opened
    opened.close()


def add_kiosk(name: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(
            insert(schema.kiosk).values(id=name, site_kind="agency", quarantine="none", last_batch_seq=0, refusals=0)
        )

    return work


def kiosks(database: Database) -> list[str]:
    rows = database.run(lambda connection: connection.execute(select(schema.kiosk.c.id)).all())
    return sorted(row.id for row in rows)


def request(name: str, log: list[tuple[str, int]] | None = None, *, fails: bool = False) -> Any:
    """A request that locks its kiosk, counts a refusal, and tells the count it found."""

    def judge(connection: Connection, answers: Sequence[Any]) -> tuple[int, Sequence[Ask]]:
        found = int(answers[0][name,][-1])
        if fails:
            raise ValueError("a bug")
        connection.execute(update(schema.kiosk).where(schema.kiosk.c.id == name).values(refusals=found + 1))
        if log is not None:
            log.append((name, found))
        return found, ()

    return Request(name, lambda: ([Ask(exchange._LOCKED_KIOSK, [(name,)])], judge))


def held(database: Database) -> threading.Event:
    """Keep the thread busy until the event is set, so that what is asked for meanwhile becomes one group."""
    release, is_held = threading.Event(), threading.Event()

    def wait(_connection: Connection) -> None:
        is_held.set()
        release.wait(10)

    database.submit(wait)
    assert is_held.wait(10)
    return release


def test_what_waits_is_one_transaction_in_which_a_kiosks_requests_follow_each_other(database: Database) -> None:
    for name in ("b", "a"):
        database.run(add_kiosk(name))
    sizes: list[int] = []
    database.on_group = sizes.append
    release = held(database)
    futures = [database.submit_request(request(name)) for name in ("b", "a", "b", "a", "a")]
    release.set()
    assert [future.result(10) for future in futures] == [0, 0, 1, 1, 2]
    assert sizes == [5]


def test_what_is_given_up_while_it_waits_is_not_done(database: Database) -> None:
    release = held(database)
    given_up, kept = (database.submit(add_kiosk(name)) for name in ("a", "b"))
    assert given_up.cancel()
    release.set()
    kept.result(10)
    assert kiosks(database) == ["b"]


def test_the_one_that_fails_fails_alone(database: Database) -> None:
    for name in ("a", "b", "c"):
        database.run(add_kiosk(name))
    release = held(database)
    futures = [database.submit_request(request(name, fails=name == "b")) for name in ("a", "b", "c")]
    release.set()
    assert [futures[0].result(10), futures[2].result(10)] == [0, 0]
    with pytest.raises(ValueError, match="a bug"):
        futures[1].result(10)
    counted = database.run(
        lambda connection: connection.execute(select(schema.kiosk.c.refusals).order_by(schema.kiosk.c.id)).all()
    )
    assert [row.refusals for row in counted] == [1, 0, 1]


def test_what_is_asked_together_is_done_and_answered_in_its_order(database: Database) -> None:
    asks = (
        Ask(intake._SET_LAST_NUMBERS, [("a", "visit", 3)]),
        Ask(intake._LAST_NUMBERS, [("a", "visit"), ("a", "none")]),
    )
    told = database.submit_request(Request("a", lambda: (asks, lambda _, answers: (answers, ()))))
    assert told.result(10) == [None, {("a", "visit"): (3,)}]


def test_the_one_whose_statement_fails_fails_alone(database: Database) -> None:
    def adding(kiosk: str, *numbers: int) -> Request[None]:
        rows = [(f"id-{n}", kiosk, "visit", n, "t", 0, "{}") for n in numbers]
        effects = Ask(intake._SET_LAST_NUMBERS, [(kiosk, "visit", max(numbers))]), Ask(intake._ADD_EVENTS, rows)
        return Request(kiosk, lambda: ((), lambda _connection, _answers: (None, effects)))

    database.submit_request(adding("b", 1)).result(10)
    release = held(database)
    futures = [database.submit_request(adding(kiosk, 1, 2)) for kiosk in ("a", "b", "c")]
    release.set()
    assert [futures[0].result(10), futures[2].result(10)] == [None, None]
    with pytest.raises(database._engine.dialect.dbapi.IntegrityError):  # type: ignore[union-attr]  # of either driver
        futures[1].result(10)
    found = database.run(lambda c: c.execute(select(schema.aggregate).order_by(schema.aggregate.c.kiosk)).all())
    assert [tuple(row) for row in found] == [("a", "visit", 2), ("b", "visit", 1), ("c", "visit", 2)]


def test_nobody_hears_of_what_could_not_be_committed(
    database: Database, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(add_kiosk("a"))
    database.run(add_kiosk("b"))
    error = database._engine.dialect.dbapi.OperationalError  # type: ignore[union-attr]  # of either driver

    def fail(*_: object) -> None:
        raise error("disk full")

    release = held(database)
    futures = [database.submit_request(request(name)) for name in ("a", "b")]
    with monkeypatch.context() as patch:
        patch.setattr(database._engine.dialect, "do_commit", fail)
        patch.setattr(psycopg.Connection, "commit", fail)
        release.set()
        for future in futures:
            with pytest.raises(DatabaseBusy):
                future.result(10)
    assert database.submit_request(request("a")).result(10) == 0
    assert database.submit_request(request("b")).result(10) == 0


def test_an_exception_rolls_its_own_work_back_and_the_next_one_works(database: Database) -> None:
    def half(connection: Connection) -> None:
        add_kiosk("half")(connection)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.run(half)
    database.run(add_kiosk("whole"))
    assert kiosks(database) == ["whole"]


def test_a_lost_server_is_busy_once_and_the_next_request_finds_it_again(postgres: PrivatePostgres) -> None:
    url = postgres.new_database()
    database, other = Database(url), create_engine(url)
    database.run(add_kiosk("a"))
    with other.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))
    other.dispose()
    with pytest.raises(DatabaseBusy):
        database.run(add_kiosk("b"))
    database.run(add_kiosk("c"))
    assert kiosks(database) == ["a", "c"]
    database.close()


def test_a_row_that_somebody_else_holds_is_busy_and_the_others_go_on(
    postgres: PrivatePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "LOCK_LIMIT_MS", 100)
    url = postgres.new_database()
    database, other = Database(url), create_engine(url)
    database.run(add_kiosk("a"))
    database.run(add_kiosk("b"))
    with other.connect() as connection:
        connection.execute(select(schema.kiosk.c.id).where(schema.kiosk.c.id == "a").with_for_update())
        release = held(database)
        futures = [database.submit_request(request(name)) for name in ("a", "b")]
        release.set()
        with pytest.raises(DatabaseBusy):
            futures[0].result(10)
        assert futures[1].result(10) == 0
    other.dispose()
    assert database.submit_request(request("a")).result(10) == 0
    database.close()


def test_postgresql_answers_after_its_disk_and_reads_what_is_committed(postgres: PrivatePostgres) -> None:
    database = Database(postgres.new_database())
    for setting, value in (
        ("synchronous_commit", "on"),
        ("fsync", "on"),
        ("transaction_isolation", "read committed"),
        ("jit", "off"),
    ):
        assert database.run(lambda c, name=setting: c.execute(text(f"SHOW {name}")).scalar()) == value  # type: ignore[misc]
    database.close()


def test_a_server_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusableError, match=r"^database: .*: No such file or directory$") as told:
        open_engine(f"postgresql+psycopg://somebody:hidden-word@/kiosk?host={tmp_path}")
    assert "hidden-word" not in str(told.value)


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "backend.sqlite").write_bytes(b"x" * 8192)
    with pytest.raises(DatabaseUnusableError, match=r"^database: file is not a database$"):
        open_engine(tmp_path / "backend.sqlite")


@pytest.mark.parametrize("url", ["sqlite:///x", "postgresql://x/y", "mysql://x/y", "", "postgresql+psycopg2://x/y"])
def test_a_database_of_another_kind_is_refused_by_name(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match=r"^database-url: "):
        open_engine(url)


@pytest.mark.parametrize("where", ["@127.0.0.1:port/x", "@[::1/x", "@/x?host=a&host=b&port=1"])
def test_a_url_of_no_form_is_told_in_one_line_without_its_password(where: str) -> None:
    with pytest.raises(DatabaseUrlError, match=r"^database-url: [^\n]*$") as told:
        open_engine(f"postgresql+psycopg://somebody:hidden-word{where}")
    assert "hidden-word" not in str(told.value)


# --- statements of many rows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 127, 128, 129, 300])
def test_any_number_of_rows_is_added_and_found_again(database: Database, count: int) -> None:
    rows = [(f"id-{n}", "k", "a", n + 1, "t", n, "{}") for n in range(count)]
    database.run(lambda connection: intake._ADD_EVENTS.run(connection, rows))
    asked = [row[:2] for row in rows]
    found = database.run(lambda connection: intake._KNOWN_IDS.run(connection, [*asked, ("none", "k"), ("id-0", "x")]))
    assert found == dict.fromkeys(asked, ())
    assert database.run(lambda c: c.execute(select(func.count()).select_from(schema.event)).scalar()) == count


def test_a_last_number_is_set_and_set_again(database: Database) -> None:
    for last in (1, 2):
        rows = [("k", f"a{n}", last * n) for n in range(20)]
        database.run(lambda connection, rows=rows: intake._SET_LAST_NUMBERS.run(connection, rows))  # type: ignore[misc]
    numbers = database.run(lambda c: intake._LAST_NUMBERS.run(c, [("k", "a7"), ("k", "b"), ("x", "a7")]))
    assert numbers == {("k", "a7"): (14,)}


def test_a_nonce_is_new_once(database: Database) -> None:
    rows = [("k/1", f"n{n}", 5) for n in range(5)]
    first = database.run(lambda connection: exchange._NEW_NONCE.run(connection, rows[:3]))
    again = database.run(lambda connection: exchange._NEW_NONCE.run(connection, rows))
    assert first == {row[:2] for row in rows[:3]}
    assert again == {row[:2] for row in rows[3:]}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=400))
def test_powers_and_fillings_lose_and_invent_nothing(values: list[int]) -> None:
    from simulators.backend import bulk  # noqa: PLC0415  # its private parts

    rows = [(value,) for value in values]
    assert [row for part in bulk._powers(rows) for row in part] == rows
    sizes = [len(part) for part in bulk._powers(rows)]
    assert all(size & (size - 1) == 0 for size in sizes[:-1])
    assert all(size <= bulk.MAX_ROWS for size in sizes)
    assert sizes == [] or sizes[-1] <= bulk.FEW_ROWS or sizes[-1] & (sizes[-1] - 1) == 0
    filled = list(bulk._filled(rows))
    assert {len(part) for part in filled} <= {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, bulk.MAX_ROWS}
    assert {row for part in filled for row in part} == set(rows)
    assert len(filled) == -(-len(rows) // bulk.MAX_ROWS)


# --- versions -----------------------------------------------------------------------------------------------------


def test_the_migrations_make_what_the_schema_says(place: Place) -> None:
    engine = open_engine(place)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    engine.dispose()
    assert version == migrations.HEAD


def test_head_is_the_newest_revision() -> None:
    names = sorted(path.stem for path in (Path(migrations.__file__).parent / "versions").glob("[0-9]*.py"))
    assert names[-1].startswith(f"{migrations.HEAD}_")


def test_opening_again_keeps_every_row(place: Place) -> None:
    for name in ("a", "b"):
        database = Database(place)
        database.run(add_kiosk(name))
        database.close()
    database = Database(place)
    assert kiosks(database) == ["a", "b"]
    database.close()


def test_a_database_of_a_later_version_is_refused_and_left_alone(place: Place) -> None:
    database = Database(place)
    database.run(add_kiosk("a"))
    database.run(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    database.close()
    with pytest.raises(DatabaseVersionError, match="9999"):
        Database(place)


def test_tables_without_a_version_are_not_taken_for_ours(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'backend.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kiosk (id TEXT)"))
    engine.dispose()
    with pytest.raises(DatabaseVersionError, match="no version"):
        Database(tmp_path / "backend.sqlite")


def test_an_older_versions_events_are_all_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "HEAD", "0001")
        database = Database(place)
    rows = [(kiosk, f"id-{n}", f"a{n % 3}", n // 3 + 1, "t", n, "{}") for kiosk in ("b", "a") for n in range(7)]
    names = "kiosk, event_id, aggregate, aggregate_seq, type, created_utc_ms, body_json"
    values = [dict(zip(names.split(", "), row, strict=True)) for row in rows]
    adding = text(f"INSERT INTO event ({names}) VALUES (:{names.replace(', ', ', :')})")  # noqa: S608  # constants
    database.run(lambda connection: connection.execute(adding, values))
    database.close()
    database = Database(place)
    found = database.run(lambda c: c.execute(text(f"SELECT {names} FROM event")).all())  # noqa: S608
    last = database.run(lambda c: c.execute(select(schema.aggregate)).all())
    database.close()
    assert sorted(map(tuple, found)) == sorted(rows)
    assert sorted(map(tuple, last)) == [(kiosk, f"a{n}", 3 if n == 0 else 2) for kiosk in ("a", "b") for n in range(3)]


def test_processes_that_start_together_migrate_once(postgres: PrivatePostgres) -> None:
    url, opened = postgres.new_database(), list[Database]()
    threads = [threading.Thread(target=lambda: opened.append(Database(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    for database in opened:
        database.close()
