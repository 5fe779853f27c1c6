"""The scanner finds what is planted, in every place and form; a scanner that finds nothing proves nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from simulators import samples
from simulators.residue import Needle, scan_files, scan_objects, scan_rows, scan_text

SERIAL = Needle("serial", "802500000200000000013")
CODE = Needle("code", "0427")


@dataclass
class _Holder:
    inside: object = field(repr=False)


@pytest.mark.parametrize(
    "data",
    [
        b"x802500000200000000013x",
        "802500000200000000013".encode("utf-16-le"),
        b"802500000200000000013".hex().encode(),
        b"802500000200000000013".hex().upper().encode(),
        bytes.fromhex("802500000200000000013f"),
        b"802500000200000000013F",
    ],
)
def test_every_form_is_found(data: bytes) -> None:
    assert scan_text("here", data, [SERIAL]) == ["here: serial"]


@pytest.mark.parametrize(
    ("data", "found"), [(b"code 0427.", True), (b"10427", False), (b"04271", False), (b"\x04\x27", False)]
)
def test_a_short_value_is_a_whole_word(data: bytes, found: bool) -> None:
    assert bool(scan_text("here", data, [CODE])) is found


@pytest.mark.parametrize(
    "inside",
    [
        "802500000200000000013",
        ["deep", {"deeper": ("802500000200000000013",)}],
        bytearray(b"..802500000200000000013.."),
        lambda planted=SERIAL.value: planted,
    ],
    ids=["attribute", "containers", "bytes", "closure"],
)
def test_planted_in_reachable_objects(inside: object) -> None:
    assert "object: serial" in scan_objects([_Holder(inside)], [SERIAL], ignore=())


@pytest.mark.parametrize("shown", ["JEANNE SPECIMEN-LEROY", "Jeanne Specimen-Leroy", "mme specimen-leroy"])
def test_a_name_is_found_however_it_is_written(shown: str) -> None:
    assert scan_text("here", shown.encode(), [Needle("name", "SPECIMEN-LEROY")]) == ["here: name"]


@pytest.mark.parametrize(("data", "found"), [(b"Carte de Leo S.", True), (b"leopard", False), (b"Napoleon", False)])
def test_a_short_name_is_a_whole_word(data: bytes, found: bool) -> None:
    assert bool(scan_text("here", data, [Needle("name", "LEO")])) is found


def test_a_member_that_is_still_held_is_residue_by_itself() -> None:
    assert "object: Member" in scan_objects([_Holder(samples.MEMBER)], [], ignore=())
    assert scan_objects([_Holder(None)], [SERIAL], ignore=()) == []


def test_files_and_rows(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("serial 802500000200000000013", encoding="utf-8")
    (tmp_path / "ticket.png").write_bytes(b"")
    assert scan_files(tmp_path, [SERIAL]) == ["a.log: serial", "ticket.png: picture"]
    assert scan_files(tmp_path, [SERIAL], only=(".log",)) == ["a.log: serial"]
    assert scan_rows({"event": [(1, b"{}", "802500000200000000013")]}, [SERIAL]) == ["table event: serial"]
