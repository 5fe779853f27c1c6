"""No bytes crash or hang a card: 100,000 in process, 1,000 through each reader with the answers of a twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kiosk.card.apdu import SHORT_NE_MAX
from kiosk.hardware.pcsc.api import CardProtocol
from simulators.card import SimulatedCard, open_card, open_persona
from simulators.card.pin import MAX_TRIES
from simulators.personas import load
from tests.hardware.pcsc.hands import Hands, hands, private_pcscd
from tests.simulators.card.driver import Driver
from tests.simulators.card.random_apdus import random_apdus
from tests.simulators.card.test_block_protocol import ATR_T1
from tests.simulators.reader.test_raw_contract import Client

__all__ = ["hands", "private_pcscd"]

SEED = 20_251_112
PER_CARD = 20_000
RESET_EVERY = 50
THROUGH_A_READER = 1_000
STATUS_BYTES = {*range(0x61, 0x70), 0x90, 0x94}


def _under_t1() -> SimulatedCard:
    persona = load("outdated")
    card = open_card(replace(persona, card=replace(persona.card, atr=ATR_T1)))
    assert isinstance(card, SimulatedCard)
    return card


def _outdated() -> SimulatedCard:
    return open_persona("outdated")


# how to get it, whether a session is opened after each reset, status words that show how deep the stream gets
CARDS: dict[str, tuple[Callable[[], SimulatedCard], bool, set[int]]] = {
    "vitale": (_outdated, False, {0x9000, 0x6119, 0x6C40, 0x6282, 0x6882, 0x6985}),
    "vitale in a session": (_outdated, True, {0x9000, 0x6982, 0x6987, 0x6985}),
    "vitale under T=1": (_under_t1, False, {0x9000, 0x6282, 0x6985}),
    "pharmacist": (lambda: open_persona("pharmacist"), False, {0x9000, 0x63C2, 0x63C1, 0x6982, 0x6985, 0x6140}),
    "technician": (lambda: open_persona("technician"), False, {0x9000, 0x63C2, 0x63C0, 0x6983}),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_hundred_thousand_apdus_in_all(name: str) -> None:
    """Each gets at least a status word; a Vitale is unchanged, a PIN's counter in its range."""
    assert len(CARDS) * PER_CARD >= 100_000
    make, in_session, depth = CARDS[name]
    card = make()
    untouched = card.image_bytes()
    seen = set()
    for count, apdu in enumerate(random_apdus(SEED, PER_CARD)):
        if count % RESET_EVERY == 0:
            _judge(name, card, untouched)
            card.restore(untouched)
            card.power_on(cold=count % (2 * RESET_EVERY) == 0)
            if in_session:
                Driver(card).session()
        answer = card.transmit(apdu)
        assert len(answer) >= 2
        assert answer[-2] in STATUS_BYTES
        assert len(answer) <= SHORT_NE_MAX + 2 or len(apdu) >= 7  # longer ones need an extended Le
        seen.add(int.from_bytes(answer[-2:], "big"))
    _judge(name, card, untouched)
    assert depth <= seen


def _judge(name: str, card: SimulatedCard, untouched: bytes) -> None:
    if name.startswith("vitale"):
        assert card.image_bytes() == untouched
    else:
        card.power_on()
        assert Driver(card).raw("00200001") in {"6983"} | {f"63C{left}" for left in range(1, MAX_TRIES + 1)}


@pytest.mark.parametrize("name", ["outdated", "pharmacist"])
def test_a_thousand_apdus_through_a_reader_get_the_answers_of_a_twin(hands: Hands, name: str) -> None:
    """At least two bytes each: one alone is a control frame of the virtual reader."""
    twin = open_persona(name, challenge_seed=b"twin")
    twin.power_on()
    client = Client(hands)
    try:
        empty = client.state()
        hands.insert(0, open_persona(name, challenge_seed=b"twin"))
        client.wait(empty, present=True)
        result, (card, protocol) = client.connect()
        assert (result, protocol) == (0, CardProtocol.T0)
        for apdu in random_apdus(SEED, THROUGH_A_READER, min_bytes=2):
            assert hands.scard.transmit(card, CardProtocol.T0, apdu) == (0, twin.transmit(apdu)), apdu.hex()
    finally:
        hands.scard.release_context(client.context)
