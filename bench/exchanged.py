"""What passes between reader and card for a read and an update, against the least that the data needs (T=0).

The least for a read, by somebody who knows the length of everything beforehand: both applications and each file that
the kiosk uses selected once (the published structure offers no short identifiers), and each file's data objects,
without the filling behind them, in blocks of 256 bytes. A reader who does not know the lengths pays one 6Cxx for each
file; the kiosk does.

The least for an update, whoever writes it: application selected, SCP03 opened, the flag set, the data objects of each
file that changes in protected commands as long as a short APDU can be, the state with its date and the flag closed at
once. Every protected answer has a MAC and costs a GET RESPONSE. What the centre sends is more: it looks at the flag
first, rewrites files whole, and closes the flag in a command of its own. The kiosk executes that unchanged and can save
nothing of it; the last line counts what it adds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.figures import Figure
from bench.recording import record
from bench.relay import Replay
from bench.rig import PERSONA, rig
from kiosk.card import layout
from kiosk.card.tlv import TlvError, parse_tlvs
from simulators.backend.simfiles import FLAG_OPEN
from simulators.card.content import file_system, organisation_file, rights_file, state_file
from simulators.card.timing import Exchange
from simulators.personas import ChipIdentity, Order, load
from simulators.stage import slots

BLOCK_BYTES: Final = 256
LONGEST_BYTES: Final = 239
"""Padded to 240 and with its MAC, the data of a short protected command."""
DAY: Final = date(2026, 1, 1)
_SIM_FILES: Final = (layout.SIM_BENEFICIARIES, layout.SIM_ORGANISATION, layout.SIM_RIGHTS, layout.SIM_STATE)
_HEADER_BYTES: Final = 5
_SW_BYTES: Final = 2
_FID_BYTES: Final = 2
_MAC_BYTES: Final = 8
_CIPHER_BLOCK_BYTES: Final = 16
_INITIALIZE_UPDATE_BYTES: Final = 13
_CARD_CRYPTOGRAM_BYTES: Final = 29
_EXTERNAL_AUTHENTICATE_BYTES: Final = 21


def figures(rounds: int) -> list[Figure]:
    """Counts, the same each time: `rounds` has no meaning here."""
    del rounds
    with TemporaryDirectory(prefix="kiosk-bench-") as name, slots("embedded") as hands, rig(hands, None) as on:
        recording = record(on, hands, Path(name))
        on.restore()
        read = on.exchanges(on.read)
        update = on.exchanges(Replay(on, recording).whole)
    asked = sum(
        2 if len(command) > _HEADER_BYTES and len(response) > _SW_BYTES else 1
        for command, response in zip(recording.commands, recording.responses, strict=True)
    )
    return [
        *_pair("read", read, least_to_read(PERSONA)),
        *_pair("update", update, least_to_update(PERSONA)),
        Figure("update: TPDUs / what the centre's commands need", len(update), "TPDUs", asked),
    ]


def _pair(what: str, exchanged: list[Exchange], least: list[Exchange]) -> list[Figure]:
    return [
        Figure(f"{what}: TPDUs / least for the data", len(exchanged), "TPDUs", len(least)),
        Figure(f"{what}: bytes both ways / least for the data", _bytes(exchanged), "bytes", _bytes(least)),
    ]


def _bytes(exchanges: list[Exchange]) -> int:
    return sum(exchange.command_bytes + exchange.answer_bytes for exchange in exchanges)


def least_to_read(persona: str) -> list[Exchange]:
    """The card of this persona, as it is at first."""
    chip, orders = _halves(persona)
    wanted = {layout.EF_PAN, layout.EF_POINTERS, *(place[1] for place in _SIM_FILES)}
    files = [ef.initial for ef in file_system(chip, orders).efs() if ef.fid in wanted]
    selected = [_select(len(layout.AID_MF_VITALE)), _select(len(layout.AID_VITALE))]
    return selected + [exchange for file in files for exchange in (_select(_FID_BYTES), *_read_blocks(_objects(file)))]


def least_to_update(persona: str) -> list[Exchange]:
    """The first order of this persona, on the card as it is at first. Pages are not counted."""
    chip, orders = _halves(persona)
    after = orders[0].after
    pairs = (
        (organisation_file(chip.organisation), organisation_file(after.organisation)),
        (rights_file(chip.rights), rights_file(after.rights)),
    )
    changed = [_objects(new) for old, new in pairs if old != new]
    state = _objects(state_file(unfinished=False, last_update=DAY))
    writes = [len(FLAG_OPEN), *(size for file in changed for size in _sizes(len(file), LONGEST_BYTES)), len(state)]
    return [
        _select(len(layout.AID_VITALE)),
        *_with_answer(_INITIALIZE_UPDATE_BYTES, _CARD_CRYPTOGRAM_BYTES),
        Exchange(_EXTERNAL_AUTHENTICATE_BYTES, _SW_BYTES),
        *(exchange for size in writes for exchange in _with_answer(_protected_bytes(size), _MAC_BYTES)),
    ]


def _halves(persona: str) -> tuple[ChipIdentity, tuple[Order, ...]]:
    known = load(persona)
    if known.card.chip is None or known.centre is None:
        raise ValueError(f"{persona} has no chip that could be updated")
    return known.card.chip, known.centre.orders


def _objects(file: bytes) -> bytes:
    """The data objects at the beginning of a file, without what fills it up."""
    found = parse_tlvs(file, padded=True)
    if isinstance(found, TlvError):
        raise TypeError(str(found))
    return file[: max(item.value_offset + len(item.value) for item in found)]


def _select(name_bytes: int) -> Exchange:
    return Exchange(_HEADER_BYTES + name_bytes, _SW_BYTES)


def _read_blocks(content: bytes) -> Iterator[Exchange]:
    return (Exchange(_HEADER_BYTES, size + _SW_BYTES) for size in _sizes(len(content), BLOCK_BYTES))


def _protected_bytes(data_bytes: int) -> int:
    """A command whose data is padded by at least one byte, encrypted and followed by its MAC."""
    blocks = data_bytes // _CIPHER_BLOCK_BYTES + 1
    return _HEADER_BYTES + blocks * _CIPHER_BLOCK_BYTES + _MAC_BYTES


def _with_answer(command_bytes: int, data_bytes: int) -> tuple[Exchange, Exchange]:
    """Under T=0 a command with data is answered 61xx, and its answer is fetched."""
    return Exchange(command_bytes, _SW_BYTES), Exchange(_HEADER_BYTES, data_bytes + _SW_BYTES)


def _sizes(total_bytes: int, most_bytes: int) -> list[int]:
    return [min(most_bytes, total_bytes - start) for start in range(0, total_bytes, most_bytes)]
