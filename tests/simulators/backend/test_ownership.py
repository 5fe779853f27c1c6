"""A database belongs to the centre that came first, on both engines; another data directory is told whose it is."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, func, select, text

from simulators.backend import in_thread, migrations, schema
from simulators.backend.__main__ import main
from simulators.backend.authority import Authority, open_authority
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.database import Database
from simulators.backend.files import DataDir
from simulators.backend.ownership import OtherCentreError, claim, probe
from simulators.backend.private_postgres import PrivatePostgres, private_postgres
from tests.simulators.backend.kiosk_side import LIMIT_S

COMMANDS: dict[str, list[str]] = {
    "serve": ["serve"],
    "serve several": ["serve", "--fronts", "1"],
    "ticket": ["ticket", "--kiosk", "borne-0001"],
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    with private_postgres() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def centres(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataDir, DataDir]:
    """Two data directories with their keys, and no database."""
    found = [DataDir(tmp_path_factory.mktemp("centre") / "data") for _ in range(2)]
    for data in found:
        data.create()
        authority_of(data)
    return found[0], found[1]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, centres: tuple[DataDir, DataDir]
) -> Iterator[Callable[[DataDir], Path | str]]:
    """Where the one database is, as either directory would name it."""
    if request.param == "postgresql":
        cluster: PrivatePostgres = request.getfixturevalue("postgres")
        url = cluster.new_database()
        yield lambda _: url
        return
    yield lambda data: data.database
    for data in centres:
        for file in data.root.glob("backend.sqlite*"):
            file.unlink()


def authority_of(data: DataDir) -> Authority:
    return open_authority(data, utc(system_utc_s()))


def fingerprint(data: DataDir) -> str:
    """As `openssl x509 -fingerprint -sha256` has it, in small letters and without colons."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(data.ca_file.read_text("ascii"))).hexdigest()


def on(place: Path | str, work: Callable[[Connection], Any]) -> Any:
    database = Database(place)
    try:
        return database.run(work)
    finally:
        database.close()


def moved(place: Callable[[DataDir], Path | str], source: DataDir, target: DataDir) -> None:
    """The file of one directory is found in another; a server's database is there for both anyway."""
    if isinstance(place(source), Path):
        source.database.rename(target.database)


@pytest.mark.parametrize("command", COMMANDS)
def test_another_directory_is_refused_in_one_line_and_changes_nothing(
    centres: tuple[DataDir, DataDir],
    place: Callable[[DataDir], Path | str],
    capsys: pytest.CaptureFixture[str],
    taken_port: int,
    command: str,
) -> None:
    first, other = centres
    on(place(first), lambda connection: claim(connection, authority_of(first)))
    moved(place, first, other)
    where = place(other)
    url = [] if isinstance(where, Path) else ["--database-url", where]
    port = [f"--port={taken_port}"] if "serve" in command else []
    assert main([*COMMANDS[command], "--data", str(other.root), *url, *port]) == 1
    said = (
        f"simulators.backend: database: it belongs to the centre with the CA certificate {fingerprint(first)}"
        f" (SHA-256); that of this directory is {fingerprint(other)}\n"
    )
    assert capsys.readouterr() == ("", said)
    tables = (schema.card, schema.kiosk, schema.ticket, schema.document)
    counts = select(*(select(func.count()).select_from(table).scalar_subquery() for table in tables))
    assert tuple(on(where, lambda connection: connection.execute(counts).one())) == (0, 0, 0, 0)


def test_a_start_takes_what_nobody_has_and_the_next_ones_find_it(
    first_start: Path, data_dir: Path, centres: tuple[DataDir, DataDir], opened: list[Database]
) -> None:
    with in_thread(data_dir):
        rows = opened[-1].run(lambda connection: connection.execute(select(schema.owner)).all())
    assert [(row.id, row.ca_sha256.hex()) for row in rows] == [(1, fingerprint(DataDir(first_start)))]
    database = Database(DataDir(data_dir).database)
    with pytest.raises(OtherCentreError):
        database.run(lambda connection: claim(connection, authority_of(centres[0])))
    database.close()


def test_a_database_of_before_belongs_to_the_first_that_comes(
    centres: tuple[DataDir, DataDir], place: Callable[[DataDir], Path | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = centres
    with monkeypatch.context() as before:
        before.setattr(migrations, "HEAD", "0002")
        Database(place(first)).close()
    on(place(first), lambda connection: claim(connection, authority_of(first)))
    moved(place, first, other)
    with pytest.raises(OtherCentreError, match=f"{fingerprint(first)}.*{fingerprint(other)}"):
        on(place(other), lambda connection: claim(connection, authority_of(other)))
    moved(place, other, first)
    on(place(first), lambda connection: claim(connection, authority_of(first)))


def test_of_two_that_start_together_one_is_first(postgres: PrivatePostgres, centres: tuple[DataDir, DataDir]) -> None:
    url, (first, other) = postgres.new_database(), centres
    database, engine = Database(url), create_engine(url)
    with engine.connect() as connection, engine.connect() as watcher:
        claim(connection, authority_of(first))
        waiting = database.submit(lambda mine: claim(mine, authority_of(other)))
        while not watcher.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted")).first():
            assert not waiting.done()
        connection.commit()
        with pytest.raises(OtherCentreError):
            waiting.result(LIMIT_S)
    engine.dispose()
    database.close()


def test_a_later_claim_writes_nothing_and_a_probe_always_does(centres: tuple[DataDir, DataDir], tmp_path: Path) -> None:
    authority, file = authority_of(centres[0]), tmp_path / "backend.sqlite"
    wal = file.with_name("backend.sqlite-wal")
    database = Database(file)
    database.run(lambda connection: claim(connection, authority))
    sizes = [wal.stat().st_size]
    for work in (lambda connection: claim(connection, authority), probe, probe):
        database.run(work)
        sizes.append(wal.stat().st_size)
    database.close()
    assert sizes[0] == sizes[1] < sizes[2] < sizes[3]
