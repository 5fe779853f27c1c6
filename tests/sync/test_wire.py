"""One HTTPS exchange over a real TLS socket, with servers that misbehave."""

from __future__ import annotations

import datetime as dt
import gc
import ipaddress
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kiosk.sync.keys import private_pem
from kiosk.sync.wire import RawAnswer, Wire, WireFailure, client_tls

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: a\r\n\r\n{}"


def _pair(directory: Path, address: str = "127.0.0.1") -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "serveur de test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    directory.mkdir()
    (directory / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(private_pem(key))
    return directory / "cert.pem", directory / "key.pem"


@dataclass
class Server:
    """Takes one connection after the other; answers each request with fixed bytes, then closes."""

    context: ssl.SSLContext
    answer: bytes = OK
    trickle: bool = False  # one byte a record
    requests: list[bytes] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            try:
                with self.context.wrap_socket(connection, server_side=True) as secure:
                    received = b""
                    while not received.endswith(b"{}") and (part := secure.recv(65536)):
                        received += part
                    self.requests.append(received)
                    size = 1 if self.trickle else max(len(self.answer), 1)
                    for start in range(0, len(self.answer), size):
                        secure.sendall(self.answer[start : start + size])
            except OSError:
                connection.close()
                if self._stopping:
                    return

    _stopping = False

    def stop(self) -> None:
        self._stopping = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listener.close()


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, Path]:
    return _pair(tmp_path / "tls")


@pytest.fixture
def server(tls: tuple[Path, Path]) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls)
    running = Server(context)
    yield running
    running.stop()


def _post(wire: Wire, port: int) -> RawAnswer | WireFailure:
    return wire.exchange(
        "POST",
        f"https://127.0.0.1:{port}/v1/events",
        (("content-type", "application/json"), ("content-length", "2")),
        b"{}",
        deadline_s=5.0,
        max_body_bytes=1000,
    )


@pytest.fixture
def wire(tls: tuple[Path, Path]) -> Iterator[Wire]:
    made = Wire(client_tls(tls[0]), time.monotonic)
    yield made
    made.close()


def test_what_is_sent_and_received(wire: Wire, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    answer = _post(wire, server.port)
    assert isinstance(answer, RawAnswer), answer
    assert (answer.status, answer.body) == (200, b"{}")
    assert (b"x-one", b"a") in [(name.lower(), value) for name, value in answer.headers]
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /v1/events http/1.1"
    assert body == b"{}"
    names = sorted(line.split(b":")[0] for line in lines[1:])
    assert names == [b"accept", b"accept-encoding", b"content-length", b"content-type", b"host", b"user-agent"]
    assert b"accept-encoding: identity" in lines


COMPRESSED = bytes.fromhex("1f8b08000000000002ffabae050043bfa6a302000000")


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(COMPRESSED) + COMPRESSED,
            200,
            COMPRESSED,
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
            302,
            b"",
        ),
    ],
)
def test_nothing_is_decoded_followed_or_remembered(
    wire: Wire, server: Server, answer: bytes, status: int, body: bytes
) -> None:
    server.answer = answer
    for _ in range(2):
        result = _post(wire, server.port)
        assert isinstance(result, RawAnswer), result
        assert (result.status, result.body) == (status, body)
    assert len(server.requests) == 2
    assert b"cookie" not in server.requests[1].lower()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"a" * 2000, "answer longer than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "RemoteProtocolError"),
        (b"nonsense\r\n\r\n", "RemoteProtocolError"),
        (b"", "RemoteProtocolError"),
    ],
)
def test_cut_long_and_broken_answers(wire: Wire, server: Server, answer: bytes, reason: str) -> None:
    server.answer = answer
    assert _post(wire, server.port) == WireFailure(reason)


def _tls_12(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def _wants_certificate(context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_REQUIRED


@pytest.mark.parametrize("change", [_tls_12, _wants_certificate])
def test_tls_that_is_not_ours(wire: Wire, server: Server, change: Callable[[ssl.SSLContext], None]) -> None:
    change(server.context)
    assert isinstance(_post(wire, server.port), WireFailure)
    assert server.requests == []


def test_another_ca_is_refused(server: Server, tmp_path: Path) -> None:
    certificate, _ = _pair(tmp_path / "other")
    wire = Wire(client_tls(certificate), time.monotonic)
    failure = _post(wire, server.port)
    assert isinstance(failure, WireFailure)
    assert failure.reason.startswith("server certificate refused")
    assert server.requests == []
    wire.close()


def test_nobody_listens(wire: Wire) -> None:
    with socket.socket() as bound:  # so that nobody else gets this port meanwhile
        bound.bind(("127.0.0.1", 0))
        assert _post(wire, bound.getsockname()[1]) == WireFailure("connection refused")


def test_another_name_is_refused(tmp_path: Path) -> None:
    pair = _pair(tmp_path / "name", "127.0.0.9")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    server, wire = Server(context), Wire(client_tls(pair[0]), time.monotonic)
    try:
        failure = _post(wire, server.port)
        assert isinstance(failure, WireFailure)
        assert failure.reason.startswith("server certificate refused")
    finally:
        wire.close()
        server.stop()


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"X-One: a", b"X-One: " + b"a" * 2000),
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b"a" * 900,
    ],
)
def test_a_server_that_trickles_is_given_up_in_time(answer: bytes, tls: tuple[Path, Path], server: Server) -> None:
    server.trickle, server.answer = True, answer
    looks = itertools.count()
    with closing(Wire(client_tls(tls[0]), lambda: next(looks) * 0.05)) as wire:  # a read a byte: over 40 s in all
        assert _post(wire, server.port) == WireFailure("ReadTimeout")


def test_time_that_ends_while_connecting_leaves_no_socket_behind(tls: tuple[Path, Path], server: Server) -> None:
    """The TLS socket exists and nobody has it yet: an unclosed one would fail this test as a warning."""
    looks = itertools.chain([0.0, 0.0], itertools.repeat(60.0))
    with closing(Wire(client_tls(tls[0]), lambda: next(looks))) as wire:
        assert isinstance(_post(wire, server.port), WireFailure)
    gc.collect()
