"""Reading one card on the card thread: which reader for which kind, and what a card is that its ATR does not name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kiosk.card.apdu import ApduError, CommandApdu, MalformedApdu, ResponseApdu, parse_command
from kiosk.card.layout import AID_VITALE
from kiosk.card.values import CardContent, CardKind
from kiosk.hardware.pcsc.api import PcscProblem
from kiosk.hardware.pcsc.connection import LinkError
from kiosk.hardware.pcsc.faults import fault_of
from kiosk.visit.failures import Fault

AID_PAYMENT_DIRECTORY: Final = b"1PAY.SYS.DDF01"
"""EMV book 1: the payment system environment that contact bank cards answer to."""

Exchange = Callable[[CommandApdu], ResponseApdu | LinkError]


def read_card(exchange: Exchange, kind: CardKind) -> CardContent | Fault | LinkError:
    """Read a card whose ATR says Vitale 2, or nothing known; anything else is decided without a dialogue.

    An unlisted ATR may still be a Vitale 2 (the list is not complete), so the card itself is asked.
    """
    if kind is CardKind.OTHER:
        known = _identify(exchange)
        if isinstance(known, LinkError):
            return known
        if known is not CardKind.VITALE_2:
            return fault_of(known)
    from kiosk.card.vitale2 import read_vitale2

    def send(command: bytes) -> ResponseApdu | LinkError:
        parsed = parse_command(command)
        if isinstance(parsed, ApduError):
            raise MalformedApdu(parsed.reason)
        return exchange(parsed)

    outcome = read_vitale2(send)
    if isinstance(outcome, CardContent | LinkError):
        return outcome
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
