"""The chore of asking for newer signed documents; also how the kiosk learns that the service is there, and the time.

Keeps what was proven, puts it together, and tells visit, relay and uploader of each change. Whatever is refused,
withheld or over is written down once and shown in the diagnostics; the last good document stays in force.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from kiosk.diagnostics.report import Check, CheckState
from kiosk.diagnostics.status import MAX_TEXT_CHARS
from kiosk.facts import Facts
from kiosk.office import service_health
from kiosk.sync import faults
from kiosk.sync.client import Channel
from kiosk.sync.documents import FLEET, MAX_VERSION, Document, DocumentError, claimed
from kiosk.sync.documents_bodies import TYPES, Expiry
from kiosk.sync.documents_in_force import InForce, expired, in_force
from kiosk.sync.documents_keeper import DocumentKeeper, Unreadable
from kiosk.sync.strict_json import encode
from kiosk.sync.time_keeper import TimeKeeper
from kiosk.visit import events as ev
from kiosk.visit.outages import ANNOUNCED_S, Outages, outages_at
from kiosk.visit.policy import Quarantine
from kiosk.visit.ports import Clock, Post

POLL_S: Final = 60.0
RETRY_S: Final = 5.0
"""How long one poll may take, and the longest first wait behind one that failed (`retry_in_s`)."""
AWAY_POLL_S: Final = 105.0
"""Period of the polls while the service is away for long. With a poll that takes all its time and the longest wait for
a turn (`kiosk.sync.turn`) an upload begins 350 s after the return at the latest. No member waits for a poll: every card
that is read asks the service by itself."""
_FIRST_WAITS_S: Final = (RETRY_S, 4 * RETRY_S, AWAY_POLL_S)
POLICY_ROUTE: Final = "/v1/policy/state"
PART: Final = "documents"
_FLEET_SUFFIX: Final = "/fleet"


class Documents:
    """Polls, proves, keeps, and posts what has come into force. `obey` is told first, on the background thread."""

    def __init__(
        self,
        channel: Channel,
        keeper: DocumentKeeper,
        facts: Facts,
        *,
        time: TimeKeeper,
        clock: Clock,
        post: Post,
        obey: Callable[[InForce], None],
        rng: random.Random | None = None,
    ) -> None:
        self._channel, self._keeper, self._facts = channel, keeper, facts
        self._time, self._clock, self._post, self._obey = time, clock, post, obey
        self._held: dict[str, Document] = {}  # by name in `policy/state`
        self._unreadable: dict[str, Unreadable] = {}
        self._refused: dict[str, DocumentError] = {}
        self._withheld: dict[str, int] = {}
        self._over: frozenset[str] = frozenset()
        self._in_force, self._outages = InForce(), Outages()
        self._kept_taken = False
        self._rng = rng or secrets.SystemRandom()
        self._failures = 0  # in a row
        self._poll_at_s = clock.monotonic_s()
        self.checks: tuple[Check, ...] = (Check(PART, CheckState.UNKNOWN),)

    def hurry(self) -> None:
        """Somebody found the service away: look for its return at the short interval. Safe from any thread."""
        self._poll_at_s = self._clock.monotonic_s() + RETRY_S

    def step(self) -> float:
        """See `Chore.step`."""
        if not self._kept_taken:
            self._take_kept()
            self._settle()
        begun_s = self._clock.monotonic_s()
        if begun_s >= self._poll_at_s:
            self._poll_at_s = begun_s + RETRY_S  # should the store fail under it
            self._failures = 0 if self._poll() else self._failures + 1
            self._poll_at_s = begun_s + (POLL_S if self._failures == 0 else retry_in_s(self._failures, self._rng))
        self._settle()
        return max(min(self._poll_at_s - self._clock.monotonic_s(), self._next_change_s()), 0.0)

    def _take_kept(self) -> None:
        for kept in self._keeper.kept().result():
            name = _name(kept.type, kept.scope)
            if isinstance(kept, Document):
                self._held[name] = kept
            else:
                self._unreadable[name] = kept
        self._kept_taken = True

    # --- the backend's word --------------------------------------------------------------------------------------

    def _poll(self) -> bool:
        """One attempt: the next one is as good as a repeat."""
        known = {name: document.version for name, document in self._held.items()}
        answer = self._channel.call_raw(
            POLICY_ROUTE, encode({"known": known}), secrets.token_hex(16), deadline_s=RETRY_S
        )
        for event in service_health(answer, self._time):
            self._post(event)
        if not isinstance(answer, dict):
            return False
        documents, latest = answer.get("documents"), answer.get("latest")
        brought = documents if isinstance(documents, list) else []
        names = {self._adopt(envelope) for envelope in brought if isinstance(envelope, dict)}
        self._refused = {name: error for name, error in self._refused.items() if name in names}
        self._look_for_withheld(latest if isinstance(latest, dict) else {})
        return True

    def _adopt(self, envelope: dict[str, Any]) -> str:
        """Prove, keep and note one envelope; returns the name it claims."""
        kind, scope = claimed(envelope)
        name = "unknown" if kind is None else _name(kind.name, scope)
        adopted = self._keeper.adopt(envelope, self._time.now_s()).result()
        if isinstance(adopted, DocumentError):
            if self._refused.get(name) != adopted:
                self._refused[name] = adopted
                refused = faults.bad_answer(f"{name}: {adopted}")
                fields = {"type": "unknown" if kind is None else kind.name, "cause": refused.cause.value}
                self._facts.commit("document_refused", fields)
            return name
        self._refused.pop(name, None)
        self._unreadable.pop(name, None)
        if self._held.get(name) != adopted:
            self._held[name] = adopted
            self._note("document_applied", name, version=adopted.version)
        return name

    def _look_for_withheld(self, latest: Mapping[str, Any]) -> None:
        """A newer version that the backend itself names, and neither sent nor had refused, is kept from this kiosk."""
        withheld = {}
        for name, version in latest.items():
            held = self._held.get(name)
            is_number = isinstance(version, int) and not isinstance(version, bool) and version <= MAX_VERSION
            known = name.removesuffix(_FLEET_SUFFIX) in TYPES and name not in self._refused
            if known and is_number and version > (0 if held is None else held.version):
                withheld[name] = version
        for name, version in withheld.items():
            if self._withheld.get(name) != version:
                self._note("document_withheld", name, version=version)
        self._withheld = withheld

    # --- what counts now -----------------------------------------------------------------------------------------

    def _settle(self) -> None:
        now_s = self._time.now_s() if self._time.trusted else None
        unreadable = frozenset(kept.type for kept in self._unreadable.values())
        counts = in_force(self._held.values(), now_s, unreadable=unreadable)
        if counts != self._in_force:
            self._in_force = counts
            self._obey(counts)
            self._post(ev.PolicyChanged(counts.policy))
        outages = outages_at(counts.outages, now_s)
        if outages != self._outages:
            self._outages = outages
            self._post(ev.OutagesChanged(outages))
        over = frozenset(name for name, document in self._held.items() if expired(document, now_s))
        for name in over - self._over:
            stops = TYPES[self._held[name].type].on_expiry is Expiry.STOP_SERVICE
            self._note("document_expired", name, service_stopped=stops)
        self._over = over
        self.checks = (self._check(),)

    def _next_change_s(self) -> float:
        """Seconds until an outage begins, ends or is to be announced."""
        if not self._time.trusted:
            return POLL_S
        now_s = self._time.now_s()
        edges = [
            edge_s - now_s
            for outage in self._in_force.outages
            for edge_s in (outage.from_utc_s - ANNOUNCED_S, outage.from_utc_s, outage.until_utc_s)
            if edge_s > now_s
        ]
        return min(edges, default=POLL_S)

    def _check(self) -> Check:
        facts: dict[str, Any] = {}
        for name, document in sorted(self._held.items()):
            words = [str(document.version)]
            if isinstance(document.body, Quarantine):
                words.append(document.body.value)
            if name in self._over:
                words.append("expired")
            facts[name] = " ".join(words)
        facts |= {f"{name} unreadable": _plain(kept.error) for name, kept in self._unreadable.items()}
        facts |= {f"{name} refused": _plain(error) for name, error in self._refused.items()}
        facts |= {f"{name} withheld": version for name, version in self._withheld.items()}
        trouble = self._over or self._unreadable or self._refused or self._withheld
        return Check(PART, CheckState.FAULT if trouble else CheckState.OK, facts=facts)

    def _note(self, event: str, name: str, **fields: int | bool) -> None:
        scope = "fleet" if name.endswith(_FLEET_SUFFIX) else "kiosk"
        self._facts.commit(event, {"type": name.removesuffix(_FLEET_SUFFIX), "scope": scope, **fields})


def retry_in_s(failures: int, rng: random.Random) -> float:
    """Seconds from a poll to the next one when so many in a row have failed, this one included (1 or more).

    Full jitter within 5, 20 and 105 s: a fleet that lost its service, or that was switched on, at one moment is spread
    over the period. From then on the period itself, which keeps it spread: when the service returns, every second
    brings as many kiosks as any other. Jitter for ever would bring twice as many at first.
    """
    if failures > len(_FIRST_WAITS_S):
        return AWAY_POLL_S
    return rng.uniform(0.0, _FIRST_WAITS_S[failures - 1])


def _plain(error: DocumentError) -> str:
    """Fit for the status file: the name of a field comes from the document."""
    return "".join(character if character.isprintable() else "?" for character in str(error))[:MAX_TEXT_CHARS]


def _name(kind: str, scope: str) -> str:
    """What `policy/state` calls a type in a scope: the kiosk's own has the name of the type."""
    return f"{kind}{_FLEET_SUFFIX}" if scope == FLEET else kind
