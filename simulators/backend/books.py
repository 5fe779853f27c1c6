"""What a listener asks of whoever holds the database: a key, a request's effect, a renewal, the revocation list.

The listener proves who sends what; here it is judged and done. Both may live in one process (`LocalBooks`), or the
listener in a process of its own (`link`): checking signatures and writing rows then have a core each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol

from kiosk.sync import profile
from kiosk.sync.messages import VerifiedRequest
from kiosk.sync.profile import KeyRecord
from kiosk.sync.strict_json import JsonError
from kiosk.visit.policy import Quarantine
from simulators.backend import centre, codes, documents, intake, plain_json, refusals, renewal
from simulators.backend.authority import Authority
from simulators.backend.bodies import BODIES
from simulators.backend.certificates import RevocationList
from simulators.backend.clock import UtcSeconds
from simulators.backend.database import Database, DatabaseBusy
from simulators.backend.enrolment import Enrolled, Refused
from simulators.backend.exchange import Outcome, Route, request_of
from simulators.backend.patience import Patience
from simulators.backend.refusals import Refusal
from simulators.backend.registry import KeyRegistry
from simulators.backend.tidying import Tidying

MAX_WAITING: Final = 4096
"""Pieces of work before the database; more are told at once to come again."""


class Books(Protocol):
    """The four questions."""

    async def key(self, keyid: str) -> KeyRecord | None:
        """A key that was registered, whatever its state now."""
        ...

    async def perform(self, request: VerifiedRequest) -> Outcome:
        """Steps 7 and 8 for a proven request; whatever goes wrong is an outcome."""
        ...

    async def reenrol(self, csr: bytes, kiosk: str | None) -> Enrolled | Refused:
        """A certificate for a PKCS#10 in base64 of the kiosk that TLS has named; raises DatabaseBusy."""
        ...

    async def revocation_list(self) -> bytes:
        """PEM of the list in force; raises DatabaseBusy."""
        ...


def routes(authority: Authority) -> dict[str, Route]:
    """What each path of the profile's table does."""
    return {
        "/v1/relay/flags": Route(centre.flags, Quarantine.REPORT_ONLY),
        "/v1/relay/start": Route(centre.start, Quarantine.NO_RELAY),
        "/v1/relay/step": Route(centre.step, Quarantine.NO_RELAY),
        "/v1/identify": Route(codes.identify, Quarantine.REPORT_ONLY),
        "/v1/code/issue": Route(partial(codes.issue, pepper=authority.pepper), Quarantine.NO_CODE),
        "/v1/events": Route(partial(intake.events, authority=authority), Quarantine.STOP, intake.foresee),
        "/v1/sync/state": Route(intake.sync_state, Quarantine.STOP),
        "/v1/policy/state": Route(documents.state, foresee=documents.foresee),
    }


def parse(path: str, raw: bytes) -> Mapping[str, Any] | Refusal:
    """Strict JSON, then the route's shape."""
    body = plain_json.decode(raw, profile.ROUTES[path])
    if isinstance(body, JsonError):
        return refusals.bad_message(str(body))
    problem = BODIES[path](body, "")
    return body if problem is None else refusals.bad_message(problem)


class LocalBooks:
    """`Books` in the process that holds the database."""

    def __init__(self, database: Database, authority: Authority, registry: KeyRegistry, utc_s: UtcSeconds) -> None:
        self._database, self._authority, self._registry, self._utc_s = database, authority, registry, utc_s
        self._routes = routes(authority)
        self._tidying = Tidying(database)
        self._patience = Patience(database)
        self._revoked = RevocationList(database, authority)

    async def key(self, keyid: str) -> KeyRecord | None:
        """From memory; one that another process has registered since is read, once for a while."""
        return self._registry.find(keyid) or await self._registry.find_stored(self._database, keyid)

    async def perform(self, request: VerifiedRequest) -> Outcome:
        """In a transaction with what else waits."""
        route, now_s = self._routes[request.head.path], self._utc_s()
        self._tidying.at(now_s)

        if self._database.waiting >= MAX_WAITING or self._patience.is_over:
            return _failed(refusals.BUSY, "queue")
        try:
            return await self._patience.answer(self._database.submit_request(request_of(request, route, parse, now_s)))
        except DatabaseBusy as busy:
            return _failed(refusals.BUSY, str(busy))
        except Exception as error:  # noqa: BLE001  # rolled back; the kiosk gets a signed answer, the log the type only
            return _failed(refusals.INTERNAL, type(error).__name__)

    async def reenrol(self, csr: bytes, kiosk: str | None) -> Enrolled | Refused:
        """In a transaction of its own."""
        now_s = self._utc_s()
        return await self._patience.answer(
            self._database.submit(lambda connection: renewal.reenrol(connection, self._authority, csr, kiosk, now_s))
        )

    async def revocation_list(self) -> bytes:
        """Signed anew when it must be."""
        return await self._revoked.current()


def _failed(refusal: Refusal, detail: str) -> Outcome:
    """Nothing was promised; `detail` is for the log."""
    return Outcome(refusal.status, refusal.body(), replace(refusal, detail=detail))
