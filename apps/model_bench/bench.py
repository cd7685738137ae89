"""Measures each candidate in a process of its own and names the best for this device."""

import json
import platform
import signal
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.measured import commit
from apps.model_bench.candidates import Candidate, candidates
from apps.model_bench.overhead import IDLE_CALLS, hand_over_ms
from apps.model_bench.report import three_digits
from common.errors import ConfigError
from common.inference.benchmark import machine
from common.inference.bundle import open_bundle, sha256
from hardware.host import HostMonitor

SCHEMA = "lineside.model-bench.v1"
SECONDS, QUICK_SECONDS = 5.0, 0.5
QUICK_CALLS = 50
SLOWEST_S, BUILDING_S = 180.0, 1800.0
"""For one candidate; TensorRT may build its engine first."""
WORSE_BY = 0.02
"""Of the best mAP: what a faster file may lose and still be best for this device."""


def run(
    model: Path, runtimes: Iterable[str] = (), data: Path | None = None, *, quick: bool = False
) -> dict[str, Any]:
    """The report of one model on this device; raises ConfigError, BundleError."""
    seconds, tried = QUICK_SECONDS if quick else SECONDS, candidates(model, runtimes)
    if data is not None:
        _require_judgeable(model, data)
    rows = [_row(found, seconds, data) for found in tried]
    return {
        "schema": SCHEMA,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "device": device(),
        "model": _model(model),
        "data": data.name if data else None,
        "hand_over_ms": hand_over_ms(QUICK_CALLS if quick else IDLE_CALLS),
        "rows": rows,
        "best": best(rows),
    }


def _require_judgeable(model: Path, data: Path) -> None:
    """Raises ConfigError where these pictures tell nothing of the model."""
    if not model.is_dir():
        raise ConfigError(
            f"{model}: has no card that says what it finds: --data is for bundles"
        )
    from apps.model_bench.accuracy import labelled  # noqa: PLC0415 - needs OpenCV

    labelled(open_bundle(model).card, data)


def device(root: Path = Path("/")) -> dict[str, Any]:
    """What it was measured on, without a name of the owner's."""
    now = HostMonitor(root).read()
    return {
        "model": _board(root),
        **machine(),
        "memory_mb": None if now.memory_total_mb is None else round(now.memory_total_mb),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load_1m": now.load_1m,
        "temperature_c": now.temperature_c,
    }


def best(rows: list[dict[str, Any]]) -> dict[str, str] | None:
    """The fastest that sees enough, and why it is that one; None when nothing runs."""
    running = [row for row in rows if row["runs"]]
    if not running:
        return None
    known = [row for row in running if _map(row) is not None]
    limit = max((_map(row) or 0.0 for row in known), default=0.0) * (1 - WORSE_BY)
    fit = [row for row in known if (_map(row) or 0.0) >= limit] if known else running
    first, *others = sorted(fit, key=_p50)
    reason = f"{three_digits(_p50(first))} ms at the median"
    if others:
        reason += f", {_p50(others[0]) / _p50(first):.1f} × as fast as {others[0]['label']}"
    if known:
        reason += f", mAP {_map(first):.3f}"
        lost = [row["label"] for row in known if row not in fit]
        reason += f"; sees too little: {', '.join(lost)}" if lost else ""
    else:
        reason += "; accuracy was not measured (--data)"
    return {"label": first["label"], "reason": reason}


def _p50(row: dict[str, Any]) -> float:
    return float(row["steady_ms"]["p50"])


def _map(row: dict[str, Any]) -> float | None:
    found = row.get("accuracy") or {}
    return found.get("map50")


def _row(candidate: Candidate, seconds: float, data: Path | None) -> dict[str, Any]:
    """What the process says; its death is an answer too."""
    work = candidate.table() | {
        "seconds": seconds,
        "overhead": ":" not in candidate.runtime,
        "data": str(data.absolute()) if data else "",
    }
    limit_s = BUILDING_S if candidate.runtime == "tensorrt" else SLOWEST_S
    label = {"label": candidate.label, "file": Path(candidate.file).name, "runs": False}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "apps.model_bench.one"], input=json.dumps(work), text=True,
            capture_output=True, check=False, timeout=limit_s,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {**label, "why_not": f"gave no figures within {limit_s:g} s"}
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return {**label, "why_not": f"its process died of {name}"}
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        return {**label, "why_not": said[-1]}
    row: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return row


def _model(path: Path) -> dict[str, Any]:
    if path.is_dir():
        card = open_bundle(path).card
        return {"name": card.name, "version": card.version, "task": card.task}
    return {"name": path.name, "sha256": sha256(path)}


def _board(root: Path) -> str:
    """The maker's name of the device, where it has one."""
    for name in ("proc/device-tree/model", "sys/devices/virtual/dmi/id/product_name"):
        try:
            text = (root / name).read_text("utf-8", "replace").strip("\0\n ")
        except OSError:
            continue
        if text:
            return text
    return "unknown"
