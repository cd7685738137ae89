"""What every station tells of itself: its device, its store, its ways out.

Each app's alarms.toml says what that costs there; its cause and what to do are everywhere
nearly the same, and so are the words of its detail.
"""

from collections.abc import Mapping
from typing import Any

from common.alarms.limits import Limit, passed
from common.store import Store
from common.telemetry.outbox import MQTT, WEBHOOK

HOST_THROTTLED, DISK_LOW = "host_throttled", "disk_low"
STORE_FAILING, UPLINK_OFFLINE = "store_failing", "uplink_offline"
ALL = (HOST_THROTTLED, DISK_LOW, STORE_FAILING, UPLINK_OFFLINE)
FREE_DISK_MB = Limit(500.0, "low", deadband=100.0)


def well() -> dict[str, str]:
    """None of them is active."""
    return dict.fromkeys(ALL, "")


class Diagnostics:
    """Reads those alarms off; remembers what a deadband needs."""

    def __init__(self, store: Store) -> None:
        self._store, self._disk_low = store, False

    def details(self, host: Mapping[str, Any], link: Mapping[str, Any]) -> dict[str, str]:
        """Alarm id → detail, empty where all is well.

        `host` and `link` are those of the snapshot: the device, and each way out's state.
        """
        return {
            HOST_THROTTLED: throttled(host),
            DISK_LOW: self._disk(host.get("disk_free_mb")),
            STORE_FAILING: _store(self._store),
            UPLINK_OFFLINE: offline(link),
        }

    def _disk(self, free_mb: float | None) -> str:
        self._disk_low = passed(FREE_DISK_MB, free_mb, self._disk_low)
        if not self._disk_low:
            return ""
        if free_mb is None:
            return "how much is free is no longer told"
        about = round(free_mb, -1)  # tens: a changed detail is told anew
        return f"{about:.0f} MB are free, {FREE_DISK_MB.value:.0f} are needed"


def throttled(host: Mapping[str, Any]) -> str:
    """Why the device slows itself down; empty when well, or when not told."""
    if not host.get("throttled"):
        return ""
    reasons = ", ".join(host.get("throttle_reasons") or ()) or "it says no more"
    degrees = host.get("temperature_c")
    return reasons if degrees is None else f"{reasons}; {degrees:.0f} °C"


def offline(link: Mapping[str, Any]) -> str:
    """Why events do not arrive; a webhook that has nothing to post does not know.

    A broker may be there and refuse them, or its collector confirm none.
    """
    broker, mes = link.get(MQTT, {}), link.get(WEBHOOK, {})
    wrong = {
        MQTT: broker.get("state") == "offline" or broker.get("reason"),
        WEBHOOK: mes.get("state") == "offline" and mes.get("queued"),
    }
    return "; ".join(f"{name}: {link[name].get('reason', '')}" for name in wrong if wrong[name])


def _store(store: Store) -> str:
    if store.suspected:
        return f"the file is damaged; a restart replaces it ({store.suspected})"
    if not store.healthy:
        return str(store.last_error)
    if store.replaced:
        return f"the file was damaged and is kept as {store.replaced.name}"
    return ""
