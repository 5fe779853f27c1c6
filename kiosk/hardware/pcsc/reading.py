"""Reading one card on the card thread: which reader for which kind, and what a card is that its ATR does not name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kiosk.card.apdu import ApduError, CommandApdu, MalformedApdu, ResponseApdu, parse_command
from kiosk.card.generations import reader_for
from kiosk.card.layout import AID_VITALE
from kiosk.card.read_error import CardReadError
from kiosk.card.values import CardContent, CardKind
from kiosk.hardware.pcsc.api import PcscProblem
from kiosk.hardware.pcsc.connection import LinkError
from kiosk.hardware.pcsc.faults import fault_of
from kiosk.visit.failures import Fault

AID_PAYMENT_DIRECTORY: Final = b"1PAY.SYS.DDF01"
"""EMV book 1: the payment system environment that contact bank cards answer to."""

Exchange = Callable[[CommandApdu], ResponseApdu | LinkError]


def read_card(exchange: Exchange, kind: CardKind) -> CardContent | Fault | LinkError:
    """Read a card by the kind its ATR hints at; a card without a generation of its own is asked what it is.

    An unlisted ATR may still be a Vitale 2 (the published list is not complete), and one that looks like a Vitale 2
    may be something else: the card has the last word.
    """
    if reader_for(kind) is None:
        known = _identify(exchange)
        if isinstance(known, LinkError):
            return known
        kind = known
    read = reader_for(kind)
    if read is None:
        return fault_of(kind)

    def send(command: bytes) -> ResponseApdu | LinkError:
        parsed = parse_command(command)
        if isinstance(parsed, ApduError):
            raise MalformedApdu(parsed.reason)
        return exchange(parsed)

    outcome = read(send)
    if not isinstance(outcome, CardReadError):
        return outcome
    known = _identify(exchange)
    if isinstance(known, LinkError):
        return known
    if known is not kind:
        return fault_of(known)
    return fault_of(PcscProblem.CARD_MALFORMED, f"{outcome.file}: {outcome.reason}")


def _identify(exchange: Exchange) -> CardKind | LinkError:
    """Vitale 2, bank or other, by SELECT of what each must have."""
    for aid, kind in ((AID_VITALE, CardKind.VITALE_2), (AID_PAYMENT_DIRECTORY, CardKind.BANK)):
        answer = exchange(CommandApdu(0x00, 0xA4, 0x04, 0x00, aid, ne=256))
        if isinstance(answer, LinkError):
            return answer
        if answer.sw == 0x9000:
            return kind
    return CardKind.OTHER
