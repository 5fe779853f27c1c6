"""Staff cards: what they hold, the signature that proves them, order of checks. The PIN: `test_staff_pin`."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID

from kiosk.card import professional
from kiosk.card.atr import classify
from kiosk.card.professional import Actua, StaffSerial, parse_actua, parse_serial
from kiosk.card.read_error import CardReadError
from kiosk.card.values import CardKind
from simulators.card import SimulatedCard, authority_certificate, open_card, open_persona
from simulators.card.staff_authority import staff_certificate, staff_key
from simulators.personas import load
from tests.simulators.card.driver import Driver
from tests.simulators.card.staff import ASK, RIGHT, SET_KEY, SIGN, STAFF, WRONG, read, staff_driver

SELECT_PKCS15 = "00A4040C0D" + professional.AID_PKCS15_CONTACT.hex()
SELECT_OURS = "00A4040C0B" + professional.AID_TECHNICIAN.hex()
AUTHORITY_DIGEST = "9f89e4ec572aa63d3a70480f03f208dd4ffa5d0af47c878a2d1272b76309cf22"


# -- what they hold ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STAFF)
def test_the_atr_says_professional(name: str) -> None:
    assert classify(open_persona(name).power_on()) is CardKind.PROFESSIONAL


@pytest.mark.parametrize("name", ["assistant", "pharmacist"])
def test_serial_file(name: str) -> None:
    staff = load(name).card.staff
    assert staff is not None
    assert staff.serial is not None
    answer = read(staff_driver(name), "00A4000C023F00", "00A4020C02D003", "00B0000000")
    assert parse_serial(answer.data) == StaffSerial(staff.serial)


def test_actua_is_good_absent_or_empty() -> None:
    assert isinstance(parse_actua(read(staff_driver("pharmacist"), "00A4020C02D010", "00B0000000").data), Actua)
    assert read(staff_driver("assistant"), "00A4020C02D010").sw == 0x6A82


def test_empty_actua() -> None:
    persona = load("pharmacist")
    assert persona.card.staff is not None
    card = open_card(replace(persona, card=replace(persona.card, staff=replace(persona.card.staff, actua="empty"))))
    assert isinstance(card, SimulatedCard)
    card.power_on()
    error = parse_actua(read(Driver(card), "00A4020C02D010", "00B0000000").data)
    assert error == CardReadError("EF_ACTUA", "empty: an update of this card was not finished")


def test_a_technicians_card_is_not_in_the_form_of_ans() -> None:
    driver = staff_driver("technician")
    assert [driver.raw(apdu) for apdu in ("00A4020C02D003", "00A4020C02D010", SELECT_PKCS15)] == ["6A82"] * 3
    assert driver.raw(SELECT_OURS) == "9000"


@pytest.mark.parametrize("name", STAFF)
def test_every_card_says_that_it_is_fiction(name: str) -> None:
    assert b"CARTE FICTIVE" in read(staff_driver(name), "00A4020C022F00", "00B0000000").data


def _certificate(driver: Driver) -> x509.Certificate:
    """As a reader takes it: selected by name of the application, in blocks until a short one."""
    select = SELECT_OURS if driver.card.atr == professional.TECHNICIAN else SELECT_PKCS15
    read(driver, select, "00A4020C02C001")
    content = b""
    while len(block := read(driver, f"00B0{len(content):04X}00").data) == 256:
        content += block
    return x509.load_der_x509_certificate(content + block)


@pytest.mark.parametrize("name", STAFF)
def test_certificate_is_issued_by_our_test_authority_and_names_the_role(name: str) -> None:
    staff = load(name).card.staff
    assert staff is not None
    certificate = _certificate(staff_driver(name))
    certificate.verify_directly_issued_by(authority_certificate())
    assert authority_certificate().extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    (role,) = certificate.subject.get_attributes_for_oid(NameOID.TITLE)
    (holder,) = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    assert (role.value, holder.value) == (staff.role, staff.identifier)
    for one in (certificate, authority_certificate()):
        assert "CARTE FICTIVE" in one.subject.rfc4514_string()


def test_keys_and_certificates_are_the_same_everywhere_and_differ_between_cards() -> None:
    staff = [one for name in STAFF if (one := load(name).card.staff) is not None]
    certificates = [staff_certificate(one) for one in staff]
    assert certificates == [staff_certificate(one) for one in staff]
    assert len({staff_key(one.identifier).private_numbers().private_value for one in staff}) == 3
    digest = hashlib.sha256(authority_certificate().tbs_certificate_bytes).hexdigest()
    assert digest == AUTHORITY_DIGEST


# -- signature --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "pin"), [("pharmacist", "2580"), ("assistant", "1470"), ("technician", "3690")])
def test_a_signed_challenge_proves_the_key_of_the_certificate(name: str, pin: str) -> None:
    driver = staff_driver(name)
    key = _certificate(driver).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    driver.raw("0020000104" + pin.encode().hex())
    driver.raw(SET_KEY)
    signature = read(driver, SIGN + "00").data
    assert len(signature) == 64
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    key.verify(der, b"\x5a" * 32, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(der, b"\x5a" * 31 + b"\x5b", ec.ECDSA(hashes.SHA256()))


def test_no_signature_without_pin_or_key() -> None:
    driver = staff_driver()
    assert driver.raw(SIGN) == "6982"
    assert driver.raw(SET_KEY) == "9000"
    assert driver.raw(SIGN) == "6982"
    driver.raw(RIGHT)
    assert driver.raw(SIGN) == "6140"
    driver.raw(SELECT_PKCS15)
    assert driver.raw(SIGN) == "6985"  # another DF, another security environment; the PIN is still verified
    assert driver.raw(ASK) == "9000"
    driver.raw(SET_KEY)
    driver.raw("00A4020C02C001")
    assert driver.raw(SIGN) == "6140"
    assert driver.raw("002241A403840102") == "6A88"
    assert driver.raw(SIGN) == "6985"
    driver.raw(WRONG)
    assert driver.raw(SIGN) == "6982"


# -- order of checks: class, instruction, secure messaging, chaining, parameters, length, security, data --------------

ORDER = [
    ("6E00", "FFFFFFFF05"),
    ("6E00", "A0A40400"),
    ("6881", "01200001"),  # one channel only: the others are refused, and there is no MANAGE CHANNEL to open them
    ("6881", "41200001"),
    ("6D00", "0070000001"),
    ("6D00", "80A4040C02"),
    ("6D00", "80CAFFFF05"),
    ("6D00", "0024000108" + "00" * 8),
    ("6D00", "00D6000001AA"),
    ("6D00", "0082000008" + "00" * 8),
    ("6882", "0420FFFF05"),
    ("6882", "0CA4FFFF05"),
    ("6884", "1020FFFF05"),
    ("6A86", "00A4FFFF05"),
    ("6A86", "0020010105"),
    ("6A86", "002241B605"),
    ("6A86", "00220000"),
    ("6A86", "0088000105"),
    ("6A86", "00CB3FFE05"),
    ("6700", "0020000205"),
    ("6700", "002000020331323334"),
    ("6700", "0020000203313233"),
    ("6700", "00200002043132333400"),
    ("6700", "002241A4"),
    ("6700", "002241A40384010100"),
    ("6700", "00880000"),
    ("6700", "008800000F" + "00" * 15),
    ("6700", "0088000041" + "00" * 65),
    ("6700", "00CB3FFF"),
    ("6700", "00B00000"),
    ("6982", SIGN),
    ("6A88", "0020000204" + b"2580".hex()),
    ("6A88", "00200002"),
    ("6A80", "002241A403840201"),
    ("6A80", "002241A40184"),
    ("6A80", "002241A403800101"),
    ("6A80", "002241A406840101840101"),
    ("6A80", "002241A405840101A400"),
    ("6A88", "002241A403840102"),
    ("6A88", "002241A406840101800102"),
    ("9000", "002241A406840101800101"),
    ("6A88", "00CB3FFF0A4D087006BF810202A080"),
    ("6A82", "00A4020C02FFFF"),
    ("6986", "00B0000001"),
]


@pytest.mark.parametrize(("sw", "apdu"), ORDER, ids=[f"{row[0]}-{row[1][:14]}" for row in ORDER])
def test_order_of_checks(sw: str, apdu: str) -> None:
    assert staff_driver().raw(apdu) == sw


def test_refused_commands_cost_no_try() -> None:
    driver = staff_driver()
    for sw, apdu in ORDER:
        assert driver.raw(apdu)[-4:] == sw
    assert driver.raw(ASK) == "63C3"
