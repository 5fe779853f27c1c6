"""How each cause of a technician's badge is brought about, with the card and the authority that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kiosk.settings import ReaderSettings, StaffSettings
from kiosk.visit import events as ev
from kiosk.visit.failures import Cause
from kiosk.visit.pages import Diagnostics, StaffPin
from simulators.card import SimulatedCard, authority_certificate, open_persona
from simulators.personas import load
from simulators.reader.embedded import READERS
from tests.app.authorities import another_authority
from tests.e2e.scene import Scene
from tests.e2e.stagings import Staging
from tests.e2e.theatre import House

_STAFF: Final = load("technician").card.staff


def pin() -> str:
    """Of the technician's badge."""
    assert _STAFF is not None
    return _STAFF.pin


def with_authority(scene: Scene, certificate: x509.Certificate | None) -> House:
    """A kiosk with both slots, that trusts this staff authority."""
    scene.folder.mkdir(parents=True, exist_ok=True)
    file = scene.folder / "staff.pem"
    if certificate is not None:
        file.write_bytes(certificate.public_bytes(Encoding.PEM))
    staff = StaffSettings(None if certificate is None else file)
    return scene.house(replace(scene.settings, readers=ReaderSettings(*READERS), staff=staff))


def badge_in(house: House, card: SimulatedCard | None = None) -> None:
    """Put the badge in, up to the question for its code."""
    house.audience.attend()
    house.scard.insert(READERS[1], card or open_persona("technician"))
    house.audience.step(StaffPin)


def typed(house: House, digits: str) -> None:
    """Type a code."""
    house.audience.attend()
    for digit in digits:
        house.kiosk.post(ev.DigitTyped(int(digit)))
    house.kiosk.post(ev.DigitsSubmitted())


def at_diagnostics(scene: Scene) -> House:
    """The badge is accepted."""
    house = with_authority(scene, authority_certificate())
    badge_in(house)
    typed(house, pin())
    house.audience.step(Diagnostics)
    return house


def _wrong(scene: Scene) -> None:
    house = with_authority(scene, authority_certificate())
    badge_in(house)
    typed(house, "0000")


def _blocked(scene: Scene) -> None:
    house = with_authority(scene, authority_certificate())
    badge_in(house)
    for left in (2, 1):
        typed(house, "0000")
        house.audience.step(StaffPin, lambda page, left=left: page.tries_left == left)  # type: ignore[misc]  # binds the loop
    typed(house, "0000")


def _unproven(scene: Scene) -> None:
    house = with_authority(scene, another_authority())
    badge_in(house)
    typed(house, pin())


def _no_authority(scene: Scene) -> None:
    house = with_authority(scene, None)
    house.audience.attend()
    house.scard.insert(READERS[1], open_persona("technician"))


def _withdrawn(scene: Scene) -> None:
    house = at_diagnostics(scene)
    house.audience.attend()
    house.scard.remove(READERS[1])


WITH_A_BADGE: Final[Mapping[Cause, tuple[Staging, ...]]] = {
    Cause.PIN_WRONG: (_wrong,),
    Cause.PIN_BLOCKED: (_blocked,),
    Cause.BADGE_UNPROVEN: (_unproven,),
    Cause.BADGE_NO_AUTHORITY: (_no_authority,),
    Cause.BADGE_WITHDRAWN: (_withdrawn,),
}
