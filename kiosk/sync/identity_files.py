"""The files of an identity, and its ledger: which keys are in force, and which shall come after them.

Keys come in *slots*, counted upwards. Slot 1 has the names `tls.key.pem` and `tls.cert.pem` (there was a time before
renewal), slot n `tls-<n>.key.pem`, `tls-<n>.cert.pem`; signing keys are the key store's. `ledger.json` is what makes a
slot valid; without one, slot 1 is in force under the key identifier that `trust.json` names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeVar

from kiosk.store.files import sync_directory, write_private
from kiosk.sync.fields import FieldError, Fields, read
from kiosk.sync.keys import MAX_SLOT
from kiosk.sync.profile import KIOSK_KEYID
from kiosk.sync.strict_json import JsonError, decode, encode

T = TypeVar("T")
FIRST_SLOT: Final = 1
LEDGER: Final = "ledger.json"
TRUST: Final = "trust.json"
MAX_SMALL_BYTES: Final = 1024
_TLS_NAME: Final = re.compile(r"tls(?:-([1-9][0-9]{0,5}))?\.(?:key|cert)\.pem", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """One slot, and the identifier under which the backend knows its signing key."""

    slot: int
    keyid: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """`next`: certified by the backend, and not yet proven by a signed answer."""

    current: Entry
    next: Entry | None = None


@dataclass(frozen=True, slots=True)
class FileError:
    """Why one of the files cannot be read or followed."""

    reason: str


def tls_key_file(directory: Path, slot: int) -> Path:
    """PKCS#8 PEM of a slot's TLS key."""
    return directory / ("tls.key.pem" if slot == FIRST_SLOT else f"tls-{slot}.key.pem")


def tls_certificate_file(directory: Path, slot: int) -> Path:
    """PEM of a slot's certificate."""
    return directory / ("tls.cert.pem" if slot == FIRST_SLOT else f"tls-{slot}.cert.pem")


def read_small(path: Path, build: Callable[[Fields], T]) -> T | FileError | None:
    """A JSON object of at most 1 KiB, read field by field; None where there is no file."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SMALL_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return FileError(os.strerror(error.errno or 0))
    body = decode(raw, MAX_SMALL_BYTES)
    value = body if isinstance(body, JsonError) else read(body, build)
    return FileError(str(value)) if isinstance(value, JsonError | FieldError) else value


def read_ledger(directory: Path) -> Ledger | FileError | None:
    """The ledger; None where there is none."""
    return read_small(directory / LEDGER, _ledger)


def write_ledger(directory: Path, ledger: Ledger) -> None:
    """Durable when this returns. Raises OSError."""
    write_private(directory / LEDGER, encode(asdict(ledger)))


def tls_slots(directory: Path) -> list[int]:
    """Slots of which there is a TLS file, ascending."""
    names = (_TLS_NAME.fullmatch(path.name) for path in directory.iterdir())
    return sorted({int(name[1] or FIRST_SLOT) for name in names if name})


def remove_tls_files(directory: Path, slot: int) -> None:
    """Raises OSError; what is gone already is no error."""
    tls_key_file(directory, slot).unlink(missing_ok=True)
    tls_certificate_file(directory, slot).unlink(missing_ok=True)
    sync_directory(directory)


def _ledger(fields: Fields) -> Ledger:
    current = _entry(fields.object("current"))
    following = fields.optional("next", lambda name: _entry(fields.object(name)))
    if following is not None and following.slot <= current.slot:
        fields.refuse("next", "a slot above the current one expected")
    return Ledger(current, following)


def _entry(fields: Fields) -> Entry:
    return Entry(fields.whole("slot", FIRST_SLOT, MAX_SLOT), fields.text("keyid", pattern=KIOSK_KEYID))
