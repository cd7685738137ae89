"""The alarm that every app has of the device it runs on: it slows itself down.

Each app's alarms.toml says what that costs there; its cause and what to do are everywhere
the same, and so are the words of its text.
"""

from collections.abc import Mapping
from typing import Any

HOST_THROTTLED = "host_throttled"


def throttled(host: Mapping[str, Any]) -> str:
    """The alarm's detail from the snapshot's `host`; empty when well, or when not told."""
    if not host.get("throttled"):
        return ""
    reasons = ", ".join(host.get("throttle_reasons") or ()) or "it says no more"
    degrees = host.get("temperature_c")
    return reasons if degrees is None else f"{reasons}; {degrees:.0f} °C"
