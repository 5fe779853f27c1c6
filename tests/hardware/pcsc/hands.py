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

from kiosk.hardware.pcsc.api import PyscardScard, ReaderState, Scard
from simulators.card import SimulatedCard
from simulators.card.vpcd import VpcdCard
from simulators.reader.embedded import READERS, EmbeddedScard
from simulators.reader.private_pcscd import SOCKET_VARIABLE, VPCD_PORT, VPCD_READERS, PrivatePcscd

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


class Hands(Protocol):
    """What a test does to the reader from outside."""

    scard: Scard
    readers: tuple[str, str]

    def insert(self, slot: int, card: SimulatedCard) -> None: ...
    def remove(self, slot: int) -> None: ...
    def held_by_other(self, slot: int) -> AbstractContextManager[None]: ...
    def in_foreign_transaction(self, slot: int) -> AbstractContextManager[None]: ...
    def kill_service(self) -> None: ...
    def start_service(self) -> None: ...
    def tidy(self) -> None: ...


class EmbeddedHands:
    """The in-process reader."""

    def __init__(self) -> None:
        self.scard = self._reader = EmbeddedScard()
        self.readers = READERS

    def insert(self, slot: int, card: SimulatedCard) -> None:
        self._reader.insert(READERS[slot], card)

    def remove(self, slot: int) -> None:
        self._reader.remove(READERS[slot])

    def held_by_other(self, slot: int) -> AbstractContextManager[None]:
        return self._reader.held_by_other(READERS[slot])

    def in_foreign_transaction(self, slot: int) -> AbstractContextManager[None]:
        return self._reader.in_foreign_transaction(READERS[slot])

    def kill_service(self) -> None:
        self._reader.service_down()

    def start_service(self) -> None:
        self._reader.service_up()

    def tidy(self) -> None:
        """Nothing outlives the object."""


class PcscdHands:
    """A real pcscd. Cards connect to vpcd; "another program" is another process."""

    def __init__(self, daemon: PrivatePcscd) -> None:
        self._daemon = daemon
        self.scard = PyscardScard()
        self.readers = VPCD_READERS
        self._cards: dict[int, VpcdCard] = {}

    def insert(self, slot: int, card: SimulatedCard) -> None:
        self._cards[slot] = VpcdCard(
            card, "127.0.0.1", VPCD_PORT + slot, connect=lambda *_: self._daemon.vpcd_socket(slot)
        )
        problem = self._cards[slot].insert()
        assert problem is None, problem

    def remove(self, slot: int) -> None:
        self._cards.pop(slot).remove()

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

    def kill_service(self) -> None:
        """vpcd dies with it, and so does every card's connection; the hand keeps the cards in."""
        self._daemon.kill()

    def start_service(self) -> None:
        self._daemon.start()
        for slot, inserted in list(self._cards.items()):
            self.insert(slot, inserted.card)

    def tidy(self) -> None:
        """Take the cards out and wait until the service has seen it: the next test begins with empty slots."""
        for slot in list(self._cards):
            self.remove(slot)
        result, context = self.scard.establish_context()
        if result != 0:  # a failed test left the service down; pyscard raises SystemError on context 0
            self._daemon.start()
            return
        states = [(name, int(ReaderState.UNAWARE)) for name in VPCD_READERS]
        while True:
            result, snapshots = self.scard.get_status_change(context, 1000, states)
            if result == 0 and not any(snapshot.present for snapshot in snapshots):
                break
            states = [(snapshot.reader, snapshot.known_state) for snapshot in snapshots]
        self.scard.release_context(context)


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
