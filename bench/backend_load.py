"""The load of the backend's bench, in a process of its own: requests signed ahead, over TLS connections kept alive.

An order on standard input's first line; `ready` once everything is signed and connected; then a line starts it, and
what was measured comes back as JSON. Each connection has one request under way.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.backend_kiosks import BenchKiosk, batches, signed

_READ_BYTES = 65_536


@dataclass
class _Line:
    """One connection and what it still has to send."""

    sock: ssl.SSLSocket
    requests: list[bytes]
    sent: int = 0
    sent_s: float = 0.0
    received: bytes = b""
    taken_s: list[float] = field(default_factory=list)

    def send(self) -> None:
        self.received = b""
        self.sent_s = time.perf_counter()
        self.sock.sendall(self.requests[self.sent])
        self.sent += 1

    def read(self) -> bool:
        """Whether the answer is whole now."""
        self.received += self.sock.recv(_READ_BYTES)
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return False
        _, _, rest = head.partition(b"content-length: ")
        if len(body) < int(rest.partition(b"\r\n")[0]):
            return False
        self.taken_s.append(time.perf_counter() - self.sent_s)
        if not head.startswith(b"HTTP/1.1 200 ") or body.count(b'"applied"') != body.count(b'"event_id"'):
            raise RuntimeError(f"not applied: {head[:12].decode('latin-1')}")
        return True


def main() -> None:
    """Do what the order says."""
    order = json.loads(sys.stdin.readline())
    lines = [_connect(order, *kiosk) for kiosk in order["kiosks"]]
    print("ready", flush=True)
    sys.stdin.readline()
    cpu_s, began_s = time.process_time(), time.perf_counter()
    _run(lines)
    print(
        json.dumps(
            {
                "wall_s": time.perf_counter() - began_s,
                "cpu_s": time.process_time() - cpu_s,
                "taken_s": [taken for line in lines for taken in line.taken_s],
            }
        ),
        flush=True,
    )


def _connect(order: dict[str, Any], name: str, key_hex: str, tls_file: str) -> _Line:
    key = serialization.load_der_private_key(bytes.fromhex(key_hex), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    kiosk = BenchKiosk(name, key, Path(tls_file))
    context = ssl.create_default_context(cafile=order["ca_file"])
    context.load_cert_chain(tls_file)
    host, _, port = order["origin"].removeprefix("https://").partition(":")
    requests = [signed(kiosk, order["origin"], body) for body in batches(order["first"], order["count"])]
    sock = context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _Line(sock, requests)


def _run(lines: list[_Line]) -> None:
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line.sock, selectors.EVENT_READ, line)
            line.send()
        while selector.get_map():
            for ready, _ in selector.select():
                answered: _Line = ready.data
                if answered.read():
                    if answered.sent < len(answered.requests):
                        answered.send()
                    else:
                        selector.unregister(answered.sock)
                        answered.sock.close()


if __name__ == "__main__":
    main()
