"""Two readers for one contract: the embedded one, and a real pcscd with the virtual reader. Hands move the cards."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, cast

import pytest

from kiosk.hardware.pcsc.api import PyscardScard, Scard
from simulators.reader import hands as hands_at_reader
from simulators.reader.embedded import READERS
from simulators.reader.private_pcscd import SOCKET_VARIABLE, VPCD_READERS, PrivatePcscd

_FOREIGN_PROGRAM = """
import sys
from smartcard import scard
reader, how = sys.argv[1:]
result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
mode = scard.SCARD_SHARE_EXCLUSIVE if how == "exclusive" else scard.SCARD_SHARE_SHARED
result, card, protocol = scard.SCardConnect(context, reader, mode, scard.SCARD_PROTOCOL_ANY)
if result == 0 and how == "transaction":
    result = scard.SCardBeginTransaction(card)
print(result, flush=True)
sys.stdin.read()
scard.SCardDisconnect(card, scard.SCARD_RESET_CARD)
scard.SCardReleaseContext(context)
"""


class Hands(hands_at_reader.Hands, Protocol):
    """What a test does to the reader from outside."""

    @property
    def scard(self) -> Scard: ...
    @property
    def readers(self) -> tuple[str, str]: ...
    def held_by_other(self, slot: int) -> AbstractContextManager[None]: ...
    def in_foreign_transaction(self, slot: int) -> AbstractContextManager[None]: ...
    def tidy(self) -> None: ...


class EmbeddedHands(hands_at_reader.EmbeddedHands):
    """The in-process reader."""

    def held_by_other(self, slot: int) -> AbstractContextManager[None]:
        return self.scard.held_by_other(READERS[slot])

    def in_foreign_transaction(self, slot: int) -> AbstractContextManager[None]:
        return self.scard.in_foreign_transaction(READERS[slot])

    def tidy(self) -> None:
        """Nothing outlives the object."""


class PcscdHands(hands_at_reader.PcscdHands):
    """A real pcscd. Cards connect to vpcd; "another program" is another process."""

    def __init__(self, daemon: PrivatePcscd) -> None:
        super().__init__(daemon, PyscardScard())
        self._daemon = daemon

    @contextmanager
    def held_by_other(self, slot: int) -> Iterator[None]:
        yield from self._foreign(slot, "exclusive")

    @contextmanager
    def in_foreign_transaction(self, slot: int) -> Iterator[None]:
        yield from self._foreign(slot, "transaction")

    def _foreign(self, slot: int, how: str) -> Iterator[None]:
        command = [sys.executable, "-c", _FOREIGN_PROGRAM, VPCD_READERS[slot], how]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._daemon.environment(), text=True
        ) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "0\n"
            yield  # leaving the block closes its stdin, which ends it


@functools.cache
def process_pcscd() -> PrivatePcscd:
    """The one private pcscd of this test process: libpcsclite reads its socket's name once in a process' life."""
    daemon = PrivatePcscd()
    os.environ[SOCKET_VARIABLE] = str(daemon.socket_path)
    return daemon


@pytest.fixture(scope="session")
def private_pcscd() -> Iterator[Callable[[], PrivatePcscd]]:
    """Starts the daemon when first asked for it; one for the whole test process, ended with it."""
    yield process_pcscd
    if process_pcscd.cache_info().currsize:
        process_pcscd().close()
        process_pcscd.cache_clear()


@pytest.fixture(params=["embedded", pytest.param("pcscd", marks=pytest.mark.pcscd)])
def hands(request: pytest.FixtureRequest, private_pcscd: Callable[[], PrivatePcscd]) -> Iterator[Hands]:
    """The reader under contract, with empty slots."""
    chosen = cast(Hands, EmbeddedHands() if request.param == "embedded" else PcscdHands(private_pcscd()))
    yield chosen
    chosen.tidy()
