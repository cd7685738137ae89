"""Google's Coral Edge TPU through libedgetpu alone: what is there, and why it will not open.

The library says "Failed to load delegate" for every reason there is; the reason is found
here. Nothing of PyCoral is needed. The PyPI package `pycoral` is something else: a tool for
maps of coral reefs.
"""

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARY = "libedgetpu.so.1"
CUSTOM_OP = b"edgetpu-custom-op"
"""What a model that was compiled for it holds."""
USB_IDS = {"1a6e:089a": "not yet initialised", "18d1:9302": "initialised"}
INSTALL = "install libedgetpu1-std (or a rebuilt libedgetpu); not the PyPI package pycoral"


class _Device(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("path", ctypes.c_char_p))


def library(load: Callable[[str], Any] = ctypes.CDLL) -> Any:
    """libedgetpu; raises OSError where it is not installed."""
    found = load(LIBRARY)
    found.edgetpu_list_devices.restype = ctypes.POINTER(_Device)
    found.edgetpu_version.restype = ctypes.c_char_p
    return found


def devices(found: Any) -> list[str]:
    """The Edge TPUs that libedgetpu can use, as "usb …" and "pci …"."""
    count = ctypes.c_size_t()
    listed = found.edgetpu_list_devices(ctypes.byref(count))
    try:
        return [
            f"{'usb' if listed[i].type else 'pci'} {(listed[i].path or b'').decode()}"
            for i in range(count.value)
        ]
    finally:
        if count.value:
            found.edgetpu_free_devices(listed)


def usb_sticks(root: Path = Path("/")) -> dict[str, str]:
    """USB id → its folder in sysfs, for Edge TPUs on the bus."""
    sticks = {}
    for folder in sorted((root / "sys/bus/usb/devices").glob("*")):
        with suppress(OSError):
            vendor = (folder / "idVendor").read_text().strip()
            number = f"{vendor}:{(folder / 'idProduct').read_text().strip()}"
            if number in USB_IDS:
                sticks[number] = str(folder)
    return sticks


def why_none(count: int, root: Path = Path("/")) -> str:
    """Why libedgetpu does not open one of `count` devices that it lists, and what to do."""
    if count:
        return "it is in use by another process, or was unplugged: one process per Edge TPU"
    if usb_sticks(root):
        return (
            "a USB Edge TPU is on the bus but may not be used: add the user to group plugdev "
            "and pass both USB ids, 1a6e:089a and 18d1:9302, into the container"
        )
    cards = sorted((root / "dev").glob("apex_*"))
    if cards and not os.access(cards[0], os.R_OK | os.W_OK):
        return f"{cards[0]} may not be read: add the user to group apex"
    if cards:
        return f"{cards[0]} is here but does not answer: see dmesg for apex and gasket"
    return (
        "none is on the USB bus (check power and cable) and there is no /dev/apex_0 "
        "(PCIe: install gasket-dkms)"
    )


def impostor() -> str:
    """What is wrong with an installed `pycoral`; empty when there is none or it is Google's."""
    try:
        found = metadata.distribution("pycoral")
    except metadata.PackageNotFoundError:
        return ""
    names = {str(file) for file in found.files or ()}
    if any(name.startswith("pycoral/utils/edgetpu") for name in names):
        return ""
    return (
        f"the installed pycoral {found.version} is a tool for maps of coral reefs, not "
        "Google's: pip uninstall pycoral"
    )
