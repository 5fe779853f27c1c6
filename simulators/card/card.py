"""A simulated card at its contacts: power, ATR, T=0 delivery of answers, planned faults. No socket inside."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

from kiosk.card.apdu import INS_GET_RESPONSE, SHORT_NE_MAX, ApduError, Case, CommandApdu, parse_command
from simulators.card.challenges import Challenges
from simulators.card.chip import Chip, Reply
from simulators.card.class_byte import parse_class
from simulators.card.faults import CardGoneError, CardHangsError, FaultKind, FaultPlan, PlannedFault
from simulators.card.image import Image, ImageError

MUTE_ATR: Final = b"\x3b" + bytes(33)
"""34 bytes, one too many: what a reader makes of a card that says nothing."""


class SimulatedCard:
    """The object behind every simulated reader. One thread at a time.

    `vanished`: a planned fault took the card out of the reader, and it was not powered since.
    A card in a reader is powered by `power_on`, which resets it: MF selected, session, pending and chained data gone.
    """

    def __init__(
        self,
        atr: bytes,
        chip: Chip,
        *,
        image: Image | None = None,
        challenges: Challenges | None = None,
        faults: Iterable[PlannedFault] = (),
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """`wait`: how a planned delay passes its seconds."""
        self._atr = atr
        self._chip = chip
        self._image = image
        self._challenges = challenges
        self._wait = wait
        self._powered = False
        self._pending = Reply(0)
        self.vanished = False
        self.plan(faults)

    def plan(self, faults: Iterable[PlannedFault]) -> None:
        """Replace the planned faults; all counts start again."""
        self._plan = FaultPlan.of(faults)
        if self._image is not None:
            self._image.before_write = self._plan.at_write

    @property
    def atr(self) -> bytes:
        """What the card answers to a reset; 34 bytes for a mute card."""
        return MUTE_ATR if self._plan.mute else self._atr

    def power_on(self, cold: bool = True) -> bytes:  # one of two resets of the standard
        """Cold or warm reset: both forget the same here, and give the same ATR."""
        del cold
        self.vanished = False
        self._forget()
        self._powered = len(self.atr) < len(MUTE_ATR)
        return self.atr

    def power_off(self) -> None:
        """Contacts without power."""
        self._forget()
        self._powered = False

    def transmit(self, apdu: bytes) -> bytes:
        """One command, one answer of at least two bytes; b"" from a card that is mute or has no power.

        Raises `CardGoneError` and `CardHangsError` where they are planned, and nothing else for any bytes.
        """
        if not self._powered:
            return b""
        fault = self._plan.at_apdu(apdu)
        match fault and fault.kind:
            case FaultKind.REMOVED_BEFORE:
                self._vanish()
            case FaultKind.HANG:
                self._powered = False
                raise CardHangsError
            case FaultKind.WRONG_SW if fault is not None:
                return fault.sw.to_bytes(2, "big")
            case FaultKind.DELAY if fault is not None:
                self._wait(fault.delay_ms / 1000)
        try:
            answer = self._answer(apdu)
        except CardGoneError:
            self._vanish()
        if fault is not None and fault.kind is FaultKind.REMOVED_AFTER:
            self._vanish()
        return answer

    def image_bytes(self) -> bytes:
        """Everything on the card that can change, and the rest of its files; b"" for a card without files."""
        return self._image.to_bytes() if self._image is not None else b""

    def digest(self) -> str:
        """SHA-256 of the image, to compare a card with itself."""
        return hashlib.sha256(self.image_bytes()).hexdigest()

    def restore(self, image: bytes) -> ImageError | None:
        """Put back an earlier `image_bytes` of this card and rewind seeded challenges. The card is reset."""
        self.power_off()
        if self._challenges is not None:
            self._challenges.rewind()
        return self._image.restore(image) if self._image is not None else None

    def _vanish(self) -> NoReturn:
        self.power_off()
        self.vanished = True
        raise CardGoneError

    def _forget(self) -> None:
        self._pending = Reply(0)
        self._chip.reset()

    def _answer(self, apdu: bytes) -> bytes:
        parsed = parse_command(apdu)
        command = None if isinstance(parsed, ApduError) else parsed
        is_get_response = len(apdu) > 1 and apdu[1] == INS_GET_RESPONSE
        if is_get_response or command is None:
            self._chip.abandon_chain()
        cla = parse_class(apdu[0]) if apdu else 0x6700
        if len(apdu) < 4:
            return self._status(0x6700)
        if isinstance(cla, int):
            self._chip.abandon_chain()
            return self._status(cla)
        if is_get_response:
            return self._get_response(command)
        reply = self._chip.execute(cla, apdu[:4], command)
        return self._deliver(command, reply)

    def _status(self, sw: int) -> bytes:
        self._pending = Reply(0)
        return sw.to_bytes(2, "big")

    def _deliver(self, command: CommandApdu | None, reply: Reply) -> bytes:
        """Case 2 answers go out at once; under T=0 all others wait for GET RESPONSE (61xx)."""
        self._pending = Reply(0)
        if not reply.data:
            return reply.sw.to_bytes(2, "big")
        if command is not None and command.case is Case.RESPONSE_ONLY and len(reply.data) <= command.ne:
            return reply.data + reply.sw.to_bytes(2, "big")
        self._pending = reply
        return self._more()

    def _get_response(self, command: CommandApdu | None) -> bytes:
        """The next chunk of a pending answer; without Le as with Le 00. A refused GET RESPONSE leaves it pending."""
        pending = self._pending
        if command is not None and (command.p1, command.p2) != (0, 0):
            return b"\x6a\x86"
        if command is None or command.data:
            return b"\x67\x00"
        if not pending.data:
            return b"\x69\x85"
        ne = min(command.ne or SHORT_NE_MAX, SHORT_NE_MAX)
        if ne > len(pending.data) and ne != SHORT_NE_MAX:
            return bytes([0x6C, len(pending.data) & 0xFF])
        chunk, rest = pending.data[:ne], pending.data[ne:]
        self._pending = Reply(pending.sw, rest)
        return chunk + (self._more() if rest else self._status(pending.sw))

    def _more(self) -> bytes:
        return bytes([0x61, len(self._pending.data) & 0xFF if len(self._pending.data) < SHORT_NE_MAX else 0])
