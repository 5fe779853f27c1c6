"""What the journal says of the readers' contacts: the last counts of each reader in the last run of the kiosk."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kiosk.store.transaction import Transaction


def last_contacts(tx: Transaction) -> Mapping[str, Mapping[str, int]]:
    """Counts by role (names as in the catalogue's `reader_contacts`); a role whose contact was always good has none."""
    rows = tx.execute(
        "SELECT fields FROM journal WHERE type = 'reader_contacts'"
        " AND seq > (SELECT coalesce(max(seq), 0) FROM journal WHERE type = 'kiosk_started') ORDER BY seq"
    )
    found: dict[str, Mapping[str, int]] = {}
    for (fields,) in rows:
        counts = json.loads(str(fields))
        found[counts.pop("role")] = counts
    return found
