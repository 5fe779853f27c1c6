"""The one place where what a reader or card did becomes a `Fault` of the failure catalogue."""

from __future__ import annotations

from typing import assert_never

from kiosk.card.values import CardKind
from kiosk.hardware.pcsc.api import PcscProblem
from kiosk.visit.failures import Cause, Fault


def fault_of(what: PcscProblem | CardKind, detail: str = "", *, command_sent: bool = True) -> Fault:
    """The fault for a PC/SC problem, or for a card of that kind that cannot be read here.

    `detail`: for the technician, without card data. `command_sent`: False only if the pending command never left.
    A Vitale 2 is readable, so that kind stands for one whose content could not be understood.
    """
    match what:
        case PcscProblem.SERVICE_LOST:
            return Fault(Cause.SERVICE_LOST, detail, command_sent)
        case PcscProblem.ACCESS_DENIED:
            return Fault(Cause.ACCESS_DENIED, detail, command_sent)
        case PcscProblem.NO_READER:
            return Fault(Cause.NO_READER, detail, command_sent)
        case PcscProblem.READER_GONE:
            return Fault(Cause.READER_LOST, detail, command_sent)
        case PcscProblem.READER_UNSEEN:
            return Fault(Cause.READER_UNSEEN, detail, command_sent)
        case PcscProblem.READER_HUNG:
            return Fault(Cause.READER_HUNG, detail, command_sent)
        case PcscProblem.HELD_BY_OTHER:
            return Fault(Cause.HELD_BY_OTHER, detail, command_sent)
        case PcscProblem.PROTOCOL_MISMATCH:
            return Fault(Cause.PROTOCOL_MISMATCH, detail, command_sent)
        case PcscProblem.CARD_REMOVED | PcscProblem.NO_CARD:
            return Fault(Cause.CARD_REMOVED, detail, command_sent)
        case PcscProblem.CARD_RESET:
            return Fault(Cause.CARD_RESET, detail, command_sent)
        case PcscProblem.CARD_SILENT | PcscProblem.EXCHANGE_FAILED:
            return Fault(Cause.CARD_SILENT, detail, command_sent)
        case PcscProblem.WAIT_ENDED | PcscProblem.UNKNOWN:
            return Fault(Cause.PCSC_UNKNOWN, detail, command_sent)
        case PcscProblem.CARD_DIRTY:
            return Fault(Cause.CARD_DIRTY, detail, command_sent)
        case PcscProblem.CARD_MISPLACED:
            return Fault(Cause.CARD_MISPLACED, detail, command_sent)
        case PcscProblem.CARD_MUTE | CardKind.MUTE:
            return Fault(Cause.CARD_MUTE, detail, command_sent)
        case CardKind.BANK:
            return Fault(Cause.CARD_BANK, detail, command_sent)
        case CardKind.PROFESSIONAL:
            return Fault(Cause.CARD_STAFF, detail, command_sent)
        case CardKind.VITALE_1:
            return Fault(Cause.CARD_VITALE_1, detail, command_sent)
        case CardKind.OTHER:
            return Fault(Cause.CARD_OTHER, detail, command_sent)
        case PcscProblem.CARD_MALFORMED | CardKind.VITALE_2:
            return Fault(Cause.CARD_MALFORMED, detail, command_sent)
        case _:
            assert_never(what)
