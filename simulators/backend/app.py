"""The signed listener: raw ASGI around the profile's verification order (channel reference §2.3)."""

from __future__ import annotations

import time

from kiosk.sync import signature
from kiosk.sync.keys import SoftwareKey
from kiosk.sync.messages import CheckedHead, Reason, Refused, RequestHead, VerifiedRequest
from kiosk.sync.profile import KeyRecord
from simulators.backend.books import Books
from simulators.backend.clock import UtcSeconds
from simulators.backend.http import Receive, Scope, Send, answer, read_body, refuse
from simulators.backend.log import log
from simulators.backend.metrics import Metrics
from simulators.backend.registry import KeyRegistry
from simulators.backend.renewal_app import REENROLL_TARGET, simplereenroll


class SignedApp:
    """ASGI application of the listener with client certificates."""

    def __init__(
        self, books: Books, registry: KeyRegistry, server_key: SoftwareKey, origin: str, utc_s: UtcSeconds
    ) -> None:
        """`registry`: the keys to look at before the books are asked."""
        self._books = books
        self._registry = registry
        self._server_key = server_key
        self._origin = origin
        self._utc_s = utc_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        started_s = time.monotonic()
        numbers: Metrics = scope["state"]["metrics"]
        # The raw target: the path of the scope is decoded, and an absolute form has lost its authority.
        # A bare "?" stays in the path: it is no route.
        target = bytes(scope["state"]["target"])
        if target == REENROLL_TARGET and scope["method"] == "POST":  # outside the profile: it has its own proofs
            await simplereenroll(self._books, self._registry, scope, receive, send)
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
        outcome = await self._books.perform(request)
        fields = signature.sign_response(
            self._server_key,
            request,
            status=outcome.status,
            body=outcome.body,
            created_s=self._utc_s(),
        )
        told = outcome.refusal
        duration_s = time.monotonic() - started_s
        numbers.done(request.head.path, outcome.status, told.reason if told else "", duration_s)
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
        """Steps 1 to 4. A key that is not in memory is asked for, if it is the TLS kiosk's."""
        unknown: list[str] = []

        def find(keyid: str) -> KeyRecord | None:
            record = self._registry.find(keyid)
            if record is None and keyid.partition("/")[0] == tls_kiosk:
                unknown.append(keyid)
            return record

        head = signature.check_head(asked, origin=self._origin, tls_kiosk=tls_kiosk, find_key=find)
        record = await self._books.key(unknown[0]) if unknown else None
        if record is not None:
            self._registry.add(record)
            return signature.check_head(asked, origin=self._origin, tls_kiosk=tls_kiosk, find_key=find)
        return head
