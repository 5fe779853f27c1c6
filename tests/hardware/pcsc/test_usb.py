"""Readers on USB that PC/SC does not show, over trees of files like the kernel's and the driver package's."""

from __future__ import annotations

import plistlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.hardware.pcsc.usb import (
    MAX_ATTRIBUTE_CHARS,
    MAX_PLIST_BYTES,
    UsbReader,
    WithoutReader,
    driver_names,
    usb_readers,
    without_reader,
)

LEO, TWIN, TWIN_SERIAL = (0x0F14, 0x003B), (0x08E6, 0x3437), (0x08E6, 0x3438)
DRIVERS = {LEO: "INGENICO Leo", TWIN: "Gemalto PC Twin", TWIN_SERIAL: "Gemalto PC Twin Reader"}


def device(
    sysfs: Path,
    port: str,
    usb_id: tuple[str, str],
    product: str = "",
    *,
    classes: Sequence[str] = (),
    whole: str = "00",
) -> None:
    """One device as the kernel shows it."""
    folder = sysfs / port
    folder.mkdir(parents=True)
    files = {"idVendor": usb_id[0], "idProduct": usb_id[1], "bDeviceClass": whole}
    for name, content in (files | ({"product": product} if product else {})).items():
        (folder / name).write_text(content + "\n", encoding="utf-8")
    for number, code in enumerate(classes):
        interface = folder / f"{port}:1.{number}"
        interface.mkdir()
        (interface / "bInterfaceClass").write_text(code + "\n", encoding="utf-8")
        (sysfs / interface.name).symlink_to(interface)  # interfaces are in the flat list, too


def bundle(root: Path, name: str, content: bytes) -> None:
    path = root / name / "Contents" / "Info.plist"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def plist(vendors: list[str], products: list[str], names: list[str]) -> bytes:
    return plistlib.dumps({"ifdVendorID": vendors, "ifdProductID": products, "ifdFriendlyName": names})


def reader(usb_id: tuple[int, int], port: str = "1-1") -> UsbReader:
    return UsbReader(port, usb_id, "")


def test_readers_are_found_by_class_and_by_name(tmp_path: Path) -> None:
    device(tmp_path, "usb1", ("1d6b", "0002"), "Hub", classes=["09"], whole="09")
    device(tmp_path, "1-1", ("0f14", "003b"), "Leo", classes=["03", "0b"])
    device(tmp_path, "1-2", ("0b00", "0090"), "vendor's own words", classes=["ff"])
    device(tmp_path, "1-3", ("046d", "c31c"), "Keyboard", classes=["03"])
    device(tmp_path, "1-4", ("0a5c", "5834"), classes=["ff"], whole="0b")
    assert usb_readers(tmp_path) == (
        UsbReader("1-1", (0x0F14, 0x003B), "Leo"),
        UsbReader("1-2", (0x0B00, 0x0090), "Ingenico SESAM-Vitale"),
        UsbReader("1-4", (0x0A5C, 0x5834), ""),
    )


def test_a_machine_without_usb_is_not_one_without_readers(tmp_path: Path) -> None:
    assert usb_readers(tmp_path / "none") is None
    assert usb_readers(tmp_path) == ()


def test_what_a_device_says_of_itself_is_cut_and_printable(tmp_path: Path) -> None:
    device(tmp_path, "1-1", ("0b00", "0001"), "Le\x1b[2Jo\n" + 500 * "x", classes=["0b"])
    (found,) = usb_readers(tmp_path) or ()
    assert found.product.startswith("Le?[2Jo?xx")
    assert len(found.product) <= MAX_ATTRIBUTE_CHARS
    assert str(reader(LEO)) == "1-1 0f14:003b"


@given(raw=st.binary(max_size=40))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_the_list_are_a_device_or_none(tmp_path: Path, raw: bytes) -> None:
    folder = tmp_path / "1-1"
    folder.mkdir(exist_ok=True)
    for name in ("idVendor", "idProduct", "bDeviceClass", "product"):
        (folder / name).write_bytes(raw)
    for found in usb_readers(tmp_path) or ():
        assert found.product.isprintable()


def test_drivers_of_all_bundles_are_known_and_a_bad_bundle_has_none(tmp_path: Path) -> None:
    bundle(tmp_path, "a.bundle", plist(["0x0F14"], ["0x003B"], ["INGENICO Leo"]))
    bundle(tmp_path, "b.bundle", plist(["0x08E6"], ["0x3437"], ["Gemalto PC Twin"]))
    for number, bad in enumerate(
        [
            b"",
            b"<plist>",
            b"bplist00",
            plistlib.dumps({}),
            plistlib.dumps([]),
            plist(["0x0001"], [], []),
            plist(["no"], ["0x1"], ["x"]),
            plist(["0x2"], ["0x2"], ["x" * MAX_PLIST_BYTES]),
        ]
    ):
        bundle(tmp_path, f"bad{number}.bundle", bad)
    assert driver_names(tmp_path) == {LEO: "INGENICO Leo", TWIN: "Gemalto PC Twin"}
    assert driver_names(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("devices", "readers", "missing"),
    [
        ([], ["INGENICO Leo 00 00"], []),
        ([LEO], ["INGENICO Leo 00 00"], []),
        ([LEO], ["INGENICO Leo [CCID Interface] (0000123) 03 00"], []),
        ([LEO], ["INGENICO Leonardo 00 00"], [WithoutReader.NOT_STARTED]),
        ([LEO], [], [WithoutReader.NOT_STARTED]),
        ([(0x0B00, 0x0090)], ["INGENICO Leo 00 00"], [WithoutReader.NO_DRIVER]),
        ([LEO, LEO], ["INGENICO Leo 00 00", "INGENICO Leo 01 00"], []),
        ([LEO, LEO], ["INGENICO Leo 00 00", "INGENICO Leo 00 01"], [WithoutReader.NOT_STARTED]),  # two slots of one
        ([TWIN], ["Gemalto PC Twin Reader 00 00"], [WithoutReader.NOT_STARTED]),  # the longer name is another's
        ([TWIN, TWIN_SERIAL], ["Gemalto PC Twin Reader 00 00", "Gemalto PC Twin 01 00"], []),
    ],
)
def test_which_devices_have_no_reader(
    devices: list[tuple[int, int]], readers: list[str], missing: list[WithoutReader]
) -> None:
    plugged = [reader(usb_id, f"1-{number}") for number, usb_id in enumerate(devices)]
    assert list(without_reader(plugged, DRIVERS, readers).values()) == missing
