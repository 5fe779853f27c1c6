"""The serial line to the printer: bounded reads and writes, one status query outstanding at a time."""

from __future__ import annotations

import contextlib
import termios
from typing import Final

import serial

from kiosk.hardware.printer import escpos
from kiosk.hardware.printer.dialect import Readings, Said, StatusQuery
from kiosk.hardware.printer.profile import PrinterProfile
from kiosk.hardware.printer.status import Answer, StatusParser
from kiosk.visit.ports import Clock

LINE_LOST: Final = (OSError, termios.error)
"""What pyserial lets out when the port is absent, taken or unplugged; its own exceptions are kinds of OSError."""
LineFull = serial.SerialTimeoutException
"""The line takes no more bytes: the printer has stopped it, or nobody reads."""


class PrinterLine:
    """An open port. Every method is bounded in time and raises one of `LINE_LOST` when the port is gone.

    Modem lines are left alone: pseudo-terminals and many USB adapters have none (errno 25).
    """

    def __init__(self, port_path: str, profile: PrinterProfile, clock: Clock, answer_s: float, write_s: float) -> None:
        """Open exclusively. `answer_s` bounds one status query, `write_s` (plus its transmission) one band."""
        self._clock = clock
        self._answer_s = answer_s
        self._xonxoff = profile.xonxoff
        self._dialect = profile.dialect
        self._clear = (
            (escpos.RECOVER if profile.recovers else bytes(profile.band_bytes))  # else it takes ESC @ for dots
            + escpos.RESET
            + escpos.AUTO_STATUS_OFF
        )
        self._parser = StatusParser(full_status=profile.dialect.full_status)
        self._owed = False  # an answer that did not come in time may still come
        self._port = serial.Serial(
            port_path,
            baudrate=profile.baud,
            timeout=answer_s,
            write_timeout=write_s + profile.transmission_s(profile.band_bytes),
            exclusive=True,
        )

    def close(self) -> None:
        """Give the port back without waiting for what it still holds."""
        with contextlib.suppress(*LINE_LOST):  # unplugged: the port still has to be closed
            self._port.reset_output_buffer()
        self._port.close()

    def write(self, data: bytes) -> None:
        """Hand bytes to the line; raises LineFull when it takes no more."""
        self._port.write(data)

    def clear_printer(self) -> None:
        """Make sure that nothing handed over so far appears on paper later, and stop status that nobody asks for."""
        self.end_sending()
        self._port.write(self._clear)

    def forget_heard(self) -> None:
        """Forget what has come and was not read: it answers nothing that is asked from now on."""
        self._port.reset_input_buffer()
        self._parser.forget()

    def begin_sending(self) -> None:
        """Let the printer stop the line while a picture is sent, if its model does."""
        self._port.xonxoff = self._xonxoff

    def end_sending(self) -> None:
        """Forget what the printer has not received, and write past its XOFF again.

        A printer without paper stops the line, yet answers real-time queries: outside a picture nothing may hold them.
        """
        self._port.reset_output_buffer()
        self._port.xonxoff = False

    def read(self, limit_s: float) -> list[Answer]:
        """What the printer says within `limit_s`; returns as soon as at least one answer is whole."""
        deadline_s = self._clock.monotonic_s() + limit_s
        answers: list[Answer] = []
        while not answers and (left_s := deadline_s - self._clock.monotonic_s()) > 0:
            self._port.timeout = left_s
            data = self._port.read(1)
            answers = self._parser.feed(data + self._port.read(self._port.in_waiting) if data else data)
        return answers

    def ask(self, query: StatusQuery) -> tuple[Said | None, list[Answer]]:
        """Send one query; return what its answer says and what else was heard.

        None: silence, or an answer that no printer can have meant. After a silence the last answer counts: answers do
        not name their query, and a late one must not pass for the next query's, nor each for the one after.
        """
        self._port.write(query.command)
        late, self._owed = self._owed, True
        deadline_s = self._clock.monotonic_s() + self._answer_s
        answered: Answer | None = None
        others: list[Answer] = []
        while (answered is None or late) and (left_s := deadline_s - self._clock.monotonic_s()) > 0:
            for answer in self.read(left_s):
                if not query.fits(answer):
                    others.append(answer)
                    continue
                if answered is None:  # it may be the one still owed: then another follows
                    deadline_s = self._clock.monotonic_s() + self._answer_s
                answered = answer
        if answered is None:
            self._parser.forget()
            return None, others
        self._owed = False
        return query.said(answered), others

    def readings(self) -> Readings:
        """One round of queries. It stops at a silence: a late answer must not pass for the next one."""
        self.forget_heard()
        everything: Said = ()
        for query in self._dialect.round:
            said, others = self.ask(query)
            everything += self._dialect.unasked(others)
            if said is None:
                return Readings(everything)
            everything += said
        return Readings(everything, whole=True)
