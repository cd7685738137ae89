"""What each app shows in the demo: the first sign that it works, and its figures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.defect_inspection.config import Settings as Inspection
from common.clock import SystemClock
from hardware.virtual_plc import SimulatorControl

BEHIND_THE_LINE = ("nice", "-n", "15")
"""Who shares a machine with the line must not slow it."""
SEEING = ("good", "slow")
"""States of a camera that sees; "slow" is what a busy machine makes of one, and it is said."""
State = dict[str, Any]
"""What a station says of itself under /state."""


@dataclass(frozen=True)
class Show:
    """One app of the demo."""

    sign: str
    """What is waited for, in words."""
    seen: Callable[[State], bool]
    figures: Callable[[Any, State], dict[str, Any]]
    """From settings and state; "passed" says whether it did what it must."""
    with_broker: Callable[[int], list[str]] = lambda port: []  # noqa: ARG005
    """Changes of the settings where there is a broker at this port."""
    before: tuple[str, ...] = ()
    """Of the command that starts the station."""


def _inspection(settings: Inspection, state: State) -> dict[str, Any]:
    """What PLC and station counted, each for itself."""
    options = settings.plc.options
    control = SimulatorControl(
        str(options.get("host", "127.0.0.1")), int(options.get("port", 5020)), SystemClock(),
        word_order=str(options.get("word_order", "CDAB")),
    )  # fmt: skip
    counters = control.counters()
    control.close()
    safe = not counters.passed_without_pass and not counters.unaccounted
    return {
        "parts": counters.parts_total,
        "passed_parts": counters.passed,
        "rejected": counters.rejected,
        "passed_without_pass": counters.passed_without_pass,
        "unaccounted": counters.unaccounted,
        "late_verdicts": counters.late_verdicts,
        "recorded": state["counts"]["parts"],
        "latency_ms": state["latency_ms"].get("total", {}),
        "passed": bool(safe and counters.rejected),
    }


def _proof_of_reject(state: State) -> bool:
    counts = state.get("counts", {})
    return bool(counts.get("reject") and counts["confirmed"])


def _maintenance(settings: Any, state: State) -> dict[str, Any]:
    """What was measured, judged and ordered."""
    del settings
    counts = state["counts"]
    judged = [machine for machine in state["machines"] if machine["verdict"] != "unknown"]
    return {
        "machines": counts["machines"],
        "machines_judged": len(judged),
        "machines_not_well": sum(machine["verdict"] != "run" for machine in judged),
        "open_orders": counts["open_orders"],
        "readings_dropped": state["sensing"]["dropped"],
        "latency_ms": state["latency_ms"].get("total", {}),
        "passed": len(judged) == counts["machines"] and not state["sensing"]["dropped"],
    }


def _all_judged(state: State) -> bool:
    machines = state.get("machines", [])
    return bool(machines) and all(machine["verdict"] != "unknown" for machine in machines)


def _retail(settings: Any, state: State) -> dict[str, Any]:
    """Cameras, and whether they are looked at: counts are told by the interval alone."""
    del settings
    cameras, counts = state["cameras"], state["counts"]
    seen = [camera["name"] for camera in cameras if camera["state"] in SEEING]
    return {
        "cameras": len(cameras),
        "cameras_seen": len(seen),
        "pictures": counts["frames"],
        "dropped": counts["dropped"],
        "intervals": counts["intervals"],
        "latency_ms": state["latency_ms"].get("total", {}),
        "passed": len(seen) == len(cameras) and not counts["intervals_refused"],
    }


def _shop_seen(state: State) -> bool:
    cameras = state.get("cameras", [])
    return bool(cameras) and all(camera["state"] in SEEING for camera in cameras)


def _ward(settings: Any, state: State) -> dict[str, Any]:
    """What the gateway heard, refused and called for."""
    del settings
    counts, beds = state["counts"], state["beds"]
    called = [tile["bed"] for tile in beds if tile["priority"] != "NONE"]
    return {
        "patients": state["ward"]["occupied"],
        "messages": counts["messages"],
        "refused": counts["refused"],
        "beats_missed": counts["beats_missed"],
        "beds_called_for": len(called),
        "complete_scores": sum(bool(t["score"] and t["score"]["complete"]) for t in beds),
        "latency_ms": state["latency_ms"].get("total", {}),
        "passed": bool(counts["messages"] and called and not state["refused"]),
    }


def _nurse_called(state: State) -> bool:
    return any(tile["priority"] != "NONE" for tile in state.get("beds", ()))


def _wearables(port: int) -> list[str]:
    return ["wearables.backend=mqtt", f"wearables.options.port={port}"]


SHOWS = {
    "defect_inspection": Show("first rejected part", _proof_of_reject, _inspection),
    "predictive_maintenance": Show("verdict on every machine", _all_judged, _maintenance),
    "retail_analytics": Show(
        "every camera sees the shop", _shop_seen, _retail, before=BEHIND_THE_LINE
    ),
    "patient_monitoring": Show("first nurse call", _nurse_called, _ward, _wearables),
}
