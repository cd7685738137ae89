"""How far this device's wall time may be trusted: what the kernel itself says of its clock.

Whoever keeps the clock in step (timesyncd, chrony, ntpd, phc2sys) tells the kernel so, and
the kernel takes it back when nothing has been heard for long. Reading it takes no root, and
microseconds: it is asked for every event.
"""

import ctypes
import os
from functools import cache

NTP, UNSYNCED, UNKNOWN = "ntp", "unsynced", "unknown"
_STA_UNSYNC, _FAILED = 0x0040, -1


class _Timex(ctypes.Structure):
    """The kernel's `struct timex`, as far as it is read; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),  # 0: change nothing
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 40),
    )


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def kernel_status() -> int:
    """The status bits of the kernel's clock; raises OSError where they cannot be had."""
    adjtimex = getattr(_library(), "adjtimex", None)
    if adjtimex is None:
        raise OSError("the C library has no adjtimex")
    told = _Timex()
    if adjtimex(ctypes.byref(told)) == _FAILED:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(told.status)


def clock_quality() -> str:
    """What events say of it: NTP where anything keeps the clock in step, also PTP."""
    try:
        status = kernel_status()
    except OSError:
        return UNKNOWN
    return UNSYNCED if status & _STA_UNSYNC else NTP
