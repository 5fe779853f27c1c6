"""`Books` across processes: a front asks, the holder of the database answers, many at a time and in any order."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final

from kiosk.sync.messages import CheckedHead, VerifiedRequest
from kiosk.sync.profile import KeyRecord
from simulators.backend.authority import spki
from simulators.backend.books import Books
from simulators.backend.database import DatabaseBusy
from simulators.backend.enrolment import Enrolled, Refused
from simulators.backend.exchange import Outcome
from simulators.backend.frames import Frames, Head
from simulators.backend.refusals import Refusal
from simulators.backend.registry import KeyRegistry, stored_key

Reply = tuple[Head, bytes]
_HEAD: Final = ("path", "idempotency_key", "created_s", "expires_s", "nonce", "digest")
"""What the judge of a proven request needs of its head, beside the key; the rest binds its answer, in the front."""


class HolderFailedError(Exception):
    """A bug in the holder, raised in the front as it would be in one process; the message is the exception's type."""


class RemoteBooks:
    """`Books` in a front."""

    def __init__(self) -> None:
        self._frames: Frames
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._numbers = itertools.count()
        self._is_closed = False

    async def connect(self, sock: socket.socket, on_lost: Callable[[], None]) -> None:
        """Over one end of a pair whose other end `serve_books` has. `on_lost`: the holder has ended."""
        self._frames = await Frames.over(sock, self._told, lambda: None if self._is_closed else on_lost())

    def close(self) -> None:
        """Nothing more will be asked."""
        self._is_closed = True
        self._frames.close()

    async def key(self, keyid: str) -> KeyRecord | None:
        """As of the holder."""
        head, rest = await self._ask({"do": "key", "keyid": keyid})
        return stored_key(keyid, head["alg"], rest) if rest else None

    async def perform(self, request: VerifiedRequest) -> Outcome:
        """As of the holder."""
        head = {name: getattr(request.head, name) for name in _HEAD}
        told, body = await self._ask({"do": "perform", "keyid": request.keyid, **head}, request.body)
        return Outcome(told["status"], body, told["refusal"] and Refusal(**told["refusal"]))

    async def reenrol(self, csr: bytes, kiosk: str | None) -> Enrolled | Refused:
        """As of the holder; raises DatabaseBusy."""
        head, certificate_der = await self._ask({"do": "reenrol", "kiosk": kiosk}, csr)
        if not certificate_der:
            return Refused(head["status"], head["cause"])
        record = stored_key(head["keyid"], head["alg"], bytes.fromhex(head["spki_hex"]))
        return Enrolled(certificate_der, record)

    async def revocation_list(self) -> bytes:
        """As of the holder; raises DatabaseBusy."""
        return (await self._ask({"do": "revocation_list"}))[1]

    async def _ask(self, head: Head, rest: bytes = b"") -> Reply:
        number = next(self._numbers)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._asked[number] = reply
        self._frames.send({"number": number, **head}, rest)
        told = await reply
        if "busy" in told[0]:
            raise DatabaseBusy(told[0]["busy"])
        if "bug" in told[0]:
            raise HolderFailedError(told[0]["bug"])
        return told

    def _told(self, head: Head, rest: bytes) -> None:
        reply = self._asked.pop(head["number"])
        if not reply.cancelled():
            reply.set_result((head, rest))


class _Served:
    """The holder's end: each question is a task of its own."""

    def __init__(self, books: Books, registry: KeyRegistry) -> None:
        self.frames: Frames
        self._books, self._registry = books, registry
        self._answers: dict[str, Callable[[Head, bytes], Awaitable[Reply]]] = {
            "key": self._key,
            "perform": self._perform,
            "reenrol": self._reenrol,
            "revocation_list": self._revocation_list,
        }
        self._tasks: set[asyncio.Task[None]] = set()

    def asked(self, head: Head, rest: bytes) -> None:
        """One question."""
        task = asyncio.create_task(self._answer(head, rest))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, head: Head, rest: bytes) -> None:
        try:
            told, body = await self._answers[head["do"]](head, rest)
        except DatabaseBusy as busy:
            told, body = {"busy": str(busy)}, b""
        except Exception as error:  # noqa: BLE001  # raised where it was asked: a question without answer waits for ever
            told, body = {"bug": type(error).__name__}, b""
        self.frames.send({"number": head["number"], **told}, body)

    async def _key(self, head: Head, _rest: bytes) -> Reply:
        record = await self._books.key(head["keyid"])
        return ({}, b"") if record is None else ({"alg": record.alg}, spki(record.public_key))

    async def _perform(self, head: Head, body: bytes) -> Reply:
        key = self._registry.find(head["keyid"])
        assert key is not None  # noqa: S101  # the front has it from here
        of: dict[str, Any] = {name: head[name] for name in _HEAD}
        checked = CheckedHead(
            key=key,
            target_uri="",
            content_length=len(body),
            signature_params="",
            signature_member="",
            **of,
        )
        outcome = await self._books.perform(VerifiedRequest(checked, body))
        refusal = outcome.refusal and asdict(outcome.refusal)
        return {"status": outcome.status, "refusal": refusal}, outcome.body

    async def _reenrol(self, head: Head, csr: bytes) -> Reply:
        result = await self._books.reenrol(csr, head["kiosk"])
        if isinstance(result, Refused):
            return asdict(result), b""
        record = result.record
        self._registry.add(record)
        told = {"keyid": record.keyid, "alg": record.alg, "spki_hex": spki(record.public_key).hex()}
        return told, result.certificate_der

    async def _revocation_list(self, _head: Head, _rest: bytes) -> Reply:
        return {}, await self._books.revocation_list()


async def serve_books(sock: socket.socket, books: Books, registry: KeyRegistry) -> None:
    """Answer on this end of a pair until the front ends. `registry`: every key that `books` has told of."""
    served = _Served(books, registry)
    served.frames = await Frames.over(sock, served.asked, lambda: None)
