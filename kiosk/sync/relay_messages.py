"""What the update centre sends during a conversation: packages and the closing word, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kiosk.sync.fields import LATEST_S, FieldError, Fields, read
from kiosk.visit.ports import CardStep
from kiosk.visit.values import Outcome

MAX_ITEMS: Final = 64
MAX_COUNTER: Final = 32_767
MAX_WAIT_MS: Final = 32_767
CONVERSATION_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,60}", re.ASCII)
APDU_BYTES: Final = (4, 261)
"""Shortest and longest short APDU."""
_STATUS_WORD: Final = re.compile(r"[0-9a-f]{4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Package:
    """Commands to run unchanged and in order. `last_if_ok`: nothing follows but the close if all answers are good."""

    conversation_id: str = field(repr=False)
    counter: int
    not_after_s: int
    last_if_ok: bool
    steps: tuple[CardStep, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """The centre's last word. `detail`: VSDM outcome number 1–6; `code`: a name of the error table, if any."""

    outcome: Outcome
    detail: int
    code: str = ""


def parse_message(body: Mapping[str, Any]) -> Package | Close | FieldError:
    """The answer to `relay/start` and `relay/step`: exactly one of `package` and `close`."""
    return read(body, _message)


def _message(fields: Fields) -> Package | Close:
    if fields.has("package") == fields.has("close"):
        fields.refuse("package", "either a package or a close expected")
    if fields.has("close"):
        close = fields.object("close")
        code = close.text("code", max_chars=40) if close.has("code") else ""
        return Close(close.one_of("outcome", Outcome), close.whole("detail", 1, 6), code)
    package = fields.object("package")
    package.whole("max_wait_ms", 0, MAX_WAIT_MS)
    return Package(
        conversation_id=package.text("conversation_id", pattern=CONVERSATION_ID),
        counter=package.whole("counter", 0, MAX_COUNTER),
        not_after_s=package.whole("not_after_s", 0, LATEST_S),
        last_if_ok=package.flag("last_if_ok"),
        steps=tuple(_step(item) for item in package.objects("items", low=1, high=MAX_ITEMS)),
    )


def _step(item: Fields) -> CardStep:
    expected = item.texts("expected_sw", pattern=_STATUS_WORD, low=1, high=16)
    return CardStep(
        command=item.octets("apdu", *APDU_BYTES),
        expected_sw=frozenset(int(word, 16) for word in expected),
    )
