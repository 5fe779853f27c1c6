"""What an attack on the channel is made of: a scene of honest parties, honest messages, and ways to bend them.

Nothing here runs an attack: `attack_rows` lists them, and each runner (without a network, over TLS) brings its scene.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from kiosk.sync import profile
from kiosk.sync.signature import new_nonce, sign_request
from kiosk.visit.ports import SigningKey
from tests.sync import rfc9421
from tests.sync.rfc9421 import Answer, Message

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PATH = "/v1/sync/state"
BODY = b'{"batch_seq":1}'
IDEMPOTENCY_KEY = "0123456789abcdef0123456789abcdef"
INPUT, SIGNATURE, DIGEST, LENGTH = b"signature-input", b"signature", b"content-digest", b"content-length"
TYPE, IDEMPOTENCY, HOST = b"content-type", b"idempotency-key", b"host"
COMPONENTS = (
    '"@method"',
    '"@target-uri"',
    '"content-type"',
    '"content-length"',
    '"content-digest"',
    '"idempotency-key"',
)
ANSWER_COMPONENTS = (
    '"@status"',
    '"content-type"',
    '"content-digest"',
    '"@method";req',
    '"@target-uri";req',
    '"content-digest";req',
    '"signature";req;key="sig1"',
)


class Writes(StrEnum):
    """What an attack may leave behind."""

    NOTHING = "Z"
    NONCE = "N"  # and counters: of refusals, of an alarm
    QUARANTINE = "Q"  # and N
    CLIENT = "C"  # nothing is parsed; only the time of the next attempt changes
    EFFECT = "-"  # an honest turn of a longer play


@dataclass(frozen=True)
class Scene:
    """The parties of an attack. `key` belongs to the kiosk under attack, `other_key` to another enrolled one."""

    origin: str
    now_s: int
    key: SigningKey
    other_key: SigningKey
    server_key: SigningKey

    def request(
        self,
        body: bytes = BODY,
        *,
        path: str = PATH,
        key: SigningKey | None = None,
        created_s: int | None = None,
        lifetime_s: int = profile.LIFETIME_S,
        idempotency_key: str = IDEMPOTENCY_KEY,
        nonce: str | None = None,
    ) -> Message:
        """An honest request, as the product signs it."""
        sent = sign_request(
            key or self.key,
            origin=self.origin,
            path=path,
            body=body,
            idempotency_key=idempotency_key,
            created_s=self.now_s if created_s is None else created_s,
            lifetime_s=lifetime_s,
            nonce=nonce,
        )
        host = self.origin.partition("://")[2].encode("ascii")
        pairs = [(name.encode("ascii"), value.encode("ascii")) for name, value in sent.headers]
        return Message("POST", path.encode("ascii"), ((b"host", host), *pairs), body)

    def resigned(
        self,
        message: Message,
        *,
        components: tuple[str, ...] = COMPONENTS,
        params: str | None = None,
        key: SigningKey | None = None,
        label: str = "sig1",
    ) -> Message:
        """The message as its own key holder would sign it after changing it: a true signature over another form.

        `params`: all behind the component list; None for those of the profile.
        """
        signer = key or self.key
        told = rfc9421.parameters(components, self.params(signer) if params is None else params)
        signature = signer.sign(rfc9421.base(components, told, self.origin, message))
        signed = message.edited(INPUT, f"{label}={told}".encode("latin-1"))
        return signed.edited(SIGNATURE, f"{label}=:{b64encode(signature).decode('ascii')}:".encode("ascii"))

    def answer(self, request: Message, status: int = 200, body: bytes = b'{"ok":true}') -> Answer:
        """An honest answer to a request, as the profile has it (built without the product's code)."""
        digest = b"sha-256=:" + b64encode(sha256(body).digest()) + b":"
        fields = (
            (b"content-type", b"application/json"),
            (LENGTH, b"%d" % len(body)),
            (DIGEST, digest),
            (INPUT, b""),
            (SIGNATURE, b""),
        )
        return self.resigned_answer(Answer(status, fields, body), request)

    def resigned_answer(
        self,
        answer: Answer,
        request: Message,
        *,
        components: tuple[str, ...] = ANSWER_COMPONENTS,
        params: str | None = None,
        key: SigningKey | None = None,
    ) -> Answer:
        """The answer under a true signature of the server (or of `key`), whatever it covers."""
        signer = key or self.server_key
        told = f';created={self.now_s};keyid="{signer.keyid}";alg="{signer.alg}";tag="{profile.TAG}"'
        told = rfc9421.parameters(components, told if params is None else timed(params, self.now_s))
        signature = signer.sign(rfc9421.base(components, told, self.origin, request, answer))
        signed = answer.edited(INPUT, f"sig1={told}".encode("ascii"))
        return signed.edited(SIGNATURE, f"sig1=:{b64encode(signature).decode('ascii')}:".encode("ascii"))

    def params(self, key: SigningKey | None = None, /, **other: str) -> str:
        """The parameters of a request in the order of the profile; `other` replaces the text of some, "" drops one."""
        signer = key or self.key
        told = {
            "created": str(self.now_s),
            "keyid": f'"{signer.keyid}"',
            "alg": f'"{signer.alg}"',
            "expires": str(self.now_s + profile.LIFETIME_S),
            "nonce": f'"{new_nonce()}"',
            "tag": f'"{profile.TAG}"',
            **other,
        }
        return "".join(f";{name}={text}" for name, text in told.items() if text)


Bend = Callable[[Message, Scene], Message]
BendAnswer = Callable[[Answer, Message, Scene], Answer]  # the answer, the request it is told to answer


def put(name: bytes, value: bytes) -> Bend:
    """Another value."""
    return lambda message, _: message.edited(name, value)


def sub(name: bytes, pattern: bytes, by: bytes) -> Bend:
    """A part of a value replaced, at exactly one place."""

    def bend(message: Message, _: Scene) -> Message:
        value, count = re.subn(pattern, by, message.value(name))
        assert count == 1, f"{name!r}: the mutation must change one place, not {count}"
        return message.edited(name, value)

    return bend


def change(name: bytes, how: Callable[[bytes], bytes]) -> Bend:
    """A value computed from the honest one."""
    return lambda message, _: message.edited(name, how(message.value(name)))


def add(name: bytes, value: bytes, times: int = 1) -> Bend:
    """More fields at the end."""
    return lambda message, _: replace(message, headers=message.headers + ((name, value),) * times)


def drop(name: bytes) -> Bend:
    """A field left out."""
    return lambda message, _: replace(message, headers=tuple(pair for pair in message.headers if pair[0] != name))


def twice(name: bytes, value: bytes | None = None) -> Bend:
    """A field once more, with the same or another value."""
    return lambda message, _: replace(
        message, headers=(*message.headers, (name, message.value(name) if value is None else value))
    )


def resign(
    components: tuple[str, ...] = COMPONENTS, *, params: str | None = None, label: str = "sig1", **other: str
) -> Bend:
    """Another coverage or other parameters under a **true** signature; `NOW` in a text is the scene's time."""

    def bend(message: Message, scene: Scene) -> Message:
        texts = {name: timed(text, scene.now_s) for name, text in other.items()}
        told = scene.params(None, **texts) if params is None else timed(params, scene.now_s)
        return scene.resigned(message, components=components, params=told, label=label)

    return bend


def then_resign(bend: Bend) -> Bend:
    """Bend the fields first, then sign what came of it."""
    return lambda message, scene: scene.resigned(bend(message, scene), params=scene.params())


def twin(message: Message, _: Scene) -> Message:
    """The other ECDSA signature that fits: (r, n-s)."""
    raw = b64decode(message.value(SIGNATURE)[6:-1])
    s = P256_ORDER - int.from_bytes(raw[32:], "big")
    return message.edited(SIGNATURE, b"sig1=:" + b64encode(raw[:32] + s.to_bytes(32, "big")) + b":")


def timed(text: str, now_s: int) -> str:
    """`NOW`, `NOW+60` … replaced by numbers."""
    return re.sub(r"NOW([+-]\d+)?", lambda found: str(now_s + int(found[1] or 0)), text)


@dataclass(frozen=True)
class RequestRow:
    """One bent request, refused unsigned and without a trace. `reason`: a `Reason`; its status is what the peer sees.

    tls: whose client certificate presents it. socket: False where HTTP itself would keep the bytes from arriving so.
    """

    number: int
    name: str
    bend: Bend
    reason: str
    tls: str = "own"  # own | other | none
    socket: bool = True


@dataclass(frozen=True)
class AnswerRow:
    """One bent answer: a transport failure, of which nothing is parsed."""

    number: int
    name: str
    bend: BendAnswer
    reason: str


@dataclass(frozen=True)
class Turn:
    """One message of a play and what must come of it.

    outcome: `ok`, or the reason of the refusal, signed or not. statuses: of the events, in an `ok` to `/v1/events`.
    after_s: how much later than the scene's time it arrives. staged: what happens just before (`restart`, `retire`,
    `revoke`).
    """

    message: Message
    outcome: str
    writes: Writes
    statuses: tuple[str, ...] = ()
    after_s: int = 0
    staged: str = ""
    tls: str = "own"


@dataclass(frozen=True)
class Play:
    """Several messages in a row; honest ones among them show that it is the attack which is refused."""

    number: int
    name: str
    turns: Callable[[Scene], Sequence[Turn]]
