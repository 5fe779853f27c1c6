"""Many generated messages, each judged by us and by the oracle; every difference must be one of the named rules."""

from __future__ import annotations

import random
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from kiosk.sync import profile
from tests.sync.attacks import (
    COMPONENTS,
    DIGEST,
    INPUT,
    LENGTH,
    SIGNATURE,
    TYPE,
    Scene,
    twin,
)
from tests.sync.rfc9421 import Answer, Message
from tests.sync.support import NOW_S

Verdict = tuple[str, str] | None
"""None: accepted; otherwise reason and field of the refusal."""
HONEST_SHARE = 0.44
ROUTES = tuple(profile.ROUTES)
REQUEST_PARAMETERS = ("created", "keyid", "alg", "expires", "nonce", "tag")
RULES = {
    ("header_limit", ""): "at most 64 fields in 16 KiB",
    ("field_bytes", ""): "names and values are of visible ASCII",
    ("method", ""): "every call is a POST",
    ("path", ""): "the target is a constant of the route table",
    ("query", ""): "there is no query",
    ("host", "host"): "exactly one configured Host",
    ("tls_identity", ""): "the key is the one of the kiosk in the client certificate",
    ("lifetime", "signature-input"): "0 < expires - created <= 120",
    ("length", "content-length"): "the length is the number of bytes received",
    ("too_large", "content-length"): "the body is within the limit of its route",
    ("status", ""): "no redirect, no interim answer",
    ("stale", "signature-input"): "no answer from before the floor of time",
    **{
        ("forbidden_field", name.decode()): "no field that changes the framing"
        for name in profile.FORBIDDEN_REQUEST_FIELDS | profile.FORBIDDEN_RESPONSE_FIELDS
    },
    **{
        (reason, name.decode()): rule
        for name in profile.REQUEST_FORMS
        for reason, rule in (
            ("field_missing", "each field is there"),
            ("field_duplicate", "each field comes once"),
            ("field_form", f"one form of {name.decode()}"),
        )
    },
}
"""Refusals that only the closed grammar knows. Not among them: signature, digest, alg, key_unknown."""


@dataclass
class Tally:
    """What a campaign has seen."""

    messages: int = 0
    honest: int = 0
    both_accept: int = 0
    both_refuse: int = 0
    stricter: Counter[str] = field(default_factory=Counter)  # rule -> messages the oracle takes and we do not

    def judge(self, honest: bool, ours: Verdict, theirs: bool, text: str) -> None:
        """One message; `text` is its Signature-Input. Raises AssertionError on a difference that has no rule."""
        self.messages += 1
        self.honest += honest
        if ours is None:
            assert theirs, f"accepted by us, refused by the oracle: {text}"
            self.both_accept += 1
            return
        assert not honest, f"{ours} for an honest message: {text}"
        if not theirs:
            self.both_refuse += 1
            return
        rule = RULES.get(ours)
        assert rule is not None, f"{ours} is no rule of the grammar, and the oracle accepts: {text}"
        self.stricter[_which(text) if rule == "one form of signature-input" else rule] += 1

    def __str__(self) -> str:
        rules = "\n".join(f"  {count:6d}  {rule}" for rule, count in self.stricter.most_common())
        return (
            f"{self.messages} messages, {self.honest} honest: both accept {self.both_accept}, both refuse"
            f" {self.both_refuse}, only we refuse {self.stricter.total()}:\n{rules}"
        )


def _which(text: str) -> str:
    """What of the Signature-Input has another form."""
    found = re.fullmatch(r"sig1=(\([^()]*\))([^,]*)", text)
    if found is None:
        return "signature-input: one member, labelled sig1"
    if found[1] not in (profile.REQUEST_COMPONENTS, profile.RESPONSE_COMPONENTS):
        return "signature-input: these components in this order"
    names = tuple(re.findall(r";([a-z]+)=", found[2]))
    if names not in (REQUEST_PARAMETERS, ("created", "keyid", "alg", "tag")):
        return "signature-input: these parameters in this order"
    return "signature-input: one form of each parameter"


class Generator:
    """Messages of one scene from one seed: honest ones in every variation, and bent ones."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene = scene
        self.rng = random.Random(seed)

    def honest(self) -> Message:
        """Any route, body, lifetime, time within the window; fields in any order and case."""
        rng = self.rng
        lifetime_s = rng.randrange(1, profile.MAX_LIFETIME_S + 1)
        message = self.scene.request(
            b'{"n":%d}' % rng.getrandbits(rng.randrange(1, 200)),
            path=rng.choice(ROUTES),
            created_s=NOW_S + rng.randrange(-lifetime_s - 60, 61),
            lifetime_s=lifetime_s,
            idempotency_key=f"{rng.getrandbits(128):032x}",
            nonce=self.nonce(),
        )
        return replace(message, headers=self.disordered(message.headers))

    def nonce(self) -> str:
        """22 characters as the profile has them."""
        raw = b64encode(self.rng.randbytes(16), altchars=b"-_")
        return raw.decode("ascii").rstrip("=")

    def disordered(self, headers: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
        """What HTTP allows anybody on the way to do, in one case of four."""
        pairs = list(headers)
        match self.rng.randrange(12):
            case 0:
                self.rng.shuffle(pairs)
            case 1:
                pairs = [(name.title(), value) for name, value in pairs]
            case 2:
                pairs.append((b"via", b"1.1 gateway"))
        return tuple(pairs)

    def bent(self, rows: Sequence[Callable[[Message], Message]]) -> Message:
        """An honest request after one or two changes."""
        message = self.scene.request(b'{"n":%d}' % self.rng.getrandbits(32), nonce=self.nonce())
        message = self._one_change(message, rows)
        if self.rng.random() < 0.1:
            message = replace(message, headers=bent_fields(self.rng, message.headers))
        return message

    def _one_change(self, message: Message, rows: Sequence[Callable[[Message], Message]]) -> Message:
        rng = self.rng
        kind = rng.randrange(100)
        if kind < 40 and rows:
            return rng.choice(rows)(message)
        if kind < 55:
            return self._any_form(message)
        if kind < 60:
            return twin(message, self.scene) if self.scene.key.alg == profile.ALG_P256 else message
        if kind < 65:
            return replace(message, body=changed(rng, message.body))
        if kind < 70:
            return replace(message, target=changed(rng, message.target))
        return replace(message, headers=bent_fields(rng, message.headers))

    def _any_form(self, message: Message) -> Message:
        """Another coverage or other parameters, under a true signature."""
        rng, scene = self.rng, self.scene
        components = list(COMPONENTS)
        match rng.randrange(4):
            case 0:
                rng.shuffle(components)
            case 1:
                del components[rng.randrange(len(components))]
            case 2:
                components.insert(rng.randrange(len(components)), rng.choice(('"host"', '"@authority"', '"@path"')))
        told = {
            "created": str(NOW_S + rng.choice((0, 0, -61, 61, -200, 60))),
            "keyid": f'"{scene.key.keyid}"',
            "alg": f'"{scene.key.alg}"',
            "expires": str(NOW_S + rng.choice((60, 60, 1, 120, 121, 0, -60, -61, 10_000))),
            "nonce": f'"{self.nonce()}"' if rng.random() < 0.8 else '"short"',
            "tag": f'"{profile.TAG}"',
        }
        names = list(told)
        if rng.random() < 0.3:
            rng.shuffle(names)
        if rng.random() < 0.2:
            names.remove(rng.choice(names))
        params = "".join(f";{name}={told[name]}" for name in names)
        return scene.resigned(message, components=tuple(components), params=params)

    def answer(self, request: Message) -> Answer:
        """An honest answer of any status, body and time past the floor."""
        rng = self.rng
        body = b'{"n":%d}' % rng.getrandbits(rng.randrange(1, 200))
        answer = self.scene.answer(request, rng.choice((200, 200, 401, 403, 409, 422, 500, 503)), body)
        return replace(answer, headers=self.disordered(answer.headers))

    def bent_answer(self, request: Message, rows: Sequence[Callable[[Answer, Message], Answer]]) -> Answer:
        """An honest answer after one change."""
        rng = self.rng
        answer = self.answer(request)
        kind = rng.randrange(100)
        if kind < 45 and {name for name, _ in answer.headers} >= {INPUT, SIGNATURE, DIGEST, TYPE, LENGTH}:
            return rng.choice(rows)(answer, request)
        if kind < 55:
            return replace(answer, body=changed(rng, answer.body))
        if kind < 60:
            return replace(answer, status=rng.randrange(100, 1000))
        return replace(answer, headers=bent_fields(rng, answer.headers))


def changed(rng: random.Random, value: bytes) -> bytes:
    """One character replaced, put in, left out, or doubled; or a blank at an end."""
    at = rng.randrange(len(value) + 1)
    character = bytes([rng.randrange(32, 127)]) if rng.random() < 0.8 else rng.choice((b'"', b";", b",", b" ", b"="))
    match rng.randrange(6):
        case 0:
            return value[:at] + character + value[at:]
        case 1:
            return value[:at] + value[at + 1 :]
        case 2:
            return value[:at] + value[at : at + 1] + value[at:]
        case 3:
            return rng.choice((b" " + value, value + b" ", value + b"\t"))
    return value[:at] + character + value[at + 1 :]


def bent_fields(rng: random.Random, headers: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """One field changed, gone, doubled, emptied, or with the value of another; or one more of any name."""
    pairs = list(headers)
    at = rng.randrange(len(pairs))
    name, value = pairs[at]
    match rng.randrange(10):
        case 0:
            del pairs[at]
        case 1:
            pairs.append((name, value))
        case 2:
            pairs.insert(0, (name.upper(), changed(rng, value)))
        case 3:
            pairs[at] = (name, rng.choice(pairs)[1])
        case 4:
            pairs.append((rng.choice((b"cookie", b"te", b"set-cookie", b"x-\xe9", b"trailer", b"x")), b"a"))
        case 5:
            pairs[at] = (name, re.sub(rb"[0-9]", lambda _: b"%d" % rng.randrange(10), value, count=rng.randrange(1, 4)))
        case _:
            pairs[at] = (name, changed(rng, value))
    return tuple(pairs)
