"""A signature base as RFC 9421 §2 tells a person to write it: a third opinion beside our builder and the oracle's.

Knows only the components that the tests name. Field values are taken as they are; nothing is canonicalised but the
blanks around them (§2.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

Headers = tuple[tuple[bytes, bytes], ...]
MEMBER = re.compile(r'([^,=\s]+)=((?:"[^"]*"|[^,"])*)')


@dataclass(frozen=True)
class Message:
    """A request: target as on the request line, header pairs in order."""

    method: str
    target: bytes
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    def value(self, name: bytes) -> bytes:
        """The only field of this name."""
        return _value(self.headers, name)

    def edited(self, name: bytes, by: bytes) -> Message:
        """With every field of this name saying something else."""
        return replace(self, headers=tuple((key, by if key == name else value) for key, value in self.headers))


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    def value(self, name: bytes) -> bytes:
        """The only field of this name."""
        return _value(self.headers, name)

    def edited(self, name: bytes, by: bytes) -> Answer:
        """With every field of this name saying something else."""
        return replace(self, headers=tuple((key, by if key == name else value) for key, value in self.headers))


def base(
    identifiers: tuple[str, ...], params: str, origin: str, request: Message, answer: Answer | None = None
) -> bytes:
    """Lines of the identifiers (serialised, as in the inner list), then the parameters line. No final line feed."""
    lines = [f"{name}: {_component(name, origin, request, answer)}" for name in identifiers]
    return "\n".join([*lines, f'"@signature-params": {params}']).encode("latin-1")


def parameters(identifiers: tuple[str, ...], rest: str) -> str:
    """The inner list with its parameters, the value of `@signature-params`."""
    return f"({' '.join(identifiers)}){rest}"


def _component(identifier: str, origin: str, request: Message, answer: Answer | None) -> str:
    name, *flags = identifier.split(";")
    name = name.strip('"')
    about: Message | Answer = request if answer is None or "req" in flags else answer
    target = request.target.decode("latin-1")
    match name:
        case "@method":
            return request.method
        case "@target-uri":
            return origin + target
        case "@authority":
            return origin.partition("://")[2]
        case "@path":
            return target.partition("?")[0]
        case "@query":
            return "?" + target.partition("?")[2]
        case "@status":
            assert answer is not None
            return str(answer.status)
    value = about.value(name.encode("ascii")).decode("latin-1").strip()
    if "bs" in flags:
        raise AssertionError("no published example has a field as bytes")
    for flag in flags:
        if flag.startswith("key="):
            members: dict[str, str] = dict(MEMBER.findall(value))
            return members[flag.removeprefix("key=").strip('"')]
    return value


def _value(headers: Headers, name: bytes) -> bytes:
    [value] = [value for key, value in headers if key.lower() == name]
    return value
