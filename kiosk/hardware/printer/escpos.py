"""The few ESC/POS commands a ticket needs. Code pages differ per device, so a ticket is one picture (GS v 0).

Real-time sequences (`10 04`, `10 05`, `10 14`) are executed by printers even inside picture data, so none may ever
appear there: one dot is cleared instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kiosk.visit.ports import Bitmap

RESET: Final = b"\x1b\x40"
"""ESC @: back to the settings of power-on; what the print buffer holds is dropped."""
AUTO_STATUS_OFF: Final = b"\x1d\x61\x00"
RECOVER: Final = b"\x10\x05\x02"
"""DLE ENQ 2: recover from an error and drop what was received but not printed; obeyed at once."""
TRANSMIT_PAPER_STATUS: Final = b"\x1d\x72\x01"
MAX_BAND_ROWS: Final = 1039
"""Devices take fewer than 2,304 rows; 1,040 rows would put the bytes `10 04` into the header itself."""
_MAX_ROW_BYTES: Final = 255
_REAL_TIME: Final = re.compile(rb"\x10(?=[\x04\x05\x14])")


def process_id_request(token: bytes) -> bytes:
    """GS ( H function 48: the printer echoes the 4 printable bytes of `token` once all before it is on paper."""
    if len(token) != 4 or not all(0x20 <= byte <= 0x7E for byte in token):
        raise ValueError("a process id token has 4 printable bytes")
    return b"\x1d\x28\x48\x06\x00\x30\x30" + token


def feed_and_cut(feed_dots: int) -> bytes:
    """Feed to the cutter plus `feed_dots` (0–255, of 1/203 inch), then cut, leaving one point (GS V 66)."""
    return bytes((0x1D, 0x56, 0x42, feed_dots))


def raster(picture: Bitmap, band_rows: int) -> Iterator[bytes]:
    """GS v 0 commands, one per band of at most `band_rows` rows, top to bottom.

    Raises ValueError when `rows` does not have height × ceil(width / 8) bytes, or a size does not fit the command.
    """
    row_bytes = (picture.width + 7) // 8
    if not 1 <= row_bytes <= _MAX_ROW_BYTES or row_bytes * picture.height != len(picture.rows):
        raise ValueError(f"picture of {picture.width} × {picture.height} dots has {len(picture.rows)} bytes of rows")
    if not 1 <= band_rows <= MAX_BAND_ROWS:
        raise ValueError(f"band of {band_rows} rows")
    for top in range(0, picture.height, band_rows):
        rows = min(band_rows, picture.height - top)
        data = picture.rows[top * row_bytes : (top + rows) * row_bytes]
        header = bytes((0x1D, 0x76, 0x30, 0x00, row_bytes, 0, rows & 0xFF, rows >> 8))
        yield header + _REAL_TIME.sub(b"\x00", data)
