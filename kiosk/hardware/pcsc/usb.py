"""USB devices that are smart-card readers and have no PC/SC reader: without a driver PC/SC shows nothing at all.

Pure over two directories: the kernel's list of USB devices, and pcscd's driver bundles, whose `Info.plist` says which
devices a driver takes and what the PC/SC reader is then called. Touches no device.
"""

from __future__ import annotations

import plistlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from xml.parsers.expat import ExpatError

SYSFS_DEVICES: Final = Path("/sys/bus/usb/devices")
DRIVER_BUNDLES: Final = Path("/usr/lib/pcsc/drivers")
SMART_CARD_CLASS: Final = 0x0B
"""USB class codes: smart card, as CCID readers have it on their interface."""
NOT_CCID: Final[Mapping[tuple[int, int], str]] = {(0x0B00, 0x0090): "Ingenico SESAM-Vitale"}
"""Readers that do not say that they are any: vendor and product id, name. Hardware reference, section 1.5."""
MAX_ATTRIBUTE_CHARS: Final = 128
MAX_PLIST_BYTES: Final = 1_000_000

UsbId = tuple[int, int]
"""Vendor id and product id."""


class WithoutReader(StrEnum):
    """Why PC/SC shows no reader for a device."""

    NO_DRIVER = "no PC/SC driver is installed for it"
    NOT_STARTED = "its driver is installed, but PC/SC shows no reader"


@dataclass(frozen=True, slots=True)
class UsbReader:
    """One device. `port`: the kernel's name of where it is plugged in, such as 1-1.4."""

    port: str
    id: UsbId
    product: str

    def __str__(self) -> str:
        """`1-1.4 0b00:0090 Name`."""
        return f"{self.port} {self.id[0]:04x}:{self.id[1]:04x} {self.product}".rstrip()


def usb_readers(sysfs: Path) -> tuple[UsbReader, ...] | None:
    """The smart-card readers on USB, by port; None where the kernel tells nothing of USB."""
    try:
        ports = sorted(sysfs.iterdir())
    except OSError:
        return None
    found = []
    for port in ports:
        vendor, product = _hex(port / "idVendor"), _hex(port / "idProduct")
        if vendor is None or product is None:  # an interface, or a device that has just left
            continue
        listed = NOT_CCID.get((vendor, product))
        classes = {_hex(path) for path in (port / "bDeviceClass", *port.glob("*/bInterfaceClass"))}
        if listed is not None or SMART_CARD_CLASS in classes:
            found.append(UsbReader(port.name, (vendor, product), listed or _text(port / "product")))
    return tuple(found)


def driver_names(bundles: Path) -> Mapping[UsbId, str]:
    """What each device that some installed driver takes is called in PC/SC. A bundle that cannot be read has none."""
    names: dict[UsbId, str] = {}
    for path in sorted(bundles.glob("*.bundle/Contents/Info.plist")):
        names |= _bundle(path)
    return names


def without_reader(
    devices: Iterable[UsbReader], drivers: Mapping[UsbId, str], readers: Iterable[str]
) -> Mapping[UsbReader, WithoutReader]:
    """The devices that PC/SC shows no reader of. Two alike with one reader: the second is named, nothing tells more.

    readers: PC/SC names, `Model [interface] (serial) NN MM`; one device may have several, which differ in MM only.
    """
    shown = {name.strip().rpartition(" ")[0] for name in readers}
    known = set(drivers.values())
    free: Counter[str] = Counter()
    for name in shown:
        models = [model for model in known if name == model or name.startswith(model + " ")]
        if models:
            free[max(models, key=len)] += 1
    missing: dict[UsbReader, WithoutReader] = {}
    for device in devices:
        model = drivers.get(device.id)
        if model is None:
            missing[device] = WithoutReader.NO_DRIVER
        elif free[model] == 0:
            missing[device] = WithoutReader.NOT_STARTED
        else:
            free[model] -= 1
    return missing


def _bundle(path: Path) -> dict[UsbId, str]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PLIST_BYTES + 1)
        if len(content) > MAX_PLIST_BYTES:
            return {}
        plist = plistlib.loads(content)
        columns = [plist[key] for key in ("ifdVendorID", "ifdProductID", "ifdFriendlyName")]
        return {(int(vendor, 16), int(product, 16)): str(name) for vendor, product, name in zip(*columns, strict=True)}
    except (OSError, plistlib.InvalidFileException, ExpatError, LookupError, TypeError, ValueError):
        return {}


def _hex(path: Path) -> int | None:
    try:
        return int(_text(path), 16)
    except ValueError:
        return None


def _text(path: Path) -> str:
    """A line the device may have written itself: cut, and what cannot be printed replaced."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_ATTRIBUTE_CHARS)
    except OSError:
        return ""
    text = raw.decode("utf-8", errors="replace").strip()
    return "".join(character if character.isprintable() else "?" for character in text)
