"""Which enrolment with a ticket an identity comes from, and whether the kiosk's database knows of it yet.

An identity and a database are two things on a disk, and no power cut falls between them unseen: the record is written
before the new keys are in force, counts from the moment they are, and is *settled* once the database has taken note.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from kiosk.store.files import write_private
from kiosk.sync.fields import Fields
from kiosk.sync.identity import IdentityError, in_force
from kiosk.sync.identity_files import FIRST_SLOT, FileError, read_small
from kiosk.sync.keys import MAX_SLOT
from kiosk.sync.profile import KIOSK_KEYID, generation_of
from kiosk.sync.strict_json import encode

RECORD: Final = "enrolment.json"
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class EnrolmentRecord:
    """ticket_sha256: hexadecimal, of the ticket's text; slot, keyid: of the keys that it brought."""

    ticket_sha256: str
    slot: int
    keyid: str
    settled: bool = False

    @property
    def generation(self) -> int:
        """Of the signing key, as the backend counts."""
        return generation_of(self.keyid)


def ticket_sha256(ticket_text: str) -> str:
    """What names an enrolment: its ticket works once."""
    return hashlib.sha256(ticket_text.encode("ascii")).hexdigest()


def last_enrolment(directory: Path) -> EnrolmentRecord | IdentityError | None:
    """The enrolment that the keys in force come from; None: they are older, or not in force yet, or there are none.

    Renewals move the keys on; none can follow the keys before an enrolment, which the backend has retired with it.
    """
    record = read_small(directory / RECORD, _record)
    if isinstance(record, FileError):
        return IdentityError(RECORD, record.reason)
    held = in_force(directory)
    return record if record and not isinstance(held, IdentityError) and held.slot >= record.slot else None


def write_record(directory: Path, record: EnrolmentRecord) -> None:
    """Durable when this returns. Raises OSError."""
    write_private(directory / RECORD, encode(asdict(record)))


def write_settled(directory: Path, record: EnrolmentRecord) -> None:
    """The database knows. Raises OSError."""
    write_record(directory, replace(record, settled=True))


def _record(fields: Fields) -> EnrolmentRecord:
    return EnrolmentRecord(
        fields.text("ticket_sha256", pattern=_SHA256),
        fields.whole("slot", FIRST_SLOT, MAX_SLOT),
        fields.text("keyid", pattern=KIOSK_KEYID),
        fields.flag("settled"),
    )
