"""Questions and answers between a front and the holder: any cut of the stream, any order, each kind of answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from kiosk.sync.keys import SoftwareKey
from kiosk.sync.messages import CheckedHead, VerifiedRequest
from kiosk.sync.profile import ALG_ED25519, KeyRecord
from simulators.backend import refusals
from simulators.backend.authority import spki
from simulators.backend.books import Books
from simulators.backend.database import DatabaseBusy
from simulators.backend.enrolment import Enrolled, Refused
from simulators.backend.exchange import Outcome
from simulators.backend.frames import Frames, Head
from simulators.backend.link import HolderFailedError, RemoteBooks, serve_books
from simulators.backend.registry import KeyRegistry, stored_key

T = TypeVar("T")
LIMIT_S = 10.0


def key(keyid: str) -> KeyRecord:
    made = SoftwareKey(keyid, ec.generate_private_key(ec.SECP256R1()))
    return stored_key(keyid, made.alg, made.public_spki())


KNOWN = key("borne-1/1")
EDWARDS = KeyRecord("borne-1/2", ALG_ED25519, ed25519.Ed25519PrivateKey.generate().public_key())


class Holder:
    """Books that answer what a test has put in them, and note what they were asked."""

    def __init__(self) -> None:
        self.asked: list[VerifiedRequest] = []
        self.outcomes: dict[str, asyncio.Future[Outcome]] = {}
        self.renewed: Enrolled | Refused | Exception = Refused(400, "test")
        self.crl: bytes | DatabaseBusy = b"-----BEGIN X509 CRL-----"

    async def key(self, keyid: str) -> KeyRecord | None:
        return {KNOWN.keyid: KNOWN, EDWARDS.keyid: EDWARDS}.get(keyid)

    async def perform(self, request: VerifiedRequest) -> Outcome:
        self.asked.append(request)
        return await self.outcomes.setdefault(request.head.idempotency_key, asyncio.get_running_loop().create_future())

    async def reenrol(self, csr: bytes, kiosk: str | None) -> Enrolled | Refused:
        if isinstance(self.renewed, Exception):
            raise self.renewed
        assert (csr, kiosk) == (b"csr", "borne-1")
        return self.renewed

    async def revocation_list(self) -> bytes:
        if isinstance(self.crl, DatabaseBusy):
            raise self.crl
        return self.crl


def linked(holder: Holder, use: Callable[[Books], Awaitable[T]]) -> T:
    """What `use` makes of books that are on the other side of a socket pair."""

    async def run() -> T:
        registry, remote = KeyRegistry(), RemoteBooks()
        registry.add(KNOWN)
        theirs, ours = socket.socketpair()
        lost = asyncio.Event()
        await serve_books(theirs, cast(Books, holder), registry)
        await remote.connect(ours, lost.set)
        try:
            return await asyncio.wait_for(use(remote), LIMIT_S)
        finally:
            assert not lost.is_set()
            remote.close()
            while theirs.fileno() != -1 or ours.fileno() != -1:  # both ends notice
                await asyncio.sleep(0)

    return asyncio.run(run())


def request(idem_key: str, body: bytes = b"{}") -> VerifiedRequest:
    head = CheckedHead(
        key=KNOWN,
        path="/v1/events",
        target_uri="https://centre.example/v1/events",
        content_length=len(body),
        idempotency_key=idem_key,
        created_s=7,
        expires_s=9,
        nonce="n" * 22,
        digest="sha-256=:x:",
        signature_params="params",
        signature_member=":x:",
    )
    return VerifiedRequest(head, body)


def test_a_request_arrives_with_all_that_its_judge_looks_at() -> None:
    holder, body = Holder(), bytes(range(256)) * 300

    async def use(books: Books) -> Outcome:
        asking = asyncio.ensure_future(books.perform(request("a", body)))
        while not holder.asked:
            await asyncio.sleep(0)
        holder.outcomes["a"].set_result(Outcome(200, body))
        return await asking

    assert linked(holder, use) == Outcome(200, body)
    (judged,) = holder.asked
    sent = request("a", body)
    assert (judged.kiosk, judged.keyid, judged.nonce, judged.body) == (sent.kiosk, sent.keyid, sent.nonce, body)
    for name in ("path", "idempotency_key", "created_s", "expires_s", "digest"):
        assert getattr(judged.head, name) == getattr(sent.head, name)


def test_answers_come_in_the_order_in_which_they_are_ready() -> None:
    holder = Holder()

    async def use(books: Books) -> list[Outcome]:
        asking = [asyncio.ensure_future(books.perform(request(name))) for name in "abc"]
        while len(holder.asked) < len(asking):
            await asyncio.sleep(0)
        asking[1].cancel()  # a kiosk that has left: nobody waits for this answer
        for name in "cba":
            holder.outcomes[name].set_result(Outcome(200, name.encode()))
        return [await asking[0], await asking[2]]

    assert [outcome.body for outcome in linked(holder, use)] == [b"a", b"c"]


@pytest.mark.parametrize("refusal", refusals.known(), ids=lambda refusal: f"{refusal.status}-{refusal.code}")
def test_a_refusal_arrives_whole(refusal: refusals.Refusal) -> None:
    holder = Holder()

    async def use(books: Books) -> Outcome:
        asking = asyncio.ensure_future(books.perform(request("a")))
        while not holder.asked:
            await asyncio.sleep(0)
        holder.outcomes["a"].set_result(Outcome(refusal.status, refusal.body(), refusal))
        return await asking

    assert linked(holder, use) == Outcome(refusal.status, refusal.body(), refusal)


@pytest.mark.parametrize("record", [KNOWN, EDWARDS])
def test_a_key(record: KeyRecord) -> None:
    found = linked(Holder(), lambda books: books.key(record.keyid))
    assert found is not None
    assert (found.keyid, found.alg, spki(found.public_key)) == (record.keyid, record.alg, spki(record.public_key))
    assert linked(Holder(), lambda books: books.key("borne-1/3")) is None


def test_a_renewal() -> None:
    holder, new = Holder(), key("borne-1/4")
    holder.renewed = Enrolled(b"der", new)
    result = linked(holder, lambda books: books.reenrol(b"csr", "borne-1"))
    assert isinstance(result, Enrolled)
    assert (result.certificate_der, result.record.keyid) == (b"der", new.keyid)
    assert spki(result.record.public_key) == spki(new.public_key)
    holder.renewed = Refused(401, "certificate of another kiosk")
    assert linked(holder, lambda books: books.reenrol(b"csr", "borne-1")) == holder.renewed


def test_a_database_that_is_busy_there_is_busy_here() -> None:
    holder = Holder()
    holder.renewed = holder.crl = DatabaseBusy("locked")
    with pytest.raises(DatabaseBusy, match="locked"):
        linked(holder, lambda books: books.reenrol(b"csr", "borne-1"))
    with pytest.raises(DatabaseBusy, match="locked"):
        linked(holder, lambda books: books.revocation_list())


def test_a_bug_there_is_a_bug_here_and_nobody_waits_for_it() -> None:
    holder = Holder()
    holder.renewed = ZeroDivisionError("borne-1")
    with pytest.raises(HolderFailedError, match=r"^ZeroDivisionError$"):
        linked(holder, lambda books: books.reenrol(b"csr", "borne-1"))


def test_the_list() -> None:
    holder = Holder()
    assert linked(holder, lambda books: books.revocation_list()) == holder.crl


@given(
    st.lists(st.tuples(st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3), st.binary(max_size=40))),
    st.data(),
)
def test_frames_survive_any_cut(sent: list[tuple[Head, bytes]], data: st.DataObject) -> None:
    class Pipe:
        written = b""

        def write(self, part: bytes) -> None:
            self.written += part

        def close(self) -> None: ...

    async def run() -> None:
        got: list[tuple[Head, bytes]] = []
        pipe = Pipe()
        ends = [Frames(lambda head, rest: got.append((head, rest)), lambda: None) for _ in range(2)]
        ends[0].connection_made(cast(asyncio.Transport, pipe))
        for head, rest in sent:
            ends[0].send(head, rest)
        ends[0].close()
        cuts = sorted(data.draw(st.lists(st.integers(0, len(pipe.written)), max_size=5)))
        for start, end in zip([0, *cuts], [*cuts, len(pipe.written)], strict=True):
            ends[1].data_received(pipe.written[start:end])
        assert got == sent

    asyncio.run(run())
