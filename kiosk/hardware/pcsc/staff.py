"""What the card in the professional slot is: the ATR hints, the card has the last word. No PIN, no personal datum."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.card.apdu import CommandApdu, ResponseApdu
from kiosk.card.professional import AID_PKCS15_CONTACT, AID_TECHNICIAN, TECHNICIAN
from kiosk.card.values import CardKind
from kiosk.hardware.pcsc.api import PcscProblem
from kiosk.hardware.pcsc.connection import LinkError
from kiosk.hardware.pcsc.faults import fault_of
from kiosk.visit.failures import Fault
from kiosk.visit.values import StaffKind

Exchange = Callable[[CommandApdu], ResponseApdu | LinkError]


def look_at_staff_card(exchange: Exchange, kind: CardKind, atr: bytes) -> StaffKind | Fault | LinkError:
    """A staff card by the application it has; a mute card may be one upside down; any other is in the wrong slot."""
    if kind is CardKind.MUTE:
        return fault_of(kind, command_sent=False)
    if kind in (CardKind.PROFESSIONAL, CardKind.OTHER):
        badge = atr == TECHNICIAN
        answer = exchange(CommandApdu(0x00, 0xA4, 0x04, 0x0C, AID_TECHNICIAN if badge else AID_PKCS15_CONTACT))
        if isinstance(answer, LinkError):
            return answer
        if answer.sw == 0x9000:
            return StaffKind.TECHNICIAN if badge else StaffKind.PROFESSIONAL
    return fault_of(PcscProblem.CARD_MISPLACED, f"kind {kind.value}", command_sent=False)
