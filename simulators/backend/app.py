"""The signed listener: raw ASGI around the profile's verification order (channel reference §2.3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection

from kiosk.sync import profile, signature, strict_json
from kiosk.sync.messages import CheckedHead, Refused, RequestHead, VerifiedRequest
from kiosk.sync.profile import KeyRecord
from kiosk.visit.policy import Quarantine
from simulators.backend import centre, codes, documents, intake, refusals
from simulators.backend.authority import Authority
from simulators.backend.bodies import BODIES
from simulators.backend.clock import UtcSeconds
from simulators.backend.database import Database, DatabaseBusy
from simulators.backend.exchange import Outcome, Route, perform
from simulators.backend.http import Receive, Scope, Send, answer, read_body, refuse
from simulators.backend.log import log
from simulators.backend.refusals import Refusal
from simulators.backend.registry import KeyRegistry
from simulators.backend.tidying import Tidying


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        started_s = time.monotonic()
        # The raw target: the path of the scope is decoded, and an absolute form has lost its authority.
        # A bare "?" stays in the path: it is no route.
        target = bytes(scope["state"]["target"])
        path, _, query = target.partition(b"?")
        head = await self._check_head(
            RequestHead(scope["method"], path if query else target, query, scope["headers"]),
            scope["state"]["peer_kiosk"],
        )
        if isinstance(head, Refused):
            await self._refuse(send, head)
            return
        body = await read_body(receive, head.content_length)
        if body is None:
            return
        if isinstance(body, int):
            await refuse(send, body)
            return
        request = signature.check_body(head, body)
        if isinstance(request, Refused):
            await self._refuse(send, request)
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
        log(
            "request",
            path=head.path,
            kiosk=request.kiosk,
            status=outcome.status,
            reason=told.reason if told else None,
            code=told.code if told else None,
            detail=told.detail if told else None,
            duration_ms=round((time.monotonic() - started_s) * 1000, 1),
        )
        await answer(send, outcome.status, fields, outcome.body)

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

        def work(connection: Connection) -> Outcome:
            return perform(connection, request, route, parse, now_s)

        try:
            return await asyncio.wrap_future(self._database.submit_of(request.kiosk, work))
        except DatabaseBusy as busy:
            log("busy", path=request.head.path, error=str(busy))
            return Outcome(refusals.BUSY.status, refusals.BUSY.body(), refusals.BUSY)
        except Exception as error:  # noqa: BLE001  # rolled back; the kiosk gets a signed answer, the log the type only
            log("internal", path=request.head.path, error=type(error).__name__)
            return Outcome(refusals.INTERNAL.status, refusals.INTERNAL.body(), refusals.INTERNAL)

    async def _refuse(self, send: Send, refused: Refused) -> None:
        log("refused", reason=str(refused.reason), field=refused.field, status=refused.http_status)
        await refuse(send, refused.http_status)
