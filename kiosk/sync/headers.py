"""Header fields of a signed message: bounded, gathered once, then asked for by name."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Final

from kiosk.sync import profile
from kiosk.sync.messages import RawHeaders, Reason, Refused

_LINE_OVERHEAD_BYTES: Final = 4  # colon, blank, CR, LF
_NONE: Final[frozenset[bytes]] = frozenset()


@dataclass(slots=True)
class GatheredHeaders:
    """Header pairs, gathered once: lower-case name → last value, and which names came more than once."""

    found: dict[bytes, bytes]
    twice: frozenset[bytes]

    def needed(self, names: tuple[bytes, ...]) -> list[bytes] | Refused:
        """The value of each named field, in this order; each must be there exactly once."""
        for name in names:
            if name not in self.found:
                return Refused(Reason.FIELD_MISSING, name.decode("ascii"))
            if name in self.twice:
                return Refused(Reason.FIELD_DUPLICATE, name.decode("ascii"))
        return [self.found[name] for name in names]

    def forbidden(self, names: frozenset[bytes]) -> Refused | None:
        """The first field, by name, that may not be there."""
        if names.isdisjoint(self.found):
            return None
        return Refused(Reason.FORBIDDEN_FIELD, min(names & self.found.keys()).decode("ascii"))


def gather(headers: RawHeaders) -> GatheredHeaders | Refused:
    """The fields, if they are within the limits of number and section size, and of visible ASCII."""
    text = b"".join(chain.from_iterable(headers))
    if (
        len(headers) > profile.MAX_HEADER_FIELDS
        or len(text) + len(headers) * _LINE_OVERHEAD_BYTES > profile.MAX_HEADER_SECTION_BYTES
    ):
        return Refused(Reason.HEADER_LIMIT)
    if text.translate(None, profile.FIELD_BYTES):
        return Refused(Reason.FIELD_BYTES)
    found = {name.lower(): value for name, value in headers}
    return GatheredHeaders(found, _NONE if len(found) == len(headers) else _repeated(headers))


def _repeated(headers: RawHeaders) -> frozenset[bytes]:
    names = [name.lower() for name, _ in headers]
    return frozenset(name for name in names if names.count(name) > 1)
