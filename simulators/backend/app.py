"""The signed listener: raw ASGI around the profile's verification order (channel reference §2.3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from kiosk.sync import profile, signature, strict_json
from kiosk.sync.messages import CheckedHead, Reason, Refused, RequestHead, VerifiedRequest
from kiosk.sync.profile import KeyRecord
from kiosk.visit.policy import Quarantine
from simulators.backend import centre, codes, documents, intake, refusals
from simulators.backend.authority import Authority
from simulators.backend.bodies import BODIES
from simulators.backend.bulk import Asking
from simulators.backend.clock import UtcSeconds
from simulators.backend.database import Database, DatabaseBusy
from simulators.backend.exchange import Outcome, Route, perform
from simulators.backend.http import Receive, Scope, Send, answer, read_body, refuse
from simulators.backend.log import log
from simulators.backend.metrics import Metrics
from simulators.backend.refusals import Refusal
from simulators.backend.registry import KeyRegistry
from simulators.backend.renewal_app import REENROLL_TARGET, RenewalApp
from simulators.backend.tidying import Tidying

MAX_WAITING: Final = 4096
"""Pieces of work before the database; more are told at once to come again."""


def routes(authority: Authority) -> dict[str, Route]:
    """What each path of the profile's table does."""
    return {
        "/v1/relay/flags": Route(centre.flags, Quarantine.REPORT_ONLY),
        "/v1/relay/start": Route(centre.start, Quarantine.NO_RELAY),
        "/v1/relay/step": Route(centre.step, Quarantine.NO_RELAY),
        "/v1/identify": Route(codes.identify, Quarantine.REPORT_ONLY),
        "/v1/code/issue": Route(partial(codes.issue, pepper=authority.pepper), Quarantine.NO_CODE),
        "/v1/events": Route(partial(intake.events, authority=authority), Quarantine.STOP),
        "/v1/sync/state": Route(intake.sync_state, Quarantine.STOP),
        "/v1/policy/state": Route(documents.state),
    }


def parse(path: str, raw: bytes) -> Mapping[str, Any] | Refusal:
    """Strict JSON, then the route's shape."""
    body = strict_json.decode(raw, profile.ROUTES[path])
    if isinstance(body, strict_json.JsonError):
        return refusals.bad_message(str(body))
    problem = BODIES[path](body, "")
    return body if problem is None else refusals.bad_message(problem)


class SignedApp:
    """ASGI application of the listener with client certificates."""

    def __init__(
        self, database: Database, authority: Authority, registry: KeyRegistry, origin: str, utc_s: UtcSeconds
    ) -> None:
        self._database = database
        self._authority = authority
        self._registry = registry
        self._origin = origin
        self._utc_s = utc_s
        self._routes = routes(authority)
        self._tidying = Tidying(database)
        self._renewal = RenewalApp(database, authority, registry, utc_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        started_s = time.monotonic()
        numbers: Metrics = scope["state"]["metrics"]
        # The raw target: the path of the scope is decoded, and an absolute form has lost its authority.
        # A bare "?" stays in the path: it is no route.
        target = bytes(scope["state"]["target"])
        if target == REENROLL_TARGET and scope["method"] == "POST":  # outside the profile: it has its own proofs
            await self._renewal.simplereenroll(scope, receive, send)
            return
        path, _, query = target.partition(b"?")
        asked = RequestHead(scope["method"], path if query else target, query, scope["headers"])
        request = await self._prove(asked, scope["state"]["peer_kiosk"], receive)
        if request is None:
            numbers.dropped("left")
            return
        if isinstance(request, Refused):
            log("refused", reason=str(request.reason), field=request.field, status=request.http_status)
            numbers.refused(path.decode("latin-1"), request.http_status, str(request.reason))
            await refuse(send, request.http_status)
            return
        outcome = await self._perform(request)
        fields = signature.sign_response(
            self._authority.server_key,
            request,
            status=outcome.status,
            body=outcome.body,
            created_s=self._utc_s(),
        )
        told = outcome.refusal
        duration_s = time.monotonic() - started_s
        numbers.done(request.head.path, outcome.status, told.reason if told else "", duration_s)
        numbers.queue_depth(self._database.waiting)
        log(
            "request",
            request_id=request.head.idempotency_key,  # the kiosk knows it too
            path=request.head.path,
            kiosk=request.kiosk,
            status=outcome.status,
            reason=told.reason if told else None,
            code=told.code if told else None,
            detail=told.detail if told else None,
            duration_ms=round(duration_s * 1000, 1),
        )
        await answer(send, outcome.status, fields, outcome.body)

    async def _prove(
        self, asked: RequestHead, tls_kiosk: str | None, receive: Receive
    ) -> VerifiedRequest | Refused | None:
        """Steps 1 to 6; None when the peer left before the end of its body."""
        head = await self._check_head(asked, tls_kiosk)
        if isinstance(head, Refused):
            return head
        body = await read_body(receive, head.content_length)
        if body is None:
            return None
        return Refused(Reason.TOO_LARGE) if isinstance(body, int) else signature.check_body(head, body)

    async def _check_head(self, asked: RequestHead, tls_kiosk: str | None) -> CheckedHead | Refused:
        """Steps 1 to 4. A key that another process has registered since is looked up, once for a while."""
        unknown: list[str] = []

        def find(keyid: str) -> KeyRecord | None:
            record = self._registry.find(keyid)
            if record is None and keyid.partition("/")[0] == tls_kiosk:
                unknown.append(keyid)
            return record

        head = signature.check_head(asked, origin=self._origin, tls_kiosk=tls_kiosk, find_key=find)
        if unknown and await self._registry.find_stored(self._database, unknown[0]):
            return signature.check_head(asked, origin=self._origin, tls_kiosk=tls_kiosk, find_key=find)
        return head

    async def _perform(self, request: VerifiedRequest) -> Outcome:
        route, now_s = self._routes[request.head.path], self._utc_s()
        self._tidying.at(now_s)

        def work(connection: Connection) -> Asking[Outcome]:
            return perform(connection, request, route, parse, now_s)

        if self._database.waiting >= MAX_WAITING:
            return _failed(refusals.BUSY, "queue")
        try:
            return await asyncio.wrap_future(self._database.submit_of(request.kiosk, work))
        except DatabaseBusy as busy:
            return _failed(refusals.BUSY, str(busy))
        except Exception as error:  # noqa: BLE001  # rolled back; the kiosk gets a signed answer, the log the type only
            return _failed(refusals.INTERNAL, type(error).__name__)


def _failed(refusal: Refusal, detail: str) -> Outcome:
    """Nothing was kept; `detail` is for the log."""
    return Outcome(refusal.status, refusal.body(), replace(refusal, detail=detail))
