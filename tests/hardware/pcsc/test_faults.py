"""Every problem and every kind of card becomes exactly one fault, and each cause of this layer is reached."""

from __future__ import annotations

from kiosk.card.values import CardKind
from kiosk.hardware.pcsc.api import PcscProblem
from kiosk.hardware.pcsc.faults import fault_of
from kiosk.visit.failures import Cause, Fault

EXPECTED: dict[PcscProblem | CardKind, Cause] = {
    PcscProblem.SERVICE_LOST: Cause.SERVICE_LOST,
    PcscProblem.ACCESS_DENIED: Cause.ACCESS_DENIED,
    PcscProblem.NO_READER: Cause.NO_READER,
    PcscProblem.READER_GONE: Cause.READER_LOST,
    PcscProblem.READER_UNSEEN: Cause.READER_UNSEEN,
    PcscProblem.READER_HUNG: Cause.READER_HUNG,
    PcscProblem.HELD_BY_OTHER: Cause.HELD_BY_OTHER,
    PcscProblem.PROTOCOL_MISMATCH: Cause.PROTOCOL_MISMATCH,
    PcscProblem.NO_CARD: Cause.CARD_REMOVED,
    PcscProblem.CARD_REMOVED: Cause.CARD_REMOVED,
    PcscProblem.CARD_RESET: Cause.CARD_RESET,
    PcscProblem.CARD_MUTE: Cause.CARD_MUTE,
    PcscProblem.CARD_SILENT: Cause.CARD_SILENT,
    PcscProblem.EXCHANGE_FAILED: Cause.CARD_SILENT,
    PcscProblem.CARD_DIRTY: Cause.CARD_DIRTY,
    PcscProblem.CARD_MISPLACED: Cause.CARD_MISPLACED,
    PcscProblem.CARD_MALFORMED: Cause.CARD_MALFORMED,
    PcscProblem.WAIT_ENDED: Cause.PCSC_UNKNOWN,
    PcscProblem.UNKNOWN: Cause.PCSC_UNKNOWN,
    CardKind.MUTE: Cause.CARD_MUTE,
    CardKind.BANK: Cause.CARD_BANK,
    CardKind.PROFESSIONAL: Cause.CARD_STAFF,
    CardKind.VITALE_1: Cause.CARD_VITALE_1,
    CardKind.VITALE_2: Cause.CARD_MALFORMED,
    CardKind.OTHER: Cause.CARD_OTHER,
}


def test_the_table_is_complete_and_right() -> None:
    assert set(EXPECTED) == {*PcscProblem, *CardKind}
    for what, cause in EXPECTED.items():
        assert fault_of(what, "detail", command_sent=False) == Fault(cause, "detail", command_sent=False)
        assert fault_of(what).command_sent
