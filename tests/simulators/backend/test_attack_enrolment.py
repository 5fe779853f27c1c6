"""The attack matrix, class 6 at the door: wrong keys, others' keys, spent and foreign tickets; only a counter moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kiosk.sync.csr import build_csr
from kiosk.sync.keys import SoftwareKey
from simulators.backend import schema
from simulators.backend.admin import command
from simulators.backend.files import DataDir
from tests.simulators.backend.attack_stage import Stage, changed
from tests.simulators.backend.test_enrolment import simple_enroll

KIOSK = "borne-0009"
TICKET_COLUMNS = [column.name for column in schema.ticket.c]
IDENTITY_POINT = bytes([1, *bytes(31)])
"""Ed25519's neutral element: under it one signature fits every message."""


@dataclass
class FalseKey:
    """A signing key of any public part, whose proof is made by `private`."""

    spki: bytes
    private: ec.EllipticCurvePrivateKey
    keyid: str = f"{KIOSK}/1"
    alg: str = "ecdsa-p256-sha256"

    def public_spki(self) -> bytes:
        return self.spki

    def sign(self, message: bytes) -> bytes:
        return SoftwareKey(self.keyid, self.private).sign(message)


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: Any) -> bytes:
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def request(ticket: str, *, kiosk: str = KIOSK, tls: Any = None, signing: Any = None) -> bytes:
    return build_csr(
        kiosk=kiosk,
        kiosk_serial="SN-9",
        tls_private=tls or p256(),
        signing_key=signing or SoftwareKey(f"{kiosk}/1", p256()),
        ticket=ticket,
    )


def false_key(public: Any) -> FalseKey:
    return FalseKey(spki(public), p256())


ROWS: dict[str, tuple[int, Callable[[str, Stage], bytes]]] = {
    "signing key on P-384": (
        400,
        lambda ticket, _: request(ticket, signing=false_key(ec.generate_private_key(ec.SECP384R1()).public_key())),
    ),
    "signing key of small order": (
        400,
        lambda ticket, _: request(
            ticket, signing=false_key(ed25519.Ed25519PublicKey.from_public_bytes(IDENTITY_POINT))
        ),
    ),
    "signing key of RSA": (
        400,
        lambda ticket, _: request(ticket, signing=false_key(rsa.generate_private_key(65537, 2048).public_key())),
    ),
    "signing key of another kiosk, without its proof": (
        400,
        lambda ticket, stage: request(ticket, signing=FalseKey(stage.scene.other_key.public_spki(), p256())),
    ),
    "signing key that is none": (400, lambda ticket, _: request(ticket, signing=FalseKey(b"\x30\x00", p256()))),
    "TLS key on P-384": (400, lambda ticket, _: request(ticket, tls=ec.generate_private_key(ec.SECP384R1()))),
    "TLS key of RSA": (400, lambda ticket, _: request(ticket, tls=rsa.generate_private_key(65537, 2048))),
    "proof for another ticket": (400, lambda ticket, _: request(ticket[:-1] + ("0" if ticket[-1] != "0" else "1"))),
    "name of another kiosk": (400, lambda ticket, _: request(ticket, kiosk="borne-0001")),
    "name of the server": (400, lambda ticket, _: request(ticket, kiosk="srv")),
    "bytes": (400, lambda *_: b"no request"),
    "an honest request": (200, lambda ticket, _: request(ticket)),
}


def new_ticket(stage: Stage) -> str:
    folder = Path(stage.ready.ca_file).parent
    return str(command(DataDir(folder), {"do": "ticket", "kiosk": KIOSK, "site_kind": "agency"})["ticket"])


@pytest.mark.parametrize("name", ROWS)
def test_a_request_is_refused_and_counted_on_its_ticket_only(stage: Stage, name: str) -> None:
    status, make = ROWS[name]
    ticket = new_ticket(stage)
    before = stage.rows()
    answered, _, body = simple_enroll(stage.ready, ticket, make(ticket, stage))
    assert answered == status
    if status == 200:
        assert set(changed(before, stage.rows())) == {"ticket", "kiosk_key", "certificate"}
        return
    assert body == b'{"status":%d}' % status
    assert ticket_columns_changed(stage, before) == {"failures"}


def ticket_columns_changed(stage: Stage, before: Any) -> set[str]:
    differences = changed(before, stage.rows())
    assert set(differences) <= {"ticket", "alarm"}
    gone, new = differences.get("ticket", (set(), set()))
    assert len(gone) == len(new) <= 1
    return {
        column
        for old, now in zip(gone, new, strict=True)
        for column, was, is_ in zip(TICKET_COLUMNS, old, now, strict=True)
        if was != is_
    }


def test_a_spent_ticket_opens_for_the_same_keys_only_and_alarms(stage: Stage) -> None:
    ticket = new_ticket(stage)
    own = request(ticket)
    assert simple_enroll(stage.ready, ticket, own)[0] == 200
    before = stage.rows()
    assert simple_enroll(stage.ready, ticket, request(ticket))[0] == 401
    assert ticket_columns_changed(stage, before) == {"failures"}
    assert set(changed(before, stage.rows())) == {"ticket", "alarm"}
    assert simple_enroll(stage.ready, ticket, own)[0] == 200


@pytest.mark.parametrize("bend", [lambda t: t.replace(KIOSK, "borne-0001"), lambda t: t[:-32] + "0" * 32])
def test_a_ticket_of_another_site_or_of_nobody_is_none(stage: Stage, bend: Callable[[str], str]) -> None:
    ticket = bend(new_ticket(stage))
    before = stage.rows()
    kiosk = ticket.partition(":")[0]
    assert simple_enroll(stage.ready, ticket, request(ticket, kiosk=kiosk))[0] == 401
    assert changed(before, stage.rows()) == {}


def test_a_ticket_that_is_over_counts_nothing(stage: Stage) -> None:
    ticket = new_ticket(stage)
    stage.utc.now_s += 7 * 86_400
    before = stage.rows()
    assert simple_enroll(stage.ready, ticket, request(ticket))[0] == 401
    assert changed(before, stage.rows()) == {}
