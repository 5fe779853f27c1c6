"""What a kiosk sees of a backend's TLS: whom it meets at the door, and a connection that stays."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509

from tests.simulators.backend.kiosk_side import LIMIT_S, KioskSide

WAIT_S = 20.0


@dataclass(frozen=True)
class Met:
    """Who was behind the door, and whether it stayed open."""

    server: x509.Certificate
    is_open: bool


def knock(origin: str, context: ssl.SSLContext) -> Met:
    """A handshake and a request of no form, which is answered: in TLS 1.3 a client that is refused learns of it then.

    The server's loop closes without the alert.
    """
    address = urlsplit(origin)
    assert address.hostname is not None
    with (
        socket.create_connection((address.hostname, address.port or 0), LIMIT_S) as plain,
        context.wrap_socket(plain, server_hostname=address.hostname) as tls,
    ):
        server = shown(tls)
        try:
            tls.sendall(b"\0\r\n\r\n")
            said = tls.recv(1)
        except (ConnectionError, ssl.SSLError):
            return Met(server, is_open=False)
        return Met(server, is_open=said != b"")


def shown(tls: ssl.SSLSocket) -> x509.Certificate:
    der = tls.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


@dataclass
class OneConnection(KioskSide):
    """A kiosk that makes all its calls on one connection."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.connection = http.client.HTTPSConnection(self.authority, context=self.tls, timeout=LIMIT_S)
        self.connection.connect()
        self.connection.auto_open = 0  # another is none of its own
        assert isinstance(self.connection.sock, ssl.SSLSocket)
        self.server = shown(self.connection.sock)

    def send(
        self,
        target: str,
        body: bytes,
        headers: dict[str, str],
        *,
        method: str = "POST",
        tls: ssl.SSLContext | None = None,
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """One more request."""
        assert tls is None
        self.connection.request(method, target, body, headers)
        response = self.connection.getresponse()
        fields = [(name.encode(), value.encode()) for name, value in response.getheaders()]
        return response.status, fields, response.read()


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s
