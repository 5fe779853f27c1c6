"""The kiosk's own record held against the centre's: every fact that had to be told was applied exactly once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from kiosk.journal.catalogue import shipped_catalogue
from kiosk.journal.journal import verify
from kiosk.store.transaction import Transaction
from simulators.soak.rig import Rig


@dataclass(slots=True)
class Ledger:
    """Counts of events, and what is wrong with them."""

    recorded: int = 0
    lost: int = 0
    doubled: int = 0
    violations: list[str] = field(default_factory=list)


def compared(rig: Rig) -> Ledger:
    """Let the outbox empty itself, then compare journal and centre, fact by fact."""
    ledger = Ledger()
    if not rig.drained():
        ledger.violations.append("the outbox does not empty")
    verdict = rig.in_store(verify)
    if not verdict.ok:
        ledger.violations.append(f"the journal does not verify: {verdict.reason}")
    recorded: Counter[str] = rig.in_store(_recorded)
    told = rig.centre.ask("events")
    applied = Counter(told["facts"])
    ledger.recorded = recorded.total()
    ledger.lost = (recorded - applied).total()
    ledger.doubled = (applied - recorded).total()
    if ledger.lost or ledger.doubled or told["gaps"]:
        ledger.violations.append(f"events: {ledger.lost} lost, {ledger.doubled} doubled, {told['gaps']} gaps")
    return ledger


def _recorded(tx: Transaction) -> Counter[str]:
    """The journal's facts that the centre must know, as `books` counts them."""
    catalogue = shipped_catalogue().events
    facts: Counter[str] = Counter()
    for kind, pseudonym, fields in tx.execute("SELECT type, pseudonym, fields FROM journal"):
        if catalogue[str(kind)].upload:
            body = json.loads(str(fields))
            if pseudonym is not None:
                body["pseudonym"] = pseudonym
            facts[f"{kind!s} {json.dumps(body, sort_keys=True)}"] += 1
    return facts
