"""How good a reader's contacts are: counted since the kiosk started, one reader at a time, nothing about a card kept.

A member who takes a card out does not put it back within half a second; a worn contact or a dirty card is back at
once. The ATR that tells "the same kind of card" is held until the card is back, for no longer than that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

BACK_WITHIN_S: Final = 0.5
FLAKY_TIMES: Final = 3
FLAKY_WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Contacts:
    """Counts since the start.

    vanished: a card was gone and back at once. mute: a card gave no ATR. silent: a card that is in did not answer.
    flaky: `FLAKY_TIMES` vanishings came within `FLAKY_WITHIN_S`.
    """

    vanished: int = 0
    mute: int = 0
    silent: int = 0
    flaky: int = 0


class ContactCounter:
    """Counts for one reader role. One thread at a time; times are monotonic seconds."""

    def __init__(self) -> None:
        self.counts = Contacts()
        self.dirty = False  # the card that is in has vanished and come back, so often or since it had
        self._in: bytes | None = None
        self._left: tuple[bytes, float] | None = None
        self._vanishings: deque[float] = deque(maxlen=FLAKY_TIMES)

    def filled(self, atr: bytes, *, mute: bool, now_s: float) -> bool:
        """A card is in. True: with this one the contact has proved to be flaky."""
        left, self._left, self._in = self._left, None, atr
        if mute:
            self.counts = replace(self.counts, mute=self.counts.mute + 1)
        if left is None or mute or left[0] != atr or now_s > left[1] + BACK_WITHIN_S:
            self.dirty = False
            return False
        self.counts = replace(self.counts, vanished=self.counts.vanished + 1)
        self._vanishings.append(now_s)
        if len(self._vanishings) < FLAKY_TIMES or now_s > self._vanishings[0] + FLAKY_WITHIN_S:
            return False
        self._vanishings.clear()  # the next one is told when it has proved itself again
        self.counts = replace(self.counts, flaky=self.counts.flaky + 1)
        self.dirty = True
        return True

    def emptied(self, now_s: float) -> None:
        """The card has left."""
        self._left = None if self._in is None else (self._in, now_s)
        self._in = None

    def silent(self) -> None:
        """A card that is in did not answer."""
        self.counts = replace(self.counts, silent=self.counts.silent + 1)

    def lost(self) -> None:
        """The reader or the service is gone: that a card is there afterwards says nothing of the contact."""
        self._in = self._left = None
        self.dirty = False
