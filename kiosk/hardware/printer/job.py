"""One ticket on an open line: send it, then wait until the printer proves it, reports a trouble, or time is over."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kiosk.hardware.printer import escpos
from kiosk.hardware.printer.dialect import Readings
from kiosk.hardware.printer.line import LineFull, PrinterLine
from kiosk.hardware.printer.profile import CompletionProof, PrinterProfile
from kiosk.hardware.printer.status import Answer, Noise, Processed, Transmitted
from kiosk.visit.ports import Bitmap, Clock, PrinterHealth

_TOKEN_ALPHABET: Final = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class PrinterLimits:
    """Seconds. answer_s: one status answer. poll_s: between two looks at the printer, or at an absent port.
    write_s: a band beyond its transmission time. proof_s: confirmation beyond the transmission of the whole ticket.
    """

    answer_s: float = 0.5
    poll_s: float = 1.0
    write_s: float = 5.0
    proof_s: float = 12.0


class TicketJob:
    """Prints on `line`. `given_up` is asked between two waits, so that closing the kiosk does not wait for paper."""

    def __init__(
        self,
        line: PrinterLine,
        profile: PrinterProfile,
        limits: PrinterLimits,
        clock: Clock,
        given_up: Callable[[], bool],
    ) -> None:
        self._line = line
        self._profile = profile
        self._limits = limits
        self._clock = clock
        self._given_up = given_up
        self._token = bytes(secrets.choice(_TOKEN_ALPHABET) for _ in range(4))

    def run(self, picture: Bitmap) -> PrinterHealth | None:
        """Return None when the printer has confirmed the ticket; else the trouble it reports, UNKNOWN if none.

        Raises one of `LINE_LOST` when the port goes away.
        """
        with contextlib.suppress(LineFull):
            self._send(picture)
            outcome = self._await_proof(self._profile.transmission_s(len(picture.rows)))
            if outcome is not PrinterHealth.UNKNOWN:
                return outcome
        self._line.end_sending()
        trouble, heard = self._trouble()  # once more, now that the printer's XOFF cannot hold the query
        return self._confirmed() if self._proven_by(heard) else trouble

    def _send(self, picture: Bitmap) -> None:
        self._line.begin_sending()
        self._line.write(escpos.RESET)
        for band in escpos.raster(picture, self._profile.band_rows):
            self._line.write(band)
        self._line.forget_heard()  # one byte is proof enough for some models: not one from before the request
        self._line.write(escpos.feed_and_cut(self._profile.feed_dots) + self._proof_request())

    def _await_proof(self, transmission_s: float) -> PrinterHealth | None:
        deadline_s = self._clock.monotonic_s() + transmission_s + self._limits.proof_s
        while self._clock.monotonic_s() < deadline_s and not self._given_up():
            heard = self._line.read(self._limits.poll_s)
            trouble = PrinterHealth.UNKNOWN
            if not self._proven_by(heard):
                trouble, more = self._trouble()
                heard += more
            if self._proven_by(heard):
                return self._confirmed()
            if not _senseless(heard):
                trouble = Readings(self._profile.dialect.unasked(heard)).trouble() or trouble
            if trouble is not PrinterHealth.UNKNOWN:
                return trouble
        return PrinterHealth.UNKNOWN

    def _proof_request(self) -> bytes:
        match self._profile.proof:
            case CompletionProof.PROCESS_ID:
                return escpos.process_id_request(self._token)
            case CompletionProof.TRANSMIT_STATUS:
                return escpos.TRANSMIT_PAPER_STATUS

    def _proven_by(self, heard: list[Answer]) -> bool:
        """A proof of one byte, a fourth of all bytes, counts only on a line that says nothing senseless beside it."""
        match self._profile.proof:
            case CompletionProof.PROCESS_ID:
                return Processed(self._token) in heard
            case CompletionProof.TRANSMIT_STATUS:
                return any(isinstance(answer, Transmitted) for answer in heard) and not _senseless(heard)

    def _confirmed(self) -> PrinterHealth | None:
        if self._profile.proof is CompletionProof.PROCESS_ID:
            return None
        said, heard = self._line.ask(self._profile.dialect.stopped_by)  # "processed" is not yet "on paper"
        return PrinterHealth.UNKNOWN if said is None or _senseless(heard) else Readings(said).trouble()

    def _trouble(self) -> tuple[PrinterHealth, list[Answer]]:
        """What the printer says stops it (UNKNOWN: nothing), and what else it said meanwhile.

        A ticket that failed may be printed anew as an original: a line that babbles does not say that one has.
        """
        said, heard = self._line.ask(self._profile.dialect.stopped_by)
        trouble = None if said is None or _senseless(heard) else Readings(said).trouble()
        return trouble or PrinterHealth.UNKNOWN, heard


def _senseless(heard: list[Answer]) -> bool:
    """Whether bytes came that no printer says."""
    return any(isinstance(answer, Noise) for answer in heard)
