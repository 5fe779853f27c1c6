"""How many handshakes at once, who waits outside meanwhile, and that nobody can stay on the threshold."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from simulators.backend import doorway
from simulators.backend.authority import open_authority
from simulators.backend.clock import system_utc_s, utc
from simulators.backend.doorway import Doorway
from simulators.backend.files import DataDir
from simulators.backend.tls import ServerCertificate, ServerTls

HOST = "127.0.0.1"
FEW = 3
LONG_S = 600.0


class Echo(asyncio.Protocol):
    """Says back what it is told."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class House:
    """A doorway before an echo, and the client's side of it."""

    def __init__(self, folder: Path) -> None:
        data = DataDir(folder)
        data.create()
        ServerCertificate(data, open_authority(data, utc(system_utc_s())), system_utc_s)
        self.context = ServerTls(data).enrol
        self._client = ssl.create_default_context(cafile=str(data.ca_file))

    def run(self, live: Callable[[House], Awaitable[None]]) -> None:
        async def run() -> None:
            self.sock = socket.create_server((HOST, 0), backlog=64)
            self.sock.setblocking(False)
            self.address = self.sock.getsockname()
            self.doorway = Doorway(self.sock, self.context, Echo)
            try:
                await asyncio.wait_for(live(self), LONG_S)
            finally:
                self.doorway.close()

        asyncio.run(run())

    def silent(self) -> socket.socket:
        """Connects and says nothing."""
        return socket.create_connection(self.address)

    async def spoken(self) -> bytes:
        """Shakes hands, is answered and leaves."""
        reader, writer = await asyncio.open_connection(*self.address, ssl=self._client)
        writer.write(b"hello")
        answer = await reader.readexactly(5)
        writer.close()
        await writer.wait_closed()
        return answer

    async def until(self, counting: int) -> None:
        while self.doorway.counting != counting:
            await asyncio.sleep(0)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(doorway, "AT_ONCE", FEW)
    monkeypatch.setattr(doorway, "COUNTS_FOR_S", LONG_S)
    return House(tmp_path)


def test_whoever_comes_is_served(house: House) -> None:
    async def live(house: House) -> None:
        assert await asyncio.gather(*(house.spoken() for _ in range(4 * FEW))) == [b"hello"] * (4 * FEW)
        assert house.doorway.counting == 0

    house.run(live)


def test_so_many_shake_hands_at_once_and_the_next_one_waits_outside_until_one_has_left(house: House) -> None:
    async def live(house: House) -> None:
        silent = [house.silent() for _ in range(FEW)]
        await house.until(FEW)
        next_one = asyncio.create_task(house.spoken())
        for _ in range(1000):
            await asyncio.sleep(0)
        assert not next_one.done()
        assert house.doorway.counting == FEW
        silent.pop().close()
        assert await next_one == b"hello"
        for one in silent:
            one.close()
        await house.until(0)

    house.run(live)


def test_whoever_has_left_while_waiting_outside_is_no_work(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[socket.socket] = []
    enter = Doorway._enter  # what costs a handshake

    async def counted(door: Doorway, connection: socket.socket) -> None:
        entered.append(connection)
        await enter(door, connection)

    monkeypatch.setattr(Doorway, "_enter", counted)

    async def live(house: House) -> None:
        silent = [house.silent() for _ in range(FEW)]
        await house.until(FEW)
        for _ in range(5):
            with house.silent() as impatient:
                impatient.send(b"hello")
        silent.pop().close()
        assert await house.spoken() == b"hello"
        for one in silent:
            one.close()
        await house.until(0)

    house.run(live)
    assert len(entered) == FEW + 1


def test_whoever_connects_and_says_nothing_keeps_nobody_out_for_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorway, "COUNTS_FOR_S", 0.01)

    async def live(house: House) -> None:
        silent = [house.silent() for _ in range(3 * FEW)]
        assert await house.spoken() == b"hello"
        await house.until(0)
        assert [one.send(b"x") for one in silent] == [1] * len(silent)  # still let in themselves
        for one in silent:
            one.close()

    house.run(live)


def test_a_process_that_can_open_no_further_file_tries_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorway, "PAUSE_S", 0.01)
    refused: list[int] = []

    class Full(socket.socket):
        """Accepts from the third time on."""

        def accept(self) -> tuple[socket.socket, object]:
            if len(refused) < 2:
                refused.append(errno.EMFILE)
                raise OSError(errno.EMFILE, "too many open files")
            return super().accept()

    async def live(house: House) -> None:
        house.doorway.close()
        full = Full(socket.AF_INET, socket.SOCK_STREAM)
        full.bind((HOST, 0))
        full.listen()
        full.setblocking(False)
        house.address = full.getsockname()
        house.doorway = Doorway(full, house.context, Echo)
        assert await house.spoken() == b"hello"

    house.run(live)
    assert len(refused) == 2


def test_a_closed_door_lets_nobody_in(house: House) -> None:
    async def live(house: House) -> None:
        house.doorway.close()
        house.doorway.close()
        with pytest.raises(ConnectionRefusedError):
            house.silent()

    house.run(live)
