"""After a visit nothing personal is left anywhere; and the scanner that says so finds a value planted in each place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.store.transaction import Transaction
from kiosk.ui.screen import Screen, application
from simulators import demo
from simulators.card import open_persona
from simulators.personas import load
from simulators.residue import Needle
from simulators.screen import Finger, screen_of
from simulators.walk import Member
from tests.e2e.test_summary import PERSONA, Set, scene

FOUR_DIGITS = "8351"
"""Planted like a code; the visit's own code is random, and might be found by its label before it is planted."""


class Emptied:
    """A stage after a whole visit, its screen still open."""

    def __init__(self, scene: Set, screen: Screen, needles: tuple[Needle, ...]) -> None:
        self.scene, self.screen, self.needles = scene, screen, needles

    def found(self) -> list[str]:
        """What the demo's own scan finds now."""
        return demo.residue(self.scene.stage, self.screen, self.needles, self.scene.out)

    def value(self, label: str) -> str:
        """A value of the member's."""
        return next(needle.value for needle in self.needles if needle.label == label)


@pytest.fixture(scope="module")
def emptied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emptied]:
    """One member has come and gone, with an update, a serial number, a code and a ticket."""
    folder = tmp_path_factory.mktemp("emptied")
    application()
    with scene(folder) as ready:
        screen = screen_of(ready.stage.settings, ready.stage.kiosk.post, still=True)
        ready.album.attach(screen)
        member = Member(ready.stage, ready.album, Finger(screen), load(PERSONA), open_persona(PERSONA))
        ready.album.watch = demo._Seen(member).note
        ready.stage.kiosk.start()
        walk = member.visit()
        ready.album.watch = lambda _state: None
        assert [step.name for step in walk.steps if not step.ok] == []
        assert demo._drained(ready.stage) == 0
        yield Emptied(ready, screen, (*demo.needles(load(PERSONA), walk), Needle("four digits", FOUR_DIGITS)))
        screen.close()


def test_nothing_is_left_of_a_whole_visit(emptied: Emptied) -> None:
    labels = {needle.label for needle in emptied.needles}
    assert {"code", "serial", "last 11 digits", "NIR of beneficiary 0", "post code"} <= labels
    assert emptied.found() == []


def in_file(name: str) -> Callable[[Emptied, str], tuple[str, Callable[[], None]]]:
    """Plant into a file below the stage's folder; returns what must be found, and the way to take it back."""

    def plant(emptied: Emptied, value: str) -> tuple[str, Callable[[], None]]:
        path = emptied.scene.stage.folder / name
        before = path.read_bytes() if path.exists() else None
        with path.open("a", encoding="utf-8") as file:
            file.write(f"once {value} was here\n")

        def undo() -> None:
            if before is None:
                path.unlink()
            else:
                path.write_bytes(before)

        return path.name, undo

    return plant


def in_table(table: str, plant_sql: str, undo_sql: str) -> Callable[[Emptied, str], tuple[str, Callable[[], None]]]:
    """Plant into the encrypted database, through its own thread."""

    def plant(emptied: Emptied, value: str) -> tuple[str, Callable[[], None]]:
        def work(tx: Transaction) -> None:
            tx.execute(plant_sql.replace(":value", f"'{value}'"))

        emptied.scene.store.submit(work).result()
        return f"table {table}", lambda: discard(emptied, undo_sql)

    return plant


def discard(emptied: Emptied, sql: str) -> None:
    """Take back what was planted."""
    emptied.scene.store.submit(lambda tx: tx.execute(sql)).result()


def in_object(emptied: Emptied, value: str) -> tuple[str, Callable[[], None]]:
    """Plant into an attribute of the kiosk."""
    kiosk = emptied.scene.stage.kiosk
    vars(kiosk)["planted"] = {"deep": [f"{value} "]}
    return "object", lambda: vars(kiosk).pop("planted") and None


PLACES = {
    "apdu log": in_file("out/apdu.log"),
    "summary": in_file("out/summary.json"),
    "state directory": in_file("kiosk/left-behind.txt"),
    "backend log": in_file("backend/backend.log"),
    "outbox": in_table(
        "event",
        "INSERT INTO event(event_id, aggregate, aggregate_seq, type, schema_version, body, created_utc_ms,"
        " created_boot_ms, boot_id) VALUES ('00000000-0000-7000-8000-000000000000', 'planted', 1, 'planted', 1,"
        " CAST(:value AS BLOB), 0, 0, '')",
        "DELETE FROM event WHERE aggregate = 'planted'",
    ),
    "journal": in_table(
        "journal",
        "INSERT INTO journal VALUES (1000000, 0, 'planted', NULL, '{\"field\":\"' || :value || '\"}', zeroblob(32))",
        "DELETE FROM journal WHERE type = 'planted'",
    ),
    "setting": in_table(
        "setting", "INSERT INTO setting VALUES ('planted', :value)", "DELETE FROM setting WHERE key = 'planted'"
    ),
    "object": in_object,
}


@pytest.mark.parametrize(
    "label",
    ["serial", "NIR of beneficiary 0", "family name of beneficiary 1", "first name of beneficiary 1", "four digits"],
)
@pytest.mark.parametrize("place", PLACES)
def test_a_planted_value_is_found(emptied: Emptied, place: str, label: str) -> None:
    where, undo = PLACES[place](emptied, emptied.value(label))
    try:
        found = emptied.found()
    finally:
        undo()
    assert [entry for entry in found if where in entry and label in entry], found
    assert emptied.found() == []


def test_a_picture_in_the_state_directory_is_residue(emptied: Emptied) -> None:
    picture = Path(emptied.scene.stage.folder / "kiosk" / "ticket.png")
    picture.write_bytes(b"")
    assert emptied.found() == ["ticket.png: picture"]
    picture.unlink()


def test_a_code_like_a_status_word_in_the_log_is_not_taken_for_residue(emptied: Emptied) -> None:
    assert any(" SW 9000 " in line for line in emptied.scene.stage.trace)
    (emptied.scene.out / "apdu.log").write_text("\n".join(emptied.scene.stage.trace), encoding="utf-8")
    assert demo.residue(emptied.scene.stage, emptied.screen, [Needle("code", "9000")], emptied.scene.out) == []
