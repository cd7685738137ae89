"""What the kernel says of its clock, and what is made of it."""

import ctypes

import pytest

from hardware import host_clock
from hardware.host_clock import clock_quality, kernel_status

PLL, UNSYNC, NANO = 0x0001, 0x0040, 0x2000


class Library:
    """A C library whose kernel says `status`, or fails."""

    def __init__(self, status: int, answer: int = 0) -> None:
        self._status, self._answer = status, answer

    def adjtimex(self, timex) -> int:
        assert timex._obj.modes == 0, "it must change nothing"
        timex._obj.status = self._status
        return self._answer


@pytest.mark.parametrize(
    ("library", "quality"),
    [
        (Library(PLL | NANO), "ntp"),
        (Library(PLL | NANO | UNSYNC, answer=5), "unsynced"),
        (Library(0, answer=-1), "unknown"),
        (object(), "unknown"),
    ],
    ids=["in step", "free", "forbidden", "another system"],
)
def test_what_events_say_of_the_clock(monkeypatch, library, quality):
    monkeypatch.setattr(host_clock, "_library", lambda: library)
    assert clock_quality() == quality


def test_the_real_kernel_is_read_at_the_right_place():
    try:
        status = kernel_status()
    except OSError as error:
        pytest.skip(f"the kernel does not tell: {error}")
    size = ctypes.sizeof(ctypes.c_long)
    assert 0 <= status < 1 << 16
    assert host_clock._Timex.status.offset == 5 * size
    assert clock_quality() == ("unsynced" if status & UNSYNC else "ntp")
