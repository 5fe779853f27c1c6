"""The two routes of renewal: `simplereenroll` on the listener with client certificates, recovery on the one without."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable
from typing import Final

from cryptography import x509

from kiosk.sync import strict_json
from kiosk.sync.renewal import RECOVER_ROUTE, REENROLL_ROUTE
from simulators.backend.authority import Authority
from simulators.backend.bodies import RECOVER
from simulators.backend.books import Books
from simulators.backend.clock import UtcSeconds
from simulators.backend.database import Database, DatabaseBusy
from simulators.backend.enrolment import Enrolled, Refused, certs_only
from simulators.backend.http import Receive, Scope, Send, answer, read_body, refuse
from simulators.backend.log import log
from simulators.backend.metrics import Metrics
from simulators.backend.patience import Patience
from simulators.backend.registry import KeyRegistry
from simulators.backend.renewal import recover

REENROLL_TARGET: Final = REENROLL_ROUTE.encode("ascii")
RECOVER_TARGET: Final = RECOVER_ROUTE.encode("ascii")
MAX_CSR_TEXT_BYTES: Final = 8 * 1024
MAX_RECOVERY_BYTES: Final = 16 * 1024
PKCS7: Final = "application/pkcs7-mime; smime-type=certs-only"


async def simplereenroll(books: Books, registry: KeyRegistry, scope: Scope, receive: Receive, send: Send) -> None:
    """PKCS#10 in base64, over a connection whose certificate names the kiosk."""
    body = await _body(scope, receive, send, b"application/pkcs10", MAX_CSR_TEXT_BYTES)
    if body is not None:
        await _answer(scope, send, registry, books.reenrol(body, scope["state"]["peer_kiosk"]))


class Recovery:
    """The route of the listener without client certificates."""

    def __init__(self, database: Database, authority: Authority, registry: KeyRegistry, utc_s: UtcSeconds) -> None:
        self._database, self._authority, self._registry, self._utc_s = database, authority, registry, utc_s
        self._patience = Patience(database)

    async def recover(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`{"certificate": base64 of DER, "csr": base64 of DER}`."""
        raw = await _body(scope, receive, send, b"application/json", MAX_RECOVERY_BYTES)
        if raw is None:
            return
        body = strict_json.decode(raw, MAX_RECOVERY_BYTES)
        if isinstance(body, strict_json.JsonError) or RECOVER(body, "") is not None:
            await refuse(send, 400)
            return
        old, csr, now_s = b64decode(body["certificate"]), body["csr"].encode("ascii"), self._utc_s()
        work = self._database.submit(lambda connection: recover(connection, self._authority, csr, old, now_s))
        await _answer(scope, send, self._registry, self._patience.answer(work))


async def _body(scope: Scope, receive: Receive, send: Send, content_type: bytes, limit_bytes: int) -> bytes | None:
    body = await read_body(receive, limit_bytes)
    if body is None:
        return None
    if isinstance(body, int):
        await refuse(send, body)
        return None
    if dict(scope["headers"]).get(b"content-type") != content_type:
        await refuse(send, 400)
        return None
    return body


async def _answer(scope: Scope, send: Send, registry: KeyRegistry, asked: Awaitable[Enrolled | Refused]) -> None:
    try:
        result = await asked
    except DatabaseBusy:
        await refuse(send, 503)
        return
    await answer_issued(scope, send, result, registry, "renewed")


async def answer_issued(scope: Scope, send: Send, result: Enrolled | Refused, registry: KeyRegistry, fact: str) -> None:
    """Certs-only PKCS#7 with the generation of the signing key beside it, or the fixed refusal; logged as `fact`."""
    numbers: Metrics = scope["state"]["metrics"]
    numbers.issued(fact, result.status if isinstance(result, Refused) else 200)
    if isinstance(result, Refused):
        log(f"not {fact}", status=result.status, cause=result.cause)
        await refuse(send, result.status)
        return
    registry.add(result.record)
    log(fact, keyid=result.record.keyid)
    body = certs_only([x509.load_der_x509_certificate(result.certificate_der)])
    fields = (
        ("kiosk-generation", result.record.keyid.partition("/")[2]),
        ("content-type", PKCS7),
        ("content-transfer-encoding", "base64"),
        ("content-length", str(len(body))),
    )
    await answer(send, 200, fields, body)
