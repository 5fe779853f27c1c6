"""From APDU to what is sent under T=0 and T=1, and back (ISO/IEC 7816-3 §12.2, 7816-4 §7.6), without a reader.

The rules, for `xx` = SW2:

=====  ==================  ====================================  ==========================================
case   sent under T=0      61xx                                  6Cxx
=====  ==================  ====================================  ==========================================
1      header              the final answer, unchanged           the final answer, unchanged
2      header, Le          GET RESPONSE                          plain command: repeated once with Le = xx
3      header, Lc, data    the final answer, unchanged           the final answer, unchanged
4      as case 3, no Le    GET RESPONSE with min(Le, xx)         final, except on GET RESPONSE: once with xx
=====  ==================  ====================================  ==========================================

- Le is dropped from a case 4 because readers that work on TPDUs pass the buffer to the card as it is.
- 62xx or 63xx to a case 4 may hide data: one GET RESPONSE, and the warning stays the status word.
- Le = 00 takes everything the card offers; a smaller Le stops there and leaves the card's 61xx as the status word.
- A command under secure messaging is sent once. GET RESPONSE keeps its channel, never its secure messaging bits.
- An answer may take 256 GET RESPONSE rounds and 65,536 bytes.
- Under T=1 commands go out whole, extended ones too, and only 61xx (more to come) and 6Cxx are completed.

CLA, INS, P1, P2, Lc and data are never altered; no status word is interpreted beyond this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

from kiosk.card.apdu import INS_GET_RESPONSE, SHORT_NE_MAX, ApduError, Case, CommandApdu, ResponseApdu, parse_response
from kiosk.card.status_words import StatusClass, available_bytes, classify_sw, correct_ne

F = TypeVar("F")
"""The caller's own failure value: what its `send` returns when no answer came."""

MAX_ROUNDS: Final = 256
MAX_ANSWER_BYTES: Final = 65_536


class TransportProblem(StrEnum):
    """Why an exchange could not be completed although the reader worked."""

    EXTENDED_ON_T0 = "extended length does not exist under T=0"
    NO_STATUS_WORD = "answer shorter than a status word"
    ENDLESS_ANSWER = "answer longer than 256 rounds or 65,536 bytes"


@dataclass(frozen=True, slots=True)
class TransportError:
    """An exchange that could not be completed. After NO_STATUS_WORD the fate of the command is unknown."""

    problem: TransportProblem


def complete_t0(send: Callable[[bytes], bytes | F], command: CommandApdu) -> ResponseApdu | TransportError | F:
    """Exchange one short command under T=0.

    `send` passes one TPDU buffer to the card and returns data + SW1 SW2, or a failure, which is returned as it is.
    """
    if command.extended:
        return TransportError(TransportProblem.EXTENDED_ON_T0)
    wire = command.to_bytes()
    if command.case is not Case.BOTH:
        return _finish(send, command, _send_plain(send, command, wire))
    first = _exchange(send, wire[:-1])
    if not isinstance(first, ResponseApdu):
        return first
    if classify_sw(first.sw) is StatusClass.WARNING and not first.data:
        return _fetch_behind_warning(send, command, first)
    return _finish(send, command, first)


def complete_t1(send: Callable[[bytes], bytes | F], command: CommandApdu) -> ResponseApdu | TransportError | F:
    """Exchange one command, short or extended, under T=1. `send` as for `complete_t0`."""
    return _finish(send, command, _send_plain(send, command, command.to_bytes()))


def _exchange(send: Callable[[bytes], bytes | F], wire: bytes) -> ResponseApdu | TransportError | F:
    raw = send(wire)
    if not isinstance(raw, bytes):
        return raw
    answer = parse_response(raw)
    return TransportError(TransportProblem.NO_STATUS_WORD) if isinstance(answer, ApduError) else answer


def _send_plain(
    send: Callable[[bytes], bytes | F], command: CommandApdu, wire: bytes
) -> ResponseApdu | TransportError | F:
    """Send `wire`; a plain case 2 that meets 6Cxx is repeated once with the length the card wants."""
    answer = _exchange(send, wire)
    if not isinstance(answer, ResponseApdu) or command.case is not Case.RESPONSE_ONLY or command.secure_messaging:
        return answer
    wanted = correct_ne(answer.sw)
    return answer if wanted is None else _exchange(send, replace(command, ne=wanted).to_bytes())


def _get_response(
    send: Callable[[bytes], bytes | F], command: CommandApdu, ne: int
) -> ResponseApdu | TransportError | F:
    fetch = CommandApdu(command.get_response_cla, INS_GET_RESPONSE, 0, 0, ne=min(ne, SHORT_NE_MAX))
    return _send_plain(send, fetch, fetch.to_bytes())


def _finish(
    send: Callable[[bytes], bytes | F], command: CommandApdu, first: ResponseApdu | TransportError | F
) -> ResponseApdu | TransportError | F:
    """Fetch what 61xx announces, nothing without Le, and return the whole answer under the last status word."""
    if not isinstance(first, ResponseApdu):
        return first
    limit = None if command.ne == SHORT_NE_MAX and not command.extended else command.ne
    data = bytearray(first.data)
    answer = first
    rounds = 0
    while (offered := available_bytes(answer.sw)) is not None and (limit is None or len(data) < limit):
        if rounds == MAX_ROUNDS:
            return TransportError(TransportProblem.ENDLESS_ANSWER)
        rounds += 1
        fetched = _get_response(send, command, offered if limit is None else min(offered, limit - len(data)))
        if not isinstance(fetched, ResponseApdu):
            return fetched
        answer = fetched
        data += answer.data
        if len(data) > MAX_ANSWER_BYTES:
            return TransportError(TransportProblem.ENDLESS_ANSWER)
    return ResponseApdu(bytes(data), answer.sw)


def _fetch_behind_warning(
    send: Callable[[bytes], bytes | F], command: CommandApdu, warning: ResponseApdu
) -> ResponseApdu | TransportError | F:
    """The data a 62xx or 63xx may hide. Any error to the GET RESPONSE means that there was none."""
    fetched = _finish(send, command, _get_response(send, command, command.ne))
    if not isinstance(fetched, ResponseApdu):
        return fetched
    if classify_sw(fetched.sw) in (StatusClass.NORMAL, StatusClass.WARNING):
        return ResponseApdu(fetched.data, warning.sw)
    return warning
