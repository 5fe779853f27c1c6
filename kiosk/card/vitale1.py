"""Carte Vitale 1: recognised, explained elsewhere, and not read.

Its commands are not public, so this module holds the one thing that is known, its seven ATRs (pcsc-tools list). They
are a closed list: a Vitale 1 cannot be confirmed by reading, and bank and parking cards differ from it by one byte.
"""

from __future__ import annotations

import re
from typing import Final

ATR_PATTERN: Final = re.compile("3F652500(?:(?:22|2C)09(?:F9|69)|52096A|A[34]096A)9000")
