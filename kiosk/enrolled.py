"""What an enrolment with a ticket changes in the database, once for each: by `enrol`, else at the next start."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from kiosk.facts import Facts
from kiosk.store.thread import Store
from kiosk.store.transaction import Transaction, read_meta, write_meta
from kiosk.sync.enrol_record import last_enrolment, write_settled
from kiosk.sync.identity import IdentityError
from kiosk.sync.numbering import begin_anew
from kiosk.sync.uploader import release

_ENROLMENT: Final = "enrolment"


def settle_enrolment(store: Store, facts: Facts, identity_dir: Path) -> IdentityError | None:
    """Upload again if it was stopped, with numbers that are asked for first, and write `enrolled` down.

    Nothing where there is nothing to settle, however often this is called. The numbers come first, in a transaction of
    their own: on a full disk, or with a full outbox, an old number must not be sent either. Returns why the record of
    the enrolment cannot be read; raises StoreFailedError, and OutboxFullError when only the fact waits for room.
    """
    record = last_enrolment(identity_dir)
    if isinstance(record, IdentityError):
        return record
    if record is None or record.settled:
        return None
    name = record.ticket_sha256.encode("ascii")

    def number_anew(tx: Transaction) -> bool:
        if read_meta(tx, _ENROLMENT) == name:
            return False
        release(tx)
        begin_anew(tx)
        return True

    if store.submit(number_anew, essential=True).result():
        facts.commit(
            "enrolled",
            {"generation": record.generation},
            along=lambda tx: write_meta(tx, _ENROLMENT, name),
        ).result()
    with contextlib.suppress(OSError):  # the database knows, which is what counts
        write_settled(identity_dir, record)
    return None
