"""Wrong birth dates by card, as the journal knows them: switching the kiosk off and on gives nobody more tries."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Final

from kiosk.store.transaction import Transaction
from kiosk.visit.page_kinds import Question

NEWEST: Final = 1000
"""So many refusals are looked at: no day has as many, and a pseudonym lasts a day."""


def wrong_dates(tx: Transaction) -> Mapping[str, int]:
    """How many by pseudonym. No clock is asked: one that was put back brings an old pseudonym back with its count."""
    rows = tx.execute(
        "SELECT pseudonym, fields FROM journal WHERE type = 'identity_refused' AND pseudonym IS NOT NULL"
        " ORDER BY seq DESC LIMIT ?",
        (NEWEST,),
    )
    # An entry without the question is of an earlier version, and may be of either: the stricter counts.
    asked = ((str(name), json.loads(str(fields)).get("question")) for name, fields in rows)
    return Counter(name for name, question in asked if question != Question.POSTCODE)
