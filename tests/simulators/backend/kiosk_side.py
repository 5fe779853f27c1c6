"""A kiosk for the backend's tests: enrolled and signing by the product's own code, over plain sockets."""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiosk.sync.enrol import EnrolError, enrol
from kiosk.sync.identity import Identity
from kiosk.sync.messages import Refused
from kiosk.sync.signature import sign_request, verify_response
from kiosk.visit.policy import SiteKind
from simulators.backend.admin import command
from simulators.backend.answers import ANSWERS, signed_refusals
from simulators.backend.files import DataDir
from simulators.backend.server import Ready

LIMIT_S = 10.0
REAL_CLOCK_SLACK_S = 5


@dataclass
class FakeUtc:
    """Wall time that only a test moves."""

    now_s: int

    def __call__(self) -> int:
        return self.now_s


class RealUtc(FakeUtc):
    """The clock of a backend in a process of its own."""

    def __call__(self) -> int:
        return int(time.time())


@dataclass
class KioskSide:
    """One enrolled kiosk. `call` proves the answer; `send` takes any request and any answer."""

    data: DataDir
    identity: Identity
    utc: FakeUtc
    tls: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self.tls = self.identity.tls()

    @property
    def authority(self) -> str:
        return self.identity.trust.origin.removeprefix("https://")

    def send(
        self,
        target: str,
        body: bytes,
        headers: dict[str, str],
        *,
        method: str = "POST",
        tls: ssl.SSLContext | None = None,
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """One request on a connection of its own."""
        connection = http.client.HTTPSConnection(self.authority, context=tls or self.tls, timeout=LIMIT_S)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            fields = [(name.encode(), value.encode()) for name, value in response.getheaders()]
            return response.status, fields, response.read()
        finally:
            connection.close()

    def call(
        self, path: str, body: dict[str, Any], key: str | None = None, **options: Any
    ) -> tuple[int, dict[str, Any]]:
        """A signed call; asserts that the answer is signed for it. `options`: created_s, nonce."""
        raw = json.dumps(body).encode()
        options.setdefault("created_s", self.utc())
        request = sign_request(
            self.identity.signing_key,
            origin=self.identity.trust.origin,
            path=path,
            body=raw,
            idempotency_key=key or secrets.token_hex(16),
            **options,
        )
        status, fields, answer = self.send(path, raw, dict(request.headers))
        proven = verify_response(
            request,
            status=status,
            headers=fields,
            body=answer,
            server_keys=self.identity.trust.server_keys,
            floor_s=0,
        )
        assert not isinstance(proven, Refused), (status, proven)
        assert abs(proven.created_s - self.utc()) <= REAL_CLOCK_SLACK_S
        return status, json.loads(answer)

    def good(self, path: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        """A call that must succeed."""
        status, answer = self.call(path, body, key)
        assert status == 200, answer
        assert ANSWERS[path](answer, "") is None
        return answer

    def refused(self, path: str, body: dict[str, Any], key: str | None = None, **options: Any) -> tuple[int, str, str]:
        """A call that must be refused: status, reason, code."""
        status, answer = self.call(path, body, key, **options)
        assert status != 200
        assert signed_refusals()[status](answer, "") is None
        return status, answer["error"]["reason"], answer["error"]["code"]

    def operate(self, do: str, **values: Any) -> dict[str, Any]:
        """An operator's command about this kiosk."""
        return command(self.data, {"do": do, "kiosk": self.identity.kiosk, **values})


def enrolled(
    data_dir: Path,
    ready: Ready,
    utc: FakeUtc,
    state_dir: Path,
    *,
    kiosk: str = "borne-0001",
    kind: SiteKind = SiteKind.AGENCY,
) -> KioskSide:
    """Create a ticket and enrol with it."""
    data = DataDir(data_dir)
    ticket = command(data, {"do": "ticket", "kiosk": kiosk, "site_kind": str(kind)})["ticket"]
    identity = enrol(
        origin=ready.enrol_origin,
        ca_file=Path(ready.ca_file),
        ticket_text=ticket,
        state_dir=state_dir,
        kiosk_serial="SN-0001",
    )
    assert not isinstance(identity, EnrolError), identity
    return KioskSide(data, identity, utc)
