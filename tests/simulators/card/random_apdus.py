"""Seeded streams of APDUs that nobody would send: noise, and real commands with a few bytes wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator

from kiosk.card import professional
from kiosk.card.layout import AID_MF_VITALE, AID_VITALE

MAX_NOISE_BYTES = 300

REAL = [
    bytes.fromhex(text)
    for text in (
        "00A4040C0B" + AID_VITALE.hex(),
        "00A404000B" + AID_VITALE.hex() + "00",
        "00A404040E" + AID_MF_VITALE.hex() + "00",
        "00A4040C0D" + professional.AID_PKCS15_CONTACT.hex(),
        "00A4040C0B" + professional.AID_TECHNICIAN.hex(),
        "00A4020C022014",
        "00A4000C023F00",
        "00A40000",
        "00A4080C043F102014",
        "00B0000000",
        "00B0940000",
        "00B09D0010",
        "00B0000000FFFF",
        "00D694000401020304",
        "04D6940018" + "5A" * 24,
        "94D6950010" + "5A" * 16,
        "84D8308150" + "5A" * 80,
        "0084000008",
        "00840000000000",
        "8050300008" + "00" * 8,
        "805000000800000000000000000000",
        "8482330010" + "00" * 16,
        "00C0000000",
        "84C0000010",
        "0070000001",
        "00700001",
        "00708001",
        "01A4040C0B" + AID_VITALE.hex(),
        "01B0940040",
        "8150300008" + "00" * 8,
        "00200001",
        "0020000104" + b"2580".hex(),
        "0020000104" + b"0000".hex(),
        "0024000108" + "30" * 8,
        "002241A403840101",
        "0088000020" + "A5" * 32,
        "00CB3FFF0A4D087006BF810102A08000",
        "00A4020C02D003",
        "00A4020C02D010",
        "00A4020C020011",
        "00A4020C020010",
    )
]


def random_apdus(seed: int, count: int, *, min_bytes: int = 0) -> Iterator[bytes]:
    """`count` byte strings of at least `min_bytes`: a third noise, a third real commands, a third near misses."""
    chance = random.Random(seed)
    for _ in range(count):
        apdu = bytearray(chance.choice(REAL))
        match chance.randrange(3):
            case 0:
                apdu = bytearray(chance.randbytes(chance.randint(min_bytes, MAX_NOISE_BYTES)))
            case 1:
                for _ in range(chance.randint(1, 3)):
                    apdu[chance.randrange(len(apdu))] = chance.choice((0x00, 0xFF, chance.randrange(256)))
                if chance.random() < 0.3:
                    apdu = apdu[: chance.randint(min_bytes, len(apdu))]
        yield bytes(apdu)
