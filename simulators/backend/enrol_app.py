"""The listener without client certificates: enrolment, trust bundle, and the account side that redeems codes."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from kiosk.sync import strict_json
from simulators.backend import codes
from simulators.backend.authority import Authority
from simulators.backend.bodies import REDEEM
from simulators.backend.clock import UtcSeconds
from simulators.backend.database import Database, DatabaseBusy
from simulators.backend.enrolment import Enrolled, Refused, certs_only, enrol, read_basic, trust_bundle
from simulators.backend.http import Receive, Scope, Send, answer, read_body, refuse
from simulators.backend.log import log
from simulators.backend.patience import Patience
from simulators.backend.registry import KeyRegistry
from simulators.backend.renewal_app import PKCS7, RECOVER_TARGET, Recovery, answer_issued

MAX_CSR_TEXT_BYTES: Final = 8 * 1024
MAX_REDEEM_BYTES: Final = 1024


class EnrolApp:
    """ASGI application with a fixed table of (method, path)."""

    def __init__(
        self, database: Database, authority: Authority, registry: KeyRegistry, origin: str, utc_s: UtcSeconds
    ) -> None:
        self._database = database
        self._patience = Patience(database)
        self._authority = authority
        self._registry = registry
        self._origin = origin
        self._utc_s = utc_s
        self._routes = {
            ("GET", b"/.well-known/est/cacerts"): self._cacerts,
            ("POST", b"/.well-known/est/simpleenroll"): self._simpleenroll,
            ("GET", b"/.well-known/kiosk/trust"): self._trust,
            ("POST", RECOVER_TARGET): Recovery(database, authority, registry, utc_s).recover,
            ("POST", b"/account/redeem"): self._redeem,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        route = self._routes.get((scope["method"], bytes(scope["state"]["target"])))
        if route is None:
            await refuse(send, 404)
            return
        try:
            await route(scope, receive, send)
        except DatabaseBusy:
            await refuse(send, 503)

    async def _cacerts(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        body = certs_only([self._authority.ca_certificate])
        fields = (
            ("content-type", PKCS7),
            ("content-transfer-encoding", "base64"),
            ("content-length", str(len(body))),
        )
        await answer(send, 200, fields, body)

    async def _trust(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await _json(send, strict_json.encode(trust_bundle(self._authority, self._origin)))

    async def _simpleenroll(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        body = await read_body(receive, MAX_CSR_TEXT_BYTES)
        ticket = read_basic(headers.get(b"authorization", b"").decode("latin-1"))
        if body is None:
            return
        if isinstance(body, int):
            await refuse(send, body)
            return
        if headers.get(b"content-type") != b"application/pkcs10":
            await refuse(send, 400)
            return
        if ticket is None:
            log("not enrolled", status=401, cause="no ticket")
            await refuse(send, 401)
            return
        csr, text, now_s = body, ticket, self._utc_s()

        def work(connection: Connection) -> Enrolled | Refused:
            return enrol(connection, self._authority, text, csr, now_s)

        result = await self._patience.answer(self._database.submit(work))
        await answer_issued(scope, send, result, self._registry, "enrolled")

    async def _redeem(self, _scope: Scope, receive: Receive, send: Send) -> None:
        raw = await read_body(receive, MAX_REDEEM_BYTES)
        if raw is None:
            return
        if isinstance(raw, int):
            await refuse(send, raw)
            return
        body = strict_json.decode(raw, MAX_REDEEM_BYTES)
        if isinstance(body, strict_json.JsonError) or REDEEM(body, "") is not None:
            await refuse(send, 400)
            return
        now_s, checked = self._utc_s(), body
        result = await self._patience.answer(
            self._database.submit(lambda connection: codes.redeem(connection, checked, self._authority.pepper, now_s))
        )
        log("redeem", accepted=int(result["accepted"]))
        await _json(send, strict_json.encode(result))


async def _json(send: Send, body: bytes) -> None:
    await answer(send, 200, (("content-type", "application/json"), ("content-length", str(len(body)))), body)
