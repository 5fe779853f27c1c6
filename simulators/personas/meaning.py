"""The last check of a persona: what a schema cannot say. Returns JSON path and cause of the first contradiction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from kiosk.card import professional
from kiosk.card.atr import Atr, parse_atr
from kiosk.card.professional import StaffRole
from kiosk.card.values import CardKind, RightsPeriod
from simulators.personas.values import CardHalf, CentreHalf, ChipIdentity, Persona, StaffIdentity

_MAX_ATR_BYTES = 33
_VITALE_2_ATR = re.compile(rb"\x3b\x75\x13\x00\x00.\x09[\xea\xfa]\x90\x00", re.DOTALL)
_VITALE_2_ATR_T1 = re.compile(rb"\x3b\xf5\x13\x00\x00\x01.\x09[\xea\xfa]\x90\x00.", re.DOTALL)
"""Ours: the same bytes with T=1 as the only protocol, and therefore TCK."""
_FICTIONAL_COMMUNE = "999"
_UNKNOWN = ("00", "99")


def first_meaning_error(persona: Persona) -> tuple[str, str] | None:
    """None for a persona that makes sense."""
    return next(_errors(persona), None)


def _errors(persona: Persona) -> Iterator[tuple[str, str]]:
    yield from _card(persona.card)
    chip, centre = persona.card.chip, persona.centre
    if (chip is None) != (centre is None):
        yield "$.centre", "the centre knows a card exactly when it has a chip content"
    if chip is not None:
        yield from _chip(chip)
    if centre is not None and chip is not None:
        yield from _centre(centre, chip)


def _card(card: CardHalf) -> Iterator[tuple[str, str]]:
    if (card.chip is not None) != (card.kind is CardKind.VITALE_2):
        yield "$.card.chip", "a chip content belongs to kind vitale2, and only there"
    if (len(card.atr) > _MAX_ATR_BYTES) != (card.kind is CardKind.MUTE):
        yield "$.card.atr", "34 bytes mean a mute card, and only there"
    if card.kind is CardKind.VITALE_2 and not _is_vitale_2(card.atr):
        yield "$.card.atr", "not the ATR of a Vitale 2"
    if (card.staff is not None) != (card.kind is CardKind.PROFESSIONAL):
        yield "$.card.staff", "a holder belongs to kind professional, and only there"
    if card.staff is not None:
        yield from _staff(card.staff, card.atr)


def _is_vitale_2(atr: bytes) -> bool:
    under_t1 = _VITALE_2_ATR_T1.fullmatch(atr) is not None and isinstance(parse_atr(atr), Atr)
    return under_t1 or _VITALE_2_ATR.fullmatch(atr) is not None


def _staff(staff: StaffIdentity, atr: bytes) -> Iterator[tuple[str, str]]:
    path = "$.card.staff"
    technician = staff.role is StaffRole.TECHNICIEN
    if atr != (professional.TECHNICIAN if technician else professional.CPS3_CONTACT):
        yield "$.card.atr", "not the ATR of a CPS3, or of a technician's card with role TECHNICIEN"
    if technician != staff.identifier.startswith("T"):
        yield f"{path}.identifier", "a technician's begins with T, and no other"
    if "SPECIMEN" not in staff.name:
        yield f"{path}.name", "an invented family name contains SPECIMEN"
    if technician != (staff.serial is None):
        yield f"{path}.serial", "a professional card has a number, a technician's card has none"
    if staff.serial is not None and not _luhn_digit_fits(staff.serial):
        yield f"{path}.serial", "the last digit does not fit those before it"
    if technician and staff.actua is not None:
        yield f"{path}.actua", "a technician's card has no such file"


def _chip(chip: ChipIdentity) -> Iterator[tuple[str, str]]:
    path = "$.card.chip"
    for index, person in enumerate(chip.beneficiaries):
        here = f"{path}.beneficiaries[{index}]"
        if "SPECIMEN" not in person.name:
            yield f"{here}.name", "an invented family name contains SPECIMEN"
        if not _birth_date_is_possible(person.birth_date):
            yield f"{here}.birth_date", "no such day in the calendar; a month or day that is not known is 00 or 99"
        if not _nir_is_fictional(person.nir):
            yield f"{here}.nir", "an invented NIR has commune 999 (department 99, 2A or 2B) or caisse 999"
        if not _nir_key_fits(person.nir):
            yield f"{here}.nir", "the key does not fit the 13 characters before it"
    if len({person.nir for person in chip.beneficiaries}) != len(chip.beneficiaries):
        yield f"{path}.beneficiaries", "two people with one NIR"
    yield from _rights(chip.rights, len(chip.beneficiaries), f"{path}.rights")
    if chip.last_update is not None and chip.last_update < chip.start_date:
        yield f"{path}.last_update", "before the card's start date"


def _centre(centre: CentreHalf, chip: ChipIdentity) -> Iterator[tuple[str, str]]:
    for index, order in enumerate(centre.orders):
        yield from _rights(order.after.rights, len(chip.beneficiaries), f"$.centre.orders[{index}].after.rights")
    if len({order.update_id for order in centre.orders}) != len(centre.orders):
        yield "$.centre.orders", "one update_id occurs twice"
    if chip.unfinished and not centre.orders:
        yield "$.centre.orders", "an unfinished card needs the order that was interrupted"


def _rights(rights: tuple[RightsPeriod, ...], people: int, path: str) -> Iterator[tuple[str, str]]:
    for index, period in enumerate(rights):
        if period.beneficiary >= people:
            yield f"{path}[{index}].beneficiary", f"only {people} on the card"
        if period.end < period.start:
            yield f"{path}[{index}].end", "before the start"


def _birth_date_is_possible(digits: str) -> bool:
    """YYYYMMDD; month and day may be unknown. A day of an unknown month is one of 31."""
    year, month, day = digits[:4], digits[4:6], digits[6:]
    try:
        date(int(year), 1 if month in _UNKNOWN else int(month), 1 if day in _UNKNOWN else int(day))
    except ValueError:
        return False
    return True


def _nir_is_fictional(nir: str) -> bool:
    if nir[0] == "7":
        return nir[2:5] == _FICTIONAL_COMMUNE
    return nir[5:7] in ("99", "2A", "2B") and nir[7:10] == _FICTIONAL_COMMUNE


def _nir_key_fits(nir: str) -> bool:
    """Key = 97 - (13 digits mod 97), with 2A counted as 19 and 2B as 18 (domain reference, NIR)."""
    digits = nir[:13].replace("2A", "19").replace("2B", "18")
    return nir[13:] == f"{97 - int(digits) % 97:02d}"


def _luhn_digit_fits(digits: str) -> bool:
    """Every second digit from the right, without the last, counts double; 10 divides the sum of all their digits."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0
