"""Professional cards (CPS, CPE) as far as their ATR tells them (domain reference §3: ANS CryptoLib 5.2, pcsc-tools)."""

from __future__ import annotations

import re
from typing import Final

CPS2TER: Final = bytes.fromhex("3BAC00402A001225006480820212009000")
CPS3_CONTACT: Final = bytes.fromhex("3BAC00402A001225006480000310009000")
CPS3_CONTACTLESS: Final = bytes.fromhex("3B8F80010031B86404B0ECC1739401808290000E")
CPS4: Final = bytes.fromhex("3B9B188001001225006480040100009044")
CPS4_PRE_RELEASE: Final = bytes.fromhex("3B9B188001001225006480000401009044")
CPS4_T0: Final = bytes.fromhex("3BDC18FF00001225006480000401009000")

ATR_PATTERN: Final = re.compile(
    "|".join(atr.hex().upper() for atr in (CPS2TER, CPS3_CONTACT, CPS3_CONTACTLESS, CPS4, CPS4_PRE_RELEASE, CPS4_T0))
)
"""Exact values: the published reader compares them without a mask."""
