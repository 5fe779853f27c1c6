"""The picture's bytes: python-escpos sends the same, the simulator rebuilds it, no real-time sequence ever appears."""

import re

import pytest
from escpos.printer import Dummy
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kiosk.hardware.printer import escpos
from kiosk.hardware.printer.profile import PROFILES
from kiosk.visit.ports import Bitmap
from simulators.printer import PrinterEngine

_REAL_TIME = re.compile(rb"\x10[\x04\x05\x14]")


def _picture(width: int, height: int, rows: bytes) -> Bitmap:
    return Bitmap(
        width, height, (rows * (1 + (width + 7) // 8 * height // max(1, len(rows))))[: (width + 7) // 8 * height]
    )


@given(
    st.sampled_from([8, 16, 24, 128, 384, 576]),
    st.integers(1, 40),
    st.binary(min_size=1, max_size=80) | st.lists(st.sampled_from(b"\x10\x04\x05\x14\x00"), min_size=1).map(bytes),
    st.integers(1, 20),
)
def test_no_real_time_sequence_ever_appears(width: int, height: int, rows: bytes, band_rows: int) -> None:
    assert not _REAL_TIME.search(b"".join(escpos.raster(_picture(width, height, rows), band_rows)))


@pytest.mark.parametrize("height", [1, 1039, 1040, 1041, 1296, 2303, 2304, 2500])
def test_no_real_time_sequence_in_the_header_of_any_band(height: int) -> None:
    bands = list(escpos.raster(_picture(8, height, b"\xff"), escpos.MAX_BAND_ROWS))
    assert not any(_REAL_TIME.search(band) for band in bands)
    assert sum(band[6] | band[7] << 8 for band in bands) == height


def test_one_dot_is_cleared_per_sequence_and_no_other() -> None:
    (band,) = escpos.raster(Bitmap(32, 2, b"\x10\x04\x10\x10\x14\x05\x10\xff"), 2)
    assert band[8:] == b"\x00\x04\x10\x00\x14\x05\x10\xff"


@settings(max_examples=25)
@given(st.sampled_from([16, 384, 576]), st.integers(1, 60), st.binary(min_size=1, max_size=64), st.integers(1, 64))
def test_the_simulated_printer_rebuilds_the_picture(width: int, height: int, rows: bytes, band_rows: int) -> None:
    picture = _picture(width, height, rows.replace(b"\x10", b"\x11"))
    engine = PrinterEngine(width)
    engine.feed(escpos.RESET)
    for band in escpos.raster(picture, band_rows):
        engine.feed(band)
    engine.feed(escpos.feed_and_cut(0))
    (ticket,) = engine.tickets
    assert ticket.size == (width, height)
    assert bytes(byte ^ 0xFF for byte in ticket.tobytes()) == picture.rows
    assert engine.unknown == []


@pytest.mark.parametrize("width", [8, 384, 576])
@pytest.mark.parametrize("height", [1, 24, 200])
def test_same_bytes_as_python_escpos(width: int, height: int) -> None:
    picture = _picture(width, height, bytes(range(0x20, 0xF0)))
    other = Dummy()
    black_is_1 = Image.frombytes("1", (width, height), picture.rows)
    other.image(black_is_1.point(lambda dot: 255 - dot), impl="bitImageRaster", fragment_height=128)
    assert b"".join(escpos.raster(picture, 128)) == other.output


@pytest.mark.parametrize(
    ("picture", "band_rows"),
    [
        (Bitmap(0, 1, b""), 1),
        (Bitmap(8, 2, b"\x00"), 1),
        (Bitmap(9, 1, b"\x00"), 1),
        (Bitmap(2048, 1, bytes(256)), 1),
        (Bitmap(8, 1, b"\x00"), 0),
        (Bitmap(8, 1, b"\x00"), escpos.MAX_BAND_ROWS + 1),
    ],
)
def test_a_picture_that_does_not_fit_is_a_bug(picture: Bitmap, band_rows: int) -> None:
    with pytest.raises(ValueError, match=r"picture|band"):
        list(escpos.raster(picture, band_rows))


@pytest.mark.parametrize("token", [b"", b"ABC", b"ABCDE", b"AB\x10C"])
def test_a_token_that_could_be_misread_is_a_bug(token: bytes) -> None:
    with pytest.raises(ValueError, match="token"):
        escpos.process_id_request(token)


@pytest.mark.parametrize("name", list(PROFILES))
def test_profiles_fit_the_encoder(name: str) -> None:
    profile = PROFILES[name]
    assert profile.width_dots % 8 == 0
    assert 1 <= profile.band_rows <= escpos.MAX_BAND_ROWS
    assert 0 <= profile.feed_dots <= 255
    assert profile.transmission_s(profile.baud // 10) == pytest.approx(1.0)
