"""What request bodies must look like, as data: exact fields and types, bounded sizes; errors name field and cause."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Check = Callable[[Any, str], str | None]
"""(value, its path) → None, or a sentence that names the path and the cause and never the value."""

MAX_INT: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Record:
    """An object with exactly these fields."""

    fields: Mapping[str, Check]

    def __call__(self, value: Any, path: str) -> str | None:
        """Check every field; unknown ones are refused."""
        if not isinstance(value, dict):
            return f"{path or 'body'}: an object expected"
        for name in self.fields:
            if name not in value:
                return f"{_join(path, name)}: missing"
        for name in value:
            if name not in self.fields:
                return f"{path or 'body'}: unknown field"
        for name, check in self.fields.items():
            if problem := check(value[name], _join(path, name)):
                return problem
        return None


def text(pattern: str) -> Check:
    """A string that matches the whole pattern (ASCII)."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: Any, path: str) -> str | None:
        if not isinstance(value, str):
            return f"{path}: a text expected"
        return None if compiled.fullmatch(value) else f"{path}: wrong form"

    return check


def whole(lowest: int, highest: int = MAX_INT) -> Check:
    """A whole number within bounds; true and false are none."""

    def check(value: Any, path: str) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{path}: a whole number expected"
        return None if lowest <= value <= highest else f"{path}: out of range"

    return check


def truth(value: Any, path: str) -> str | None:
    """true or false."""
    return None if isinstance(value, bool) else f"{path}: true or false expected"


def maybe(check: Check) -> Check:
    """null, or what `check` takes."""
    return lambda value, path: None if value is None else check(value, path)


def items(check: Check, most: int) -> Check:
    """A list of at most `most` entries."""

    def check_list(value: Any, path: str) -> str | None:
        if not isinstance(value, list):
            return f"{path}: a list expected"
        if len(value) > most:
            return f"{path}: too many entries"
        for index, entry in enumerate(value):
            if problem := check(entry, f"{path}[{index}]"):
                return problem
        return None

    return check_list


def mapping(key_pattern: str, check: Check, most: int) -> Check:
    """An object with free names of one form."""
    compiled = re.compile(key_pattern, re.ASCII)

    def check_mapping(value: Any, path: str) -> str | None:
        if not isinstance(value, dict):
            return f"{path}: an object expected"
        if len(value) > most:
            return f"{path}: too many entries"
        for key, entry in value.items():
            if not compiled.fullmatch(key):
                return f"{path}: a name of wrong form"
            if problem := check(entry, f"{path}.{key}"):
                return problem
        return None

    return check_mapping


def anything(_value: Any, _path: str) -> str | None:
    """Judged elsewhere."""
    return None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


ICCSN: Final = text(r"[0-9]{20,21}")
HEX_32: Final = text(r"[0-9a-f]{32}")
UPDATE_ID: Final = text(r"(?:[0-9a-f]{2}){1,20}")
CONVERSATION_ID: Final = text(r"[A-Za-z0-9.-]{1,60}")
BATCH_SEQ: Final = whole(1)
MAX_EVENTS: Final = 1000
MAX_RESPONSES: Final = 64

CARD: Final = Record({"generation": text("vitale2"), "iccsn": ICCSN})
BODIES: Final[Mapping[str, Record]] = {
    "/v1/relay/flags": Record({"card": CARD, "mode": text("SELF|ASSISTED|AGENCY")}),
    "/v1/relay/start": Record(
        {"card": CARD, "update_id": UPDATE_ID, "actor": Record({"mode": text("SELF|ASSISTED|AGENCY")})}
    ),
    "/v1/relay/step": Record(
        {
            "conversation_id": CONVERSATION_ID,
            "counter": whole(0, 32_767),
            "responses": items(text(r"(?:[0-9a-f]{2}){2,258}"), MAX_RESPONSES),
            "abort": maybe(Record({"command_sent": truth})),
        }
    ),
    "/v1/identify": Record({"iccsn": ICCSN, "birth_date": text("[0-9]{8}"), "postcode": text("[0-9]{5}")}),
    "/v1/code/issue": Record({"iccsn": ICCSN, "proof": HEX_32}),
    "/v1/events": Record(
        {"batch_seq": BATCH_SEQ, "acked_through_seq": whole(0), "events": items(anything, MAX_EVENTS)}
    ),
    "/v1/sync/state": Record({"batch_seq": BATCH_SEQ}),
    "/v1/policy/state": Record({"known": mapping("policy|quarantine", whole(0), 2)}),
}
"""The body of every signed route. Entries of `events` are judged one by one (`intake`), each with its own result."""

REDEEM: Final = Record({"login": text(r"[1-8][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{6}"), "code": text("[0-9]{4}")})
"""Body of the account side's `/account/redeem`: the first 13 characters of a NIR, and a provisional code."""
