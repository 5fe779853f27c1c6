"""A simulated card at its contacts: power, ATR, T=0 delivery of answers, planned faults. No socket inside."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

from kiosk.card.apdu import INS_GET_RESPONSE, SHORT_NE_MAX, ApduError, Case, CommandApdu, parse_command
from simulators.card.challenges import Challenges
from simulators.card.chip import Chip, Reply, speaks_t1
from simulators.card.class_byte import SW_CHANNEL, parse_class
from simulators.card.faults import (
    HANDED_KINDS,
    READER_KINDS,
    Act,
    CardGoneError,
    CardHangsError,
    Due,
    FaultKind,
    FaultPlan,
    PlannedFault,
    PowerCutError,
    nobody,
)
from simulators.card.image import Image, ImageError
from simulators.card.timing import Exchange, Timing

MUTE_ATR: Final = b"\x3b" + bytes(33)
"""34 bytes, one too many: what a reader makes of a card that says nothing."""

_GONE_BEFORE: Final = frozenset({FaultKind.REMOVED_BEFORE, FaultKind.FLAKY, FaultKind.SWAPPED})


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
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """`wait`: how planned delays, and real time, pass their seconds; by itself until `cut_power`."""
        self._atr = atr
        self._block_protocol = speaks_t1(atr)
        self._chip = chip
        self._image = image
        self._challenges = challenges
        self._cut = threading.Event()
        self._powers = 0  # changes with each reset and each cut: a command does not outlive the power it came under
        self._wait = wait or self._cut.wait
        self._timing: Timing | None = None
        self._powered = False
        self._warm = False
        self._pending = Reply(0)
        self._pending_channel = 0
        self.vanished = False
        self.note: Callable[[Exchange], None] | None = None  # told the lengths of each exchange that has an answer
        self.plan(faults)

    def plan(self, faults: Iterable[PlannedFault], *, seed: int = 0, act: Act = nobody) -> None:
        """Replace the planned faults; all counts start again. `act`: the hand for those that need one.

        Raises ValueError when something is planned for the reader and there is no hand.
        """
        self._plan = FaultPlan.of(faults, seed)
        self._act = act
        if act is nobody and any(fault.kind in READER_KINDS for fault in self._plan.faults):
            raise ValueError("a fault of the reader is planned, and nobody is there to stage it")
        if self._image is not None:
            self._image.at_page = self._plan.at_page

    @property
    def times_due(self) -> tuple[int, ...]:
        """How often each planned fault's moment has come, in the order of the plan."""
        return self._plan.times_due

    def run_in_real_time(self) -> None:
        """From now on take as long as a real card with this ATR would; a card without a proper ATR has no time."""
        timing = Timing.of(self._atr)
        self._timing = timing if isinstance(timing, Timing) else None

    @property
    def atr(self) -> bytes:
        """What the card answers to a reset of the kind it had last; 34 bytes for a mute card."""
        if self._plan.mute:
            return MUTE_ATR
        return (self._warm and self._plan.warm_atr) or self._atr

    def power_on(self, cold: bool = True) -> bytes:  # one of two resets of the standard
        """Cold or warm reset: both forget the same, and give the same ATR unless planned otherwise."""
        self._warm = not cold
        self._plan.at_power_up(cold)
        self.vanished = False
        self._powers += 1
        self._cut.clear()
        self._forget()
        self._powered = len(self.atr) < len(MUTE_ATR)
        if self._timing is not None:
            self._wait(self._timing.power_up_s)
        return self.atr

    def power_off(self) -> None:
        """Contacts without power."""
        self._forget()
        self._powered = self._warm = False

    def cut_power(self) -> None:
        """From another thread, in the middle of `transmit`: what waits there ends at once and executes nothing."""
        self._powers += 1
        self._cut.set()

    def transmit(self, apdu: bytes) -> bytes:
        """One command, one answer of at least two bytes (fewer only as planned); b"" from a card without power or ATR.

        Raises `CardGoneError` and `CardHangsError` where they are planned, `PowerCutError`, and nothing else for any
        bytes.
        """
        if not self._powered:
            return b""
        due = self._plan.at_apdu(apdu)
        self._before(due)
        pages_before = self._pages_written
        wrong = next((one.fault for one in due if one.fault.kind is FaultKind.WRONG_SW), None)
        try:
            answer = self._answer(apdu) if wrong is None else wrong.sw.to_bytes(2, "big")
        except CardGoneError:
            self._vanish()
        self._take_time(Exchange(len(apdu), len(answer), self._pages_written - pages_before))
        return self._after(due, answer)

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

    def _before(self, due: tuple[Due, ...]) -> None:
        """Delays first, whatever the order of the plan: of two faults at one APDU both can be seen."""
        power = self._powers
        for one in due:
            if one.fault.kind is FaultKind.DELAY:
                self._wait(one.seconds)
        if self._powers != power:
            raise PowerCutError
        for one in due:
            if one.fault.kind in _GONE_BEFORE:
                self._vanish(one)
            if one.fault.kind is FaultKind.HANG:
                self._powered = False
                raise CardHangsError

    def _after(self, due: tuple[Due, ...], answer: bytes) -> bytes:
        for one in due:
            if one.fault.kind in READER_KINDS:
                self._act(one)
        for one in due:
            if one.fault.kind is FaultKind.REMOVED_AFTER:
                self._vanish(one)
            if one.fault.kind is FaultKind.TRUNCATED:
                answer = answer[: one.fault.keep_bytes]
        return answer

    @property
    def _pages_written(self) -> int:
        return self._image.pages_written if self._image is not None else 0

    def _take_time(self, exchange: Exchange) -> None:
        if self.note is not None:
            self.note(exchange)
        if self._timing is not None:
            self._wait(self._timing.exchange_s(exchange))

    def _vanish(self, due: Due | None = None) -> NoReturn:
        self.power_off()
        self.vanished = True
        if due is not None and due.fault.kind in HANDED_KINDS:
            self._act(due)
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
        if not self._chip.has_channel(cla.channel):
            self._chip.abandon_chain()
            return self._status(SW_CHANNEL)
        if cla.channel != self._pending_channel:
            self._pending, self._pending_channel = Reply(0), cla.channel
        if is_get_response:
            return self._get_response(apdu[2:4], command)
        reply = self._chip.execute(cla, apdu[:4], command)
        return self._deliver(command, reply)

    def _status(self, sw: int) -> bytes:
        self._pending = Reply(0)
        return sw.to_bytes(2, "big")

    def _deliver(self, command: CommandApdu | None, reply: Reply) -> bytes:
        """Case 2 answers go out at once; under T=0 all others wait for GET RESPONSE (61xx).

        Under T=1 as many bytes as Le allows go out at once, and 61xx announces the rest.
        """
        self._pending = Reply(0)
        at_once = command is not None and (self._block_protocol or command.case is Case.RESPONSE_ONLY)
        ne = command.ne if command is not None and at_once else 0
        if len(reply.data) <= ne or not reply.data:
            return reply.data + reply.sw.to_bytes(2, "big")
        sent = ne if self._block_protocol else 0
        self._pending = Reply(reply.sw, reply.data[sent:])
        return reply.data[:sent] + self._more()

    def _get_response(self, parameters: bytes, command: CommandApdu | None) -> bytes:
        """The next chunk of a pending answer; without Le as with Le 00. A refused GET RESPONSE leaves it pending."""
        pending = self._pending
        if parameters != b"\x00\x00":
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
