"""Header fields of a signed message: bounded, gathered once, then asked for by name."""

from __future__ import annotations

from kiosk.sync import profile
from kiosk.sync.messages import RawHeaders, Reason, Refused


class GatheredHeaders:
    """Header pairs, gathered once: lower-case name → last value, and which names came more than once."""

    __slots__ = ("found", "twice")

    def __init__(self, headers: RawHeaders) -> None:
        self.found: dict[bytes, bytes] = {}
        self.twice: set[bytes] = set()
        for raw_name, value in headers:
            name = raw_name.lower()
            if name in self.found:
                self.twice.add(name)
            self.found[name] = value

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
    """The fields, if they are within the limits of number and section size."""
    # Four more bytes a line: colon, blank, CR, LF.
    if (
        len(headers) > profile.MAX_HEADER_FIELDS
        or sum([len(name) + len(value) + 4 for name, value in headers]) > profile.MAX_HEADER_SECTION_BYTES
    ):
        return Refused(Reason.HEADER_LIMIT)
    return GatheredHeaders(headers)
