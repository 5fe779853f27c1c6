"""One HTTPS exchange and nothing around it: no redirect, cookie, decompression, proxy, retry, environment variable."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import httpx2

CONNECT_LIMIT_S: Final = 5.0
IDLE_LIMIT_S: Final = 70.0
"""An open connection is used again after at most this: longer than from one poll to the next, since a handshake costs
the backend more than the poll; shorter than the backend keeps it."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back, as it came: nothing of it is authenticated beyond TLS."""

    status: int
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WireFailure:
    """No whole answer: whether the request had its effect is unknown. `reason` is for the technician.

    by_the_clock: by this machine's clock the server's certificate is over, or not valid yet; nothing was sent.
    """

    reason: str
    by_the_clock: bool = False


def client_tls(ca_file: Path, identity: Path | None = None) -> ssl.SSLContext:
    """TLS 1.3 towards a server under this pinned CA; raises OSError or ssl.SSLError for unusable files.

    identity: a certificate and its private key, PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(ca_file)
    if identity is not None:
        context.load_cert_chain(identity)
    return context


class Exchange(Protocol):
    """One request, one answer: what the channel needs of a `Wire`."""

    def exchange(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        *,
        deadline_s: float,
        max_body_bytes: int,
    ) -> RawAnswer | WireFailure:
        """See `Wire.exchange`."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


class Wire:
    """A small pool of connections; use one for each worker thread. `context` becomes its own."""

    def __init__(self, context: ssl.SSLContext, monotonic_s: Callable[[], float]) -> None:
        context.sslsocket_class = _limited(self._left_s)
        self._transport = httpx2.HTTPTransport(
            verify=context,
            trust_env=False,
            retries=0,
            limits=httpx2.Limits(max_connections=2, keepalive_expiry=IDLE_LIMIT_S),
        )
        self._monotonic_s = monotonic_s
        self._end_s = monotonic_s()

    def exchange(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        *,
        deadline_s: float,
        max_body_bytes: int,
    ) -> RawAnswer | WireFailure:
        """Send once; the whole answer within `deadline_s` seconds and `max_body_bytes`, or why there is none."""
        self._end_s = self._monotonic_s() + deadline_s
        timeout = {
            "connect": min(CONNECT_LIMIT_S, deadline_s),
            "read": deadline_s,
            "write": deadline_s,
            "pool": deadline_s,
        }
        fixed = (("accept", "*/*"), ("accept-encoding", "identity"), ("user-agent", "kiosk"))
        request = httpx2.Request(
            method, url, headers=[*fixed, *headers], content=body or None, extensions={"timeout": timeout}
        )
        try:
            response = self._transport.handle_request(request)
        except (httpx2.TransportError, OSError) as error:
            return _failure(error)
        try:
            parts: list[bytes] = []
            size_bytes = 0
            stream = response.stream
            if not isinstance(stream, httpx2.SyncByteStream):
                return WireFailure("no synchronous stream")
            for part in stream:
                size_bytes += len(part)
                if size_bytes > max_body_bytes:
                    return WireFailure(f"answer longer than {max_body_bytes} bytes")
                parts.append(part)
        except (httpx2.TransportError, OSError) as error:
            return _failure(error)
        finally:
            response.close()
        return RawAnswer(response.status_code, list(response.headers.raw), b"".join(parts))

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def _left_s(self) -> float:
        """What is left of the exchange under way."""
        return self._end_s - self._monotonic_s()


def _limited(left_s: Callable[[], float]) -> type[ssl.SSLSocket]:
    """A TLS socket whose waits end with the exchange: a limit for each read lets a server trickle for ever."""

    class LimitedSocket(ssl.SSLSocket):
        def settimeout(self, value: float | None, /) -> None:
            left = left_s()
            if left <= 0:
                self.close()  # while it is being made, nobody else knows of it
                raise TimeoutError
            super().settimeout(left if value is None else min(value, left))

    return LimitedSocket


_BY_THE_CLOCK: Final = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""


def _failure(error: Exception) -> WireFailure:
    """The kind of failure, never its text: library messages may quote what was sent or received."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"server certificate refused: {cause.verify_message}"
            return WireFailure(reason, by_the_clock=cause.verify_code in _BY_THE_CLOCK)
        if isinstance(cause, ssl.SSLError):
            return WireFailure(f"TLS: {cause.reason or 'refused'}")
        if isinstance(cause, ConnectionRefusedError):
            return WireFailure("connection refused")
        cause = cause.__cause__ or cause.__context__
    return WireFailure(type(error).__name__)
