"""The independent RFC 9421 implementation as a judge: the same question, asked at the same moment."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pytest
from http_message_signatures import HTTPMessageVerifier, InvalidSignature, MappingKeyResolver, algorithms
from http_message_signatures.exceptions import HTTPMessageSignaturesException
from http_message_signatures.structures import CaseInsensitiveDict

from kiosk.sync import profile
from kiosk.visit.ports import SigningKey
from tests.sync import rfc9421
from tests.sync.attacks import ANSWER_COMPONENTS, COMPONENTS
from tests.sync.support import NOW_S, record

ALGORITHMS = {profile.ALG_P256: algorithms.ECDSA_P256_SHA256, profile.ALG_ED25519: algorithms.ED25519}


def fields_of(pairs: dict[str, str]) -> Any:
    """Header fields as the library wants them."""
    return CaseInsensitiveDict(pairs)  # type: ignore[no-untyped-call]  # the library leaves it untyped


@dataclass
class Request:
    """A request as the library wants it."""

    method: str
    url: str
    headers: Any


@dataclass
class Reply:
    """A response as the library wants it."""

    status_code: int
    headers: Any
    request: Request


class FixedNow(dt.datetime):
    """The library reads the wall clock; ours is given."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> FixedNow:
        return cls.fromtimestamp(NOW_S, tz=tz)


def stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are asked at `NOW_S`."""
    monkeypatch.setattr("http_message_signatures.signatures.datetime.datetime", FixedNow)


def as_request(message: rfc9421.Message, origin: str) -> Request:
    """Of fields that come twice the library sees one."""
    return Request(message.method, origin + message.target.decode("latin-1"), fields_of(_texts(message.headers)))


def as_reply(answer: rfc9421.Answer, request: Request) -> Reply:
    """An answer, told to be one to this request."""
    return Reply(answer.status, fields_of(_texts(answer.headers)), request)


class Oracle:
    """A verifier of one key's signatures, configured as strictly as it can be."""

    def __init__(self, key: SigningKey) -> None:
        resolver = MappingKeyResolver(public_keys={key.keyid: record(key).public_key}, private_keys={})
        self._verifier = HTTPMessageVerifier(signature_algorithm=ALGORITHMS[key.alg], key_resolver=resolver)
        self._verifier.max_clock_skew = dt.timedelta(seconds=profile.SKEW_S)

    def accepts(self, message: Request | Reply, body: bytes) -> bool:
        """Whether every signature of our tag verifies, covers what the profile covers, and the digest is the body's."""
        # The library would parse `require_components` anew for every message: a third of the whole cost.
        needed = COMPONENTS if isinstance(message, Request) else ANSWER_COMPONENTS
        try:
            results = self._verifier.verify(message, expect_tag=profile.TAG, body=body, max_age=None)
        except (InvalidSignature, HTTPMessageSignaturesException):
            return False
        return all(result.covered_components.keys() >= set(needed) for result in results)


def _texts(headers: rfc9421.Headers) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
