"""What is on the chip, and the image that keeps it: survival, tearing, recovery, refusal of foreign images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.card.apdu import CommandApdu, ResponseApdu, parse_command
from kiosk.card.transport import TransportError, complete_t0
from kiosk.card.values import CardContent, Generation
from kiosk.card.vitale2 import read_vitale2
from simulators.card import CardGoneError, FaultKind, ImageError, PlannedFault, SimulatedCard, open_card, open_persona
from simulators.card.content import organisation_file, rights_file, state_file
from simulators.card.image import replace_file
from simulators.card.scp03 import Answer, HostSession
from simulators.personas import load, names
from tests.simulators.card.driver import Driver

VITALE_2 = [name for name in names() if load(name).card.chip is not None]
FLAG_ON = (0x94, 4, b"\x01")
FLAG_OFF = (0x94, 4, b"\x00")


def _read(card: SimulatedCard) -> CardContent:
    """With the product's own reader and T=0 rules."""

    def exchange(apdu: bytes) -> ResponseApdu | TransportError:
        command = parse_command(apdu)
        assert isinstance(command, CommandApdu)
        return complete_t0(card.transmit, command)

    content = read_vitale2(exchange)
    assert isinstance(content, CardContent)
    return content


@pytest.mark.parametrize("name", VITALE_2)
def test_the_product_reads_back_what_the_persona_says(name: str) -> None:
    chip = load(name).card.chip
    assert chip is not None
    card = open_persona(name)
    card.power_on()
    content = _read(card)
    assert content.generation is Generation.VITALE_2
    assert content.iccsn == chip.serial
    assert content.beneficiaries == chip.beneficiaries
    assert content.start_date == chip.start_date
    assert content.last_update == chip.last_update
    assert content.unfinished is (name == "torn")
    if name == "torn":
        assert content.rights == ()
    else:
        assert (content.organisation, content.rights) == (chip.organisation, chip.rights)


def test_every_card_says_that_it_is_fiction() -> None:
    for name in VITALE_2:
        assert open_persona(name).image_bytes().count(b"CARTE FICTIVE") == 3


def test_torn_card_is_half_old_half_new() -> None:
    persona = load("torn")
    assert persona.card.chip is not None
    assert persona.centre is not None
    after = persona.centre.orders[0].after
    old, new = rights_file(persona.card.chip.rights), rights_file(after.rights)
    image = open_persona("torn").image_bytes()
    assert new[:64] + old[64:] in image
    assert organisation_file(after.organisation) in image
    assert old not in image
    assert new not in image


def test_too_many_periods_do_not_fit() -> None:
    chip = load("outdated").card.chip
    assert chip is not None
    with pytest.raises(ValueError, match="holds 448 bytes"):
        rights_file(chip.rights * 19)


def _update(driver: Driver, host: HostSession, *writes: tuple[int, int, bytes]) -> None:
    for write in writes:
        assert host.unwrap(driver.send(host.wrap(0xD6, *write))) == Answer(b"", 0x9000)


def whole_update() -> list[tuple[int, int, bytes]]:
    """Flag, three whole files, flag: as the centre writes them."""
    persona = load("outdated")
    assert persona.centre is not None
    after = persona.centre.orders[0].after
    rights = rights_file(after.rights)
    state = state_file(unfinished=True, last_update=persona.card.chip.last_update if persona.card.chip else None)
    return [
        FLAG_ON,
        (0x92, 0, organisation_file(after.organisation)),
        (0x93, 0, rights[:224]),
        (0x93, 224, rights[224:]),
        (0x94, 0, state),
        FLAG_OFF,
    ]


def test_image_is_created_then_survives(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    first = open_persona("outdated", path)
    assert path.read_bytes() == first.image_bytes()
    first.power_on()
    driver = Driver(first)
    for write in whole_update():
        _update(driver, driver.session(), write)
        assert path.read_bytes() == first.image_bytes()  # on disk before the answer left
    again = open_persona("outdated", path)
    assert again.digest() == first.digest() != open_persona("outdated").digest()
    again.power_on()
    content = _read(again)
    centre = load("outdated").centre
    assert centre is not None
    assert content.rights == centre.orders[0].after.rights
    assert not content.unfinished
    assert [entry.name for entry in tmp_path.iterdir()] == ["card.img"]


@pytest.mark.parametrize("write", range(1, 13))
def test_tear_at_every_page_write_then_recover(write: int, tmp_path: Path) -> None:
    """The update writes 12 pages (two chunks of 3.5 pages take 4 each). Torn after the first, the card says so."""
    path = tmp_path / "card.img"
    card = open_persona("outdated", path, faults=[PlannedFault(FaultKind.TORN_WRITE, at=write)])
    before = card.digest()
    card.power_on()
    driver = Driver(card)
    host = driver.session()
    with pytest.raises(CardGoneError):
        _update(driver, host, *whole_update())
    assert card.vanished
    card = open_persona("outdated", path)
    card.power_on()
    assert _read(card).unfinished is (write > 1)
    assert (card.digest() == before) is (write == 1)
    driver = Driver(card)
    _update(driver, driver.session(), *whole_update())
    content = _read(card)
    centre = load("outdated").centre
    assert centre is not None
    assert (content.unfinished, content.rights) == (False, centre.orders[0].after.rights)


def test_thewhole_update_is_twelve_page_writes() -> None:
    card = open_persona("outdated", faults=[PlannedFault(FaultKind.TORN_WRITE, at=13)])
    card.power_on()
    driver = Driver(card)
    _update(driver, driver.session(), *whole_update())


def test_restore_puts_back_memory_and_file(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    card = open_persona("outdated", path)
    before = card.image_bytes()
    card.power_on()
    driver = Driver(card)
    _update(driver, driver.session(), FLAG_ON)
    assert card.image_bytes() != before
    assert card.restore(before) is None
    assert card.image_bytes() == before == path.read_bytes()
    assert isinstance(card.restore(open_persona("torn").image_bytes()), ImageError)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "an image of this card has"),
        (b"\x00" * 100_000, "an image of this card has"),
        (None, "not a card image"),
    ],
)
def test_foreign_file_is_refused_and_left_alone(content: bytes | None, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    content = bytes(len(open_persona("outdated").image_bytes())) if content is None else content
    path.write_bytes(content)
    error = open_card(load("outdated"), path)
    assert isinstance(error, ImageError)
    assert cause in str(error)
    assert str(tmp_path) not in str(error)
    assert path.read_bytes() == content


def test_image_of_another_card_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    persona = load("outdated")
    assert persona.card.chip is not None
    sibling = replace(
        persona, card=replace(persona.card, chip=replace(persona.card.chip, serial="8025000002" + "1" * 11))
    )
    assert isinstance(open_card(sibling, path), SimulatedCard)
    with pytest.raises(ValueError, match="another card"):
        open_persona("outdated", path)


def test_image_in_a_missing_folder_is_an_error_value(tmp_path: Path) -> None:
    assert isinstance(open_card(load("outdated"), tmp_path / "absent" / "card.img"), ImageError)


def test_disk_failure_is_a_memory_failure_status(tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    card = open_persona("outdated", path)
    card.power_on()
    driver = Driver(card)
    host = driver.session()
    before = card.digest()
    path.unlink()
    assert host.unwrap(driver.send(host.wrap(0xD6, *FLAG_ON))) == Answer(b"", 0x6581)
    assert card.digest() == before


def test_replacement_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "card.img"
    path.write_bytes(b"old")

    def refuse(_descriptor: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="no space"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["card.img"]
