"""Identity, provisional codes, and the account side that redeems them.

A code is four digits from a CSPRNG, used once, short-lived, few tries; kept only as an HMAC under a pepper that is not
in the database, and never logged.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or  # both engines compile it

from kiosk.visit.policy import CodeIssuing
from simulators.backend import refusals, schema
from simulators.backend.cards import find_card
from simulators.backend.clock import SECONDS_PER_DAY
from simulators.backend.documents import counting
from simulators.backend.exchange import Answer, Call
from simulators.backend.refusals import Refusal

CODE_DIGITS: Final = 4
CODE_LIFE_S: Final = 900
CODE_TRIES: Final = 3
PROOF_LIFE_S: Final = 600
IDENTIFY_TRIES: Final = 3
"""Per card and UTC day, whatever a kiosk's policy says."""


def identify(call: Call) -> Answer | Refusal:
    """`/v1/identify`: birth date and post code (present or previous) of the holder; a proof of level 2 when right."""
    card = find_card(call.connection, call.body["iccsn"])
    if card is None:
        return refusals.NOT_OUR_CARD
    if card["opposed"]:
        return refusals.CARD_OPPOSED
    table, day = schema.identity_try, call.now_s // SECONDS_PER_DAY
    call.connection.execute(delete(table).where(table.c.day < day))
    used = call.connection.execute(
        select(table.c.failures).where(table.c.serial == card["serial"], table.c.day == day)
    ).scalar()
    left = IDENTIFY_TRIES - (used or 0)
    right = _same(card["holder_birth_date"], call.body["birth_date"]) & (
        _same(card["postcode"], call.body["postcode"]) | _same(card["previous_postcode"] or "", call.body["postcode"])
    )
    if left > 0 and right:
        return _identified(call, card["serial"], left)
    if left > 0:
        left -= 1
        call.connection.execute(
            insert_or(table)
            .values(serial=card["serial"], day=day, failures=1)
            .on_conflict_do_update(index_elements=["serial", "day"], set_={"failures": table.c.failures + 1})
        )
    return Answer({"accepted": False, "tries_left": left, "proof": None})


def _identified(call: Call, serial: str, tries_left: int) -> Answer:
    text = secrets.token_hex(16)
    table = schema.proof
    call.connection.execute(delete(table).where(table.c.expires_s <= call.now_s))
    call.connection.execute(
        insert(table).values(
            proof_sha256=_sha256(text), kiosk=call.kiosk_id, serial=serial, expires_s=call.now_s + PROOF_LIFE_S
        )
    )
    return Answer({"accepted": True, "tries_left": tries_left, "proof": text}, live_s=PROOF_LIFE_S)


def issue(call: Call, pepper: bytes) -> Answer | Refusal:
    """`/v1/code/issue`: a new code where the site may, for an identified holder; it replaces an older live one."""
    if counting(call.connection, call.kiosk_id).policy.issue_code is not CodeIssuing.ON:
        return refusals.SITE_MAY_NOT
    card = find_card(call.connection, call.body["iccsn"])
    if card is None:
        return refusals.NOT_OUR_CARD
    if card["opposed"]:
        return refusals.CARD_OPPOSED
    if card["ineligible_reason"] is not None:
        return refusals.NOT_ELIGIBLE
    proof = (
        call.connection.execute(select(schema.proof).where(schema.proof.c.proof_sha256 == _sha256(call.body["proof"])))
        .mappings()
        .one_or_none()
    )
    if (
        proof is None
        or proof["kiosk"] != call.kiosk_id
        or proof["serial"] != card["serial"]
        or proof["expires_s"] <= call.now_s
    ):
        return refusals.IDENTITY_NEEDED
    digits = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    salt = secrets.token_bytes(16)
    expires_s = call.now_s + CODE_LIFE_S
    values = {
        "salt": salt,
        "digest": _code_digest(pepper, salt, digits),
        "expires_s": expires_s,
        "tries_left": CODE_TRIES,
    }
    call.connection.execute(
        insert_or(schema.code)
        .values(serial=card["serial"], **values)
        .on_conflict_do_update(index_elements=["serial"], set_=values)
    )
    return Answer({"code": digits, "expires_at_s": expires_s, "valid_s": CODE_LIFE_S}, live_s=CODE_LIFE_S)


def redeem(connection: Connection, body: Mapping[str, Any], pepper: bytes, now_s: int) -> dict[str, Any]:
    """The account side: `login` (first 13 characters of the NIR) and `code`. A code works once; a wrong try counts.

    The answer says no more than yes or no: neither whether the person exists nor whether a code is waiting.
    """
    table = schema.code
    connection.execute(delete(table).where(table.c.expires_s <= now_s))
    rows = (
        connection.execute(
            select(table)
            .join(schema.card, schema.card.c.serial == table.c.serial)
            .where(schema.card.c.holder_nir == body["login"], schema.card.c.opposed.is_(False))
            .with_for_update(of=table)
        )
        .mappings()
        .all()
    )
    tried = [_try_code(connection, row, body["code"], pepper) for row in rows]
    return {"accepted": any(tried)}


def _try_code(connection: Connection, row: RowMapping, code: str, pepper: bytes) -> bool:
    table = schema.code
    right = hmac.compare_digest(row["digest"], _code_digest(pepper, row["salt"], code))
    if right or row["tries_left"] <= 1:
        connection.execute(delete(table).where(table.c.serial == row["serial"]))
    else:
        connection.execute(
            update(table).where(table.c.serial == row["serial"]).values(tries_left=row["tries_left"] - 1)
        )
    return right


def _code_digest(pepper: bytes, salt: bytes, digits: str) -> bytes:
    return hmac.digest(pepper, salt + digits.encode("ascii"), "sha256")


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("ascii")).digest()


def _same(known: str, given: str) -> bool:
    return hmac.compare_digest(known.encode("utf-8"), given.encode("utf-8"))
