"""Aims beside what was measured: one table of the README, aims not reached included.

Every figure is read from JSON that a command of ours has written; none is typed here.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.model_bench.report import most

ROOT = Path(__file__).parents[1]
INSPECTION = "apps/defect_inspection/models/pcb/results.json"
VIBRATION = "apps/predictive_maintenance/models/vibration/results.json"
HEADS = ("part", "figure", "aim", "measured", "")
LESS, MORE = "≤", "≥"


@dataclass(frozen=True)
class Aim:
    """One figure and its bound."""

    part: str
    what: str
    sign: str
    bound: float
    file: str
    """Of docs/figures, without its ending; with a slash: from the root."""
    read: Callable[[Any], float]
    unit: str = ""

    def row(self) -> list[str]:
        """A line of the table; KeyError where the command has not said the figure."""
        path = self.file if "/" in self.file else f"docs/figures/{self.file}.json"
        figure = self.read(json.loads((ROOT / path).read_text("utf-8")))
        reached = figure <= self.bound if self.sign == LESS else figure >= self.bound
        return [
            self.part,
            self.what,
            f"{self.sign} {self.bound:,g}{self.unit}",
            f"{figure:,.4g}{self.unit}",
            "reached" if reached else "**not reached**",
        ]


def at(*keys: str) -> Callable[[Any], float]:
    """Reads what stands under `keys`, one within the other."""

    def read(found: Any) -> float:
        for key in keys:
            found = found[key]
        return float(found)

    return read


def _held_out(key: str) -> Callable[[Any], float]:
    return at("held-out", "openvino/int8", key)


def _int8_loss(found: Any) -> float:
    """Points of mAP that the worst INT8 file loses to the float one."""
    by = {name: row["map50_95"] for name, row in found["held-out"].items()}
    worst = min(figure for name, figure in by.items() if name.endswith("/int8"))
    return float(100 * (by["onnxruntime/fp32"] - worst))


def _method(name: str, key: str) -> Callable[[Any], float]:
    return at("methods", name, key)


def _wape(found: Any) -> float:
    return float(100 * found["wape"])


def _above_news2(found: Any) -> float:
    return _method("model", "auroc")(found) - _method("news2", "auroc")(found)


def _more_sensitive(found: Any) -> float:
    key = "sensitivity_at_news2_alarm_rate"
    return _method("model", key)(found) / _method("news2", key)(found)


def _own_process(found: Any) -> float:
    return most(found, "own_process")


def _wrapper_percent(found: Any) -> float:
    measured = [row for row in found["rows"] if row["runs"]]
    shares = [row["overhead_ms"]["wrapper"] / row["steady_ms"]["p50"] for row in measured]
    return float(100 * max(shares))


LINE, PLANT = "defect inspection", "predictive maintenance"
SHOP, WARD = "retail analytics", "patient monitoring"
TELEMETRY, SCREENS, DEVICES = "telemetry", "screens", "any device"
BENCH, MACHINES, CHARTS = "bench", "maintenance-bench", "ward-accuracy"
CLIPS = "retail-clips"
AIMS = (
    Aim(LINE, "boards of known groups, mAP 0.33", MORE, 0.986, INSPECTION, _held_out("map33")),
    Aim(LINE, "boards of known groups, best F", MORE, 0.982, INSPECTION, _held_out("best_f")),
    Aim(LINE, "boards of an unseen group, mAP 0.33", MORE, 0.986, INSPECTION,
        at("val", "openvino/int8", "map33")),
    Aim(LINE, "INT8 loses of mAP 0.5–0.95, at most", LESS, 0.5, INSPECTION, _int8_loss,
        " points"),
    Aim(LINE, "pipeline / bare runtime call", LESS, 1.1, BENCH, at("overhead_ratio")),
    Aim(LINE, "the same, both cores busy", LESS, 1.5, BENCH, at("loaded_overhead_ratio")),
    Aim(LINE, "pipeline / Ultralytics, same file", LESS, 1, BENCH,
        at("ultralytics_same_ratio")),
    Aim(LINE, "pipeline / Ultralytics on ONNX", LESS, 0.5, BENCH,
        at("ultralytics_default_ratio")),
    Aim(LINE, "frame → reject word in the PLC, p99", LESS, 50, BENCH,
        at("frame_to_reject_ms", "p99"), " ms"),
    Aim(PLANT, "labelled recordings, AUROC", MORE, 0.97, VIBRATION,
        at("uestc", "uestc", "methods", "fused", "auroc")),
    Aim(PLANT, "share of its life left at the alarm, median", MORE, 0.3, VIBRATION,
        at("femto", "femto", "median_lead_fraction")),
    Aim(PLANT, "false alarms per machine-week", LESS, 1, VIBRATION,
        at("femto", "femto", "false_alarms_per_machine_week")),
    Aim(PLANT, "machines in real time on one core", MORE, 100, MACHINES,
        at("machines_realtime_one_core")),
    Aim(PLANT, "cost / its bare FFTs and model calls", LESS, 2, MACHINES,
        at("cost_ratio_bare")),
    Aim(SHOP, "real clips, crossings found", MORE, 0.95, CLIPS, at("crossing_recall")),
    Aim(SHOP, "real clips, crossings that were", MORE, 0.95, CLIPS, at("crossing_precision")),
    Aim(SHOP, "the same by the float file, that were", MORE, 0.95, "retail-clips-float",
        at("crossing_precision")),
    Aim(SHOP, "the same with YOLOX-nano's boxes, found", MORE, 0.95, "retail-clips-yolox",
        at("crossing_recall")),
    Aim(SHOP, "real clips, counts too many and too few (WAPE)", LESS, 5, CLIPS, _wape, " %"),
    Aim(SHOP, "simulated shops, crossings found", MORE, 0.98, "retail-shops",
        at("crossing_recall")),
    Aim(SHOP, "simulated shops, people hiding each other, found", MORE, 0.98, "retail-hiding",
        at("crossing_recall")),
    Aim(SHOP, "real trajectories across a line, beyond its band, found", MORE, 0.98,
        "retail-tracks", at("beyond_band", "by_line", "across", "crossing_recall")),
    Aim(SHOP, "real trajectories along a line, beyond its band, found", MORE, 0.98,
        "retail-tracks", at("beyond_band", "by_line", "along", "crossing_recall")),
    Aim(SHOP, "four cameras at 15/s, pictures dropped", LESS, 0, "retail-bench",
        at("shop", "dropped")),
    Aim(SHOP, "everything but the model, per picture, p50", LESS, 1.5, "retail-bench",
        at("beside_model_ms", "p50"), " ms"),
    Aim(SHOP, "pipeline over the bare runtime, as shipped, per picture", LESS, 1.5,
        "retail-bench", at("as_shipped", "overhead_ms"), " ms"),
    Aim(SHOP, "the same, one picture at a time", LESS, 1.5, "retail-bench",
        at("overhead_ms"), " ms"),
    Aim(WARD, "patients held out, AUROC above NEWS2's", MORE, 0.05, CHARTS, _above_news2),
    Aim(WARD, "sensitivity / NEWS2's, equally many alarms", MORE, 1.2, CHARTS,
        _more_sensitive),
    Aim(WARD, "fewer alarms than plain limits", MORE, 70, "ward-burden", at("fewer_percent"),
        " %"),
    Aim(WARD, "4,000 patients: on the wire → alarm visible, p99", LESS, 1000, "ward-bench",
        at("wire_to_visible_ms", "p99"), " ms"),
    Aim(TELEMETRY, "accepted events lost in 1,000 kills", LESS, 0, "chaos", at("lost")),
    Aim(TELEMETRY, "durable enqueue / raw SQLite", MORE, 0.5, TELEMETRY,
        at("enqueue_ratio_raw_sqlite")),
    Aim(TELEMETRY, "drain / bare MQTT loop", MORE, 5, TELEMETRY,
        at("drain_ratio_bare_paho", "loopback")),
    Aim(TELEMETRY, "collector / bare COPY", MORE, 0.5, TELEMETRY, at("collector_ratio_bare")),
    Aim(TELEMETRY, "on the wire, per event", LESS, 80, TELEMETRY, at("wire_bytes_per_event"),
        " B"),
    Aim(TELEMETRY, "live event beside a week's backlog, p99", LESS, 2, TELEMETRY,
        at("backlog", "live_s", "p99"), " s"),
    Aim(SCREENS, "event → painted in a browser, p95", LESS, 1500, "screen-bench",
        at("event_to_visible_ms", "p95"), " ms"),
    Aim(SCREENS, "a page opened beside ten open ones, at most", LESS, 3, "screen-bench",
        at("ten_browsers", "ready_s", "most"), " s"),
    Aim(SCREENS, "server with one open overview", LESS, 0.15, "screen-bench",
        at("server_cpu_share"), " cores"),
    Aim(SCREENS, "server's memory, an overview left open", LESS, 5, "screen-soak",
        at("memory", "server_mb_per_h"), " MB/h"),
    Aim(DEVICES, "our wrapper, share of a call, at most", LESS, 3, "models-pcb",
        _wrapper_percent, " %"),
    Aim(DEVICES, "a process of its own, 640×640×3 there and boxes back", LESS, 0.5,
        "models-pcb", at("hand_over_ms", "p50"), " ms"),
    Aim(DEVICES, "the same around a network, which empties the caches", LESS, 0.5, "models-pcb",
        _own_process, " ms"),
)  # fmt: skip


def rows() -> list[list[str]]:
    """All aims with their figures."""
    return [aim.row() for aim in AIMS]
