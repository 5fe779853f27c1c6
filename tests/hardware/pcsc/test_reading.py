"""Reading decides by kind, then asks the card; what cannot be read is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kiosk.card.apdu import CommandApdu, ResponseApdu
from kiosk.card.layout import AID_MF_VITALE, AID_VITALE
from kiosk.card.values import CardContent, CardKind
from kiosk.hardware.pcsc.api import PcscProblem
from kiosk.hardware.pcsc.connection import LinkError
from kiosk.hardware.pcsc.reading import AID_PAYMENT_DIRECTORY, read_card
from kiosk.visit.failures import Cause, Fault
from simulators.card import SimulatedCard, open_persona

NOT_FOUND = ResponseApdu(b"", 0x6A82)
REMOVED = LinkError(PcscProblem.CARD_REMOVED, "gone")
Answer = Callable[[CommandApdu], ResponseApdu | LinkError]


def card_with(*applications: bytes) -> Answer:
    """A card that has these applications and not a single file."""

    def answer(command: CommandApdu) -> ResponseApdu | LinkError:
        return ResponseApdu(b"", 0x9000) if command.data in applications else NOT_FOUND

    return answer


def over(card: SimulatedCard) -> Answer:
    from kiosk.card.transport import complete_t0  # noqa: PLC0415

    card.power_on()

    def answer(command: CommandApdu) -> ResponseApdu | LinkError:
        completed = complete_t0(card.transmit, command)
        assert isinstance(completed, ResponseApdu)
        return completed

    return answer


@pytest.mark.parametrize("kind", [CardKind.VITALE_2, CardKind.OTHER])
def test_a_vitale_2_is_read_whether_its_atr_is_listed_or_not(kind: CardKind) -> None:
    assert isinstance(read_card(over(open_persona("outdated")), kind), CardContent)


@pytest.mark.parametrize(
    ("kind", "answer", "cause"),
    [
        (CardKind.OTHER, card_with(), Cause.CARD_OTHER),
        (CardKind.OTHER, card_with(AID_PAYMENT_DIRECTORY), Cause.CARD_BANK),
        (CardKind.VITALE_2, card_with(), Cause.CARD_OTHER),
        (CardKind.VITALE_2, card_with(AID_PAYMENT_DIRECTORY), Cause.CARD_BANK),
        (CardKind.VITALE_2, card_with(AID_VITALE, AID_MF_VITALE), Cause.CARD_MALFORMED),
    ],
)
def test_the_card_has_the_last_word_over_its_atr(kind: CardKind, answer: Answer, cause: Cause) -> None:
    outcome = read_card(answer, kind)
    assert isinstance(outcome, Fault)
    assert outcome.cause is cause


def test_a_malformed_file_is_named() -> None:
    outcome = read_card(card_with(AID_VITALE, AID_MF_VITALE), CardKind.VITALE_2)
    assert outcome == Fault(Cause.CARD_MALFORMED, "2F02: absent or refused")


@pytest.mark.parametrize("kind", [CardKind.VITALE_2, CardKind.OTHER])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_lost_card_ends_the_reading_wherever_it_is(kind: CardKind, at: int) -> None:
    whole = over(open_persona("outdated"))
    sent = 0

    def answer(command: CommandApdu) -> ResponseApdu | LinkError:
        nonlocal sent
        sent += 1
        return REMOVED if sent >= at else whole(command)

    assert read_card(answer, kind) is REMOVED
    assert sent == at


def test_removal_while_a_misread_card_is_identified_is_a_removal() -> None:
    misread = card_with(AID_MF_VITALE)

    def answer(command: CommandApdu) -> ResponseApdu | LinkError:
        return REMOVED if command.data == AID_VITALE else misread(command)

    assert read_card(answer, CardKind.VITALE_2) is REMOVED
