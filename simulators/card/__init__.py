"""Simulated cards: an ISO/IEC 7816-4 card object for every persona, to put into any simulated reader.

card = open_persona("outdated", Path("card.img"))
atr = card.power_on()
answer = card.transmit(bytes.fromhex("00A4040C0BD250000002564954414C45"))
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from simulators.card.card import MUTE_ATR, SimulatedCard
from simulators.card.challenges import Challenges
from simulators.card.chip import BareChip, speaks_t1
from simulators.card.commands import INSTRUCTIONS
from simulators.card.content import file_system
from simulators.card.faults import CardGoneError, CardHangsError, FaultKind, PlannedFault
from simulators.card.files import FileSystem
from simulators.card.image import Image, ImageError, open_image
from simulators.card.keys import KeySet, key_set
from simulators.card.logical_channels import LogicalChannels
from simulators.card.pin import Pin
from simulators.card.staff_authority import authority_certificate, staff_key
from simulators.card.staff_chip import StaffChip
from simulators.card.staff_content import staff_files
from simulators.card.stored_keys import StoredKeys
from simulators.card.vitale_chip import VitaleChip
from simulators.personas import Persona, StaffIdentity, load

__all__ = [
    "MUTE_ATR",
    "CardGoneError",
    "CardHangsError",
    "FaultKind",
    "ImageError",
    "KeySet",
    "PlannedFault",
    "SimulatedCard",
    "authority_certificate",
    "build_card",
    "key_set",
    "open_card",
    "open_persona",
]


def open_persona(
    name: str,
    image: Path | None = None,
    *,
    faults: Iterable[PlannedFault] = (),
    challenge_seed: bytes | None = None,
) -> SimulatedCard:
    """The card of a built-in persona. `image`: None keeps it in memory; a path is created if missing, else loaded.

    Raises `KeyError` for an unknown name and `ValueError` for an image that cannot be this card's.
    """
    card = open_card(load(name), image, faults=faults, challenge_seed=challenge_seed)
    if isinstance(card, ImageError):
        raise ValueError(str(card))
    return card


def open_card(
    persona: Persona,
    image: Path | None = None,
    *,
    faults: Iterable[PlannedFault] = (),
    challenge_seed: bytes | None = None,
) -> SimulatedCard | ImageError:
    """The card of any persona; an `ImageError` for a file that is not its image. A card without files has no image."""
    chip, centre = persona.card.chip, persona.centre
    if persona.card.staff is not None:
        return _open_staff_card(persona.card.atr, persona.card.staff, image, faults, challenge_seed)
    if chip is None or centre is None:
        return SimulatedCard(persona.card.atr, BareChip(), faults=faults)
    files = file_system(chip, centre.orders)
    contents = Image(files) if image is None else open_image(files, image)
    if isinstance(contents, ImageError):
        return contents
    return build_card(persona.card.atr, files, contents, chip.serial, faults=faults, challenge_seed=challenge_seed)


def build_card(
    atr: bytes,
    files: FileSystem,
    image: Image,
    serial: str,
    *,
    factory_keys: KeySet | None = None,
    faults: Iterable[PlannedFault] = (),
    challenge_seed: bytes | None = None,
) -> SimulatedCard:
    """A Vitale 2 from its parts. `factory_keys`: AES keys of any length instead of the centre's diversified ones."""
    challenges = Challenges(challenge_seed)
    keys = StoredKeys(factory_keys or key_set(serial), files, image)

    def channel() -> VitaleChip:
        return VitaleChip(
            files,
            image,
            serial=serial,
            keys=keys,
            challenges=challenges,
            instructions=INSTRUCTIONS,
            block_protocol=speaks_t1(atr),
        )

    return SimulatedCard(atr, LogicalChannels(channel), image=image, challenges=challenges, faults=faults)


def _open_staff_card(
    atr: bytes, staff: StaffIdentity, image: Path | None, faults: Iterable[PlannedFault], challenge_seed: bytes | None
) -> SimulatedCard | ImageError:
    files, counter = staff_files(staff)
    contents = Image(files) if image is None else open_image(files, image)
    if isinstance(contents, ImageError):
        return contents
    challenges = Challenges(challenge_seed)
    pin = Pin(staff.pin, contents, counter)
    chip = StaffChip(files, contents, pin=pin, key=staff_key(staff.identifier), challenges=challenges)
    return SimulatedCard(atr, chip, image=contents, challenges=challenges, faults=faults)
