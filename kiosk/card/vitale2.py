"""Carte Vitale 2."""

from __future__ import annotations

import re
from typing import Final

ATR_PATTERN: Final = re.compile("3B75130000..09[EF]A9000")
"""One byte differs between the published values and may take others (pcsc-tools list; the mask is inferred)."""
