"""The backend's own TLS: its contexts, and the certificate in them, which is renewed while they serve.

One process makes it, the one that holds the directory (`server.only_server`): before anybody serves, and again when two
thirds of its life are over. All that serve (that process, or its workers, and fronts) look at the file, and show what
they find to whoever connects from then on. Every certificate is for the one key that was made before there were several
processes: none that looks a moment later is wrong. Connections that exist notice nothing.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from simulators.backend.authority import Authority
from simulators.backend.certificates import LOOK_EVERY_S
from simulators.backend.clock import UtcSeconds, utc
from simulators.backend.files import DataDir, write_private
from simulators.backend.log import log

JUDGE_EVERY_S: Final = 60.0


class ServerCertificate:
    """In the process that holds the directory: what makes the certificate, and decides when."""

    def __init__(self, data: DataDir, authority: Authority, utc_s: UtcSeconds) -> None:
        """Make one. `utc_s`: a kiosk judges it by the machine's clock, so not that of a test's application."""
        self._data, self._authority, self._utc_s = data, authority, utc_s
        self._make()

    def renew(self) -> None:
        """Make another if two thirds of its life are over, or none of it yet: the clock was set back.

        Raises OSError: the one there is stays, with a third of its life to try again.
        """
        now = utc(self._utc_s())
        if not self._from <= now < self._due:
            self._make()
            log("server certificate renewed")

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew it as long as the block lasts."""
        with _again_and_again(JUDGE_EVERY_S, self.renew, "server certificate not renewed"):
            yield

    def _make(self) -> None:
        certificate = self._authority.issue_server(utc(self._utc_s()))
        write_private(_file(self._data), certificate.public_bytes(serialization.Encoding.PEM))
        self._from = certificate.not_valid_before_utc
        self._due = self._from + (certificate.not_valid_after_utc - self._from) * 2 / 3


class ServerTls:
    """In each process that serves: TLS 1.3 of the two listeners, with the certificate on file."""

    def __init__(self, data: DataDir) -> None:
        """Raises OSError when there is none."""
        self._data = data
        self._loaded = b""
        self.enrol = _context()
        """Asks for no certificate."""
        self.signed = _context()
        """Asks for a kiosk's; which of them are revoked is for `certificates.ListInForce` to load."""
        self.signed.load_verify_locations(data.ca_file)
        self.signed.verify_mode = ssl.CERT_REQUIRED
        self.refresh()

    @property
    def until_s(self) -> int:
        """When the certificate ends that is shown now."""
        return int(x509.load_pem_x509_certificate(self._loaded).not_valid_after_utc.timestamp())

    def refresh(self) -> None:
        """Show the certificate on file from now on, unless it is shown already. Raises OSError: nothing has changed."""
        pem = _file(self._data).read_bytes()
        if pem == self._loaded:
            return
        for context in (self.signed, self.enrol):
            context.load_cert_chain(_file(self._data), self._data.key_file("tls"))
        self._loaded = pem

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Look for another as long as the block lasts."""
        with _again_and_again(LOOK_EVERY_S, self.refresh, "server certificate not loaded"):
            yield


def _file(data: DataDir) -> Path:
    return data.root / "tls.pem"


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # a resumed session would skip the certificate check
    context.set_alpn_protocols(["http/1.1"])
    return context


@contextmanager
def _again_and_again(pause_s: float, look: Callable[[], None], failed: str) -> Iterator[None]:
    """In a task until the end of the block; what fails is told, and tried again."""

    async def keep() -> None:
        while True:
            await asyncio.sleep(pause_s)
            try:
                look()
            except OSError as error:  # of TLS too
                log(failed, detail=type(error).__name__)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
