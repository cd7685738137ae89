"""What runtimes say when they cannot: one line each, whatever the vendor's library wrote."""

from common.errors import RuntimeFailure


class DeviceLost(RuntimeFailure):
    """The accelerator is gone or stuck: only opening it anew can help."""


def one_line(error: BaseException) -> str:
    """A vendor's error without its line breaks; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def last_line(error: BaseException) -> str:
    """Its last line: for libraries whose first lines name places in their own source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
