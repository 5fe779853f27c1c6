"""A badge is accepted for its PIN, its certificate and its key together; each by itself is not enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.badge import CHALLENGE_BYTES, AuthorityError, Refusal, check_badge, load_authority
from kiosk.card.apdu import CommandApdu, ResponseApdu, parse_command
from kiosk.card.transport import complete_t0
from kiosk.visit.failures import Cause, Fault
from kiosk.visit.ports import CardAnswers, CardSession, CardStep
from simulators.card import SimulatedCard, authority_certificate, open_persona
from tests.app.authorities import KEY, NOT_AFTER, NOT_BEFORE, another_authority, certificate, der, usage

SESSION = CardSession(9)
PIN, NOW = "3690", datetime(2026, 6, 1, tzinfo=UTC)
VERIFY, READ, SIGN = 0x20, 0xB0, 0x88
Answer = Callable[[CommandApdu], bytes | None]


class Hand:
    """`CardLink` to a card in the hand; `instead` answers for it, `pulled_at` takes it away at that instruction."""

    def __init__(self, card: SimulatedCard, instead: Answer = lambda _: None, pulled_at: int | None = None) -> None:
        self.card, self.instead, self.pulled_at = card, instead, pulled_at
        self.sent: list[CommandApdu] = []
        card.power_on()

    def execute(self, card_session: CardSession, steps: Sequence[CardStep]) -> CardAnswers:
        assert card_session == SESSION
        responses: list[bytes] = []
        for step in steps:
            command = parse_command(step.command)
            assert isinstance(command, CommandApdu)
            if command.ins == self.pulled_at and (command.data or command.ins != VERIFY):
                return CardAnswers(tuple(responses), Fault(Cause.CARD_REMOVED, "pulled"))
            self.sent.append(command)
            responses.append(self.instead(command) or self._transmit(command))
            if int.from_bytes(responses[-1][-2:], "big") not in step.expected_sw:
                break
        return CardAnswers(tuple(responses))

    def _transmit(self, command: CommandApdu) -> bytes:
        answer = complete_t0(self.card.transmit, command)
        assert isinstance(answer, ResponseApdu)
        return answer.to_bytes()

    def pins(self) -> int:
        """How many PINs the card was sent."""
        return len([command for command in self.sent if command.ins == VERIFY and command.data])


def checked(hand: Hand, pin: str = PIN, now: datetime = NOW) -> Refusal | None:
    return check_badge(hand, SESSION, pin, authority_certificate(), now.timestamp())


def refused(refusal: Refusal | None) -> tuple[Cause, str]:
    assert refusal is not None
    return refusal.fault.cause, refusal.fault.detail


def file_of(content: bytes) -> Answer:
    """The card's certificate file holds this instead."""

    def answer(command: CommandApdu) -> bytes | None:
        if command.ins != READ:
            return None
        part = content[command.p1 << 8 | command.p2 :][:256]
        return part + (b"\x90\x00" if part else b"\x6b\x00")

    return answer


def both(*answers: Answer) -> Answer:
    return lambda command: next((found for answer in answers if (found := answer(command)) is not None), None)


def signed_by(key: ec.EllipticCurvePrivateKey) -> Answer:
    """Another chip signs the challenge."""

    def answer(command: CommandApdu) -> bytes | None:
        if command.ins != SIGN:
            return None
        r, s = decode_dss_signature(key.sign(command.data, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x90\x00"

    return answer


def test_the_technicians_badge_is_accepted_with_its_pin_sent_once() -> None:
    hand = Hand(open_persona("technician"))
    assert checked(hand) is None
    assert hand.pins() == 1


def test_each_challenge_is_a_fresh_one() -> None:
    hand = Hand(open_persona("technician"))
    for _ in range(3):
        assert checked(hand) is None
    challenges = [command.data for command in hand.sent if command.ins == SIGN]
    assert len(set(challenges)) == 3
    assert {len(challenge) for challenge in challenges} == {CHALLENGE_BYTES}


def test_a_wrong_pin_costs_one_try_and_the_card_says_how_many_are_left_until_it_is_blocked() -> None:
    hand = Hand(open_persona("technician"))
    for left in (2, 1):
        refusal = checked(hand, "0000")
        assert refusal == Refusal(Fault(Cause.PIN_WRONG), left)
    assert checked(hand, "0000") == Refusal(Fault(Cause.PIN_BLOCKED))
    assert hand.pins() == 3
    assert checked(hand) == Refusal(Fault(Cause.PIN_BLOCKED))
    assert hand.pins() == 3, "a blocked card is asked, and sent no PIN"


@pytest.mark.parametrize("at", [VERIFY, READ, SIGN])
def test_a_badge_pulled_at_any_moment_is_a_removal_and_never_a_wrong_pin(at: int) -> None:
    assert refused(checked(Hand(open_persona("technician"), pulled_at=at))) == (Cause.CARD_REMOVED, "pulled")


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (der(certificate(("PHARMACIEN_TITULAIRE",))), "certificate: not a technician's"),
        (der(certificate(("TECHNICIEN", "PREPARATEUR"))), "certificate: not a technician's"),
        (der(certificate(())), "certificate: not a technician's"),
        (der(certificate(signer=KEY)), "certificate: not signed by the staff authority"),
        (der(certificate(issuer=certificate().subject)), "certificate: not one of the staff authority's"),
        (der(authority_certificate()), "certificate: not a technician's"),
        (der(certificate(ca=True)), "certificate: not for signatures of a card"),
        (der(certificate(key_usage=usage(signs=False))), "certificate: not for signatures of a card"),
        (der(certificate(key=ec.derive_private_key(7, ec.SECP384R1()))), "certificate: not a key on P-256"),
        (der(certificate())[:-1], "certificate: not one of the staff authority's"),
        (der(certificate()) + b"\x00", "certificate: not one of the staff authority's"),
        (b"", "certificate: not one of the staff authority's"),
        (bytes(256), "certificate: not one of the staff authority's"),
        (bytes(5000), "certificate file: too long"),
    ],
)
def test_a_certificate_that_is_not_a_technicians_of_this_authority(content: bytes, detail: str) -> None:
    hand = Hand(open_persona("technician"), both(file_of(content), signed_by(KEY)))
    assert refused(checked(hand)) == (Cause.BADGE_UNPROVEN, detail)


def test_a_copied_certificate_is_nothing_without_its_key() -> None:
    good = Hand(open_persona("technician"), both(file_of(der(certificate())), signed_by(KEY)))
    assert checked(good) is None  # the harness itself can pass
    copied = Hand(open_persona("technician"), file_of(der(certificate())))  # the chip signs, with a key of its own
    assert refused(checked(copied)) == (Cause.BADGE_UNPROVEN, "signature: not by the certificate's key")


def test_an_authority_of_the_same_name_is_another_one() -> None:
    refusal = check_badge(Hand(open_persona("technician")), SESSION, PIN, another_authority(), NOW.timestamp())
    assert refused(refusal) == (Cause.BADGE_UNPROVEN, "certificate: not signed by the staff authority")


@pytest.mark.parametrize("now", [NOT_BEFORE, NOT_AFTER])
def test_the_days_of_the_certificate_count_to_the_second(now: datetime) -> None:
    assert checked(Hand(open_persona("technician")), now=now) is None
    outside = now.timestamp() + (1 if now is NOT_AFTER else -1)
    refusal = checked(Hand(open_persona("technician")), now=datetime.fromtimestamp(outside, UTC))
    assert refused(refusal) == (Cause.BADGE_UNPROVEN, "certificate: not valid at this time")


@pytest.mark.parametrize(
    ("ins", "answer", "detail"),
    [
        (VERIFY, b"\x6d\x00", "question for the tries left: 6D00 ins not supported"),
        (READ, b"\x69\x82", "certificate file: 6982 security not satisfied"),
        (SIGN, b"\x69\x85", "signature: 6985 conditions not satisfied"),
        (SIGN, b"\x90\x00", "signature: 0 bytes instead of 64"),
        (SIGN, bytes(63) + b"\x90\x00", "signature: 63 bytes instead of 64"),
        (SIGN, bytes(64) + b"\x90\x00", "signature: not by the certificate's key"),
        (SIGN, b"\xff" * 64 + b"\x90\x00", "signature: not by the certificate's key"),
    ],
)
def test_each_answer_that_proves_nothing_is_named(ins: int, answer: bytes, detail: str) -> None:
    hand = Hand(open_persona("technician"), lambda command: answer if command.ins == ins else None)
    assert refused(checked(hand)) == (Cause.BADGE_UNPROVEN, detail)


@given(st.binary(max_size=600))
@settings(max_examples=60, deadline=None)
def test_no_content_of_the_file_raises_or_opens_anything(content: bytes) -> None:
    card = open_persona("technician")
    assert refused(checked(Hand(card, file_of(content))))[0] is Cause.BADGE_UNPROVEN


def test_nothing_that_can_be_printed_shows_the_pin() -> None:
    for pin in (PIN, "0000"):
        assert pin not in repr(checked(Hand(open_persona("technician")), pin))


# --- whom to trust -----------------------------------------------------------------------------------------------


def test_the_authority_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    file.write_bytes(authority_certificate().public_bytes(Encoding.PEM))
    assert load_authority(file) == authority_certificate()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "staff.authority_file: cannot be read: No such file or directory"),
        (b"", "staff.authority_file: not the PEM certificate of an authority"),
        (b"x" * 20_000, "staff.authority_file: larger than 16384 bytes"),
        (der(authority_certificate()), "staff.authority_file: not the PEM certificate of an authority"),
        (certificate().public_bytes(Encoding.PEM), "staff.authority_file: the certificate is not an authority's"),
    ],
)
def test_each_file_that_is_no_authority(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_bytes(content)
    assert load_authority(file) == AuthorityError(reason)


def test_no_authority_is_set_unless_the_settings_name_one() -> None:
    assert load_authority(None) == AuthorityError("staff.authority_file is not set")
