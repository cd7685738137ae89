"""Reports of several devices as one: what an integrator ran there and sent here."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from apps.model_bench.bench import SCHEMA
from common.errors import ConfigError

NEEDED = ("schema", "time", "device", "model", "rows", "best")


def merged(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """The newest report of each device and model; raises ConfigError on a file that is none."""
    newest: dict[tuple[str, ...], dict[str, Any]] = {}
    for report in sorted(map(read, paths), key=lambda report: report["time"]):
        newest[_about(report)] = report
    return [newest[key] for key in sorted(newest)]


def read(path: Path) -> dict[str, Any]:
    """One report."""
    try:
        report = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise ConfigError(f"{path}: is no report of `lineside bench --model` ({SCHEMA})")
    if lacking := [key for key in NEEDED if key not in report]:
        raise ConfigError(f"{path}: lacks {', '.join(lacking)}")
    return report


def _about(report: dict[str, Any]) -> tuple[str, ...]:
    device, model = report["device"], report["model"]
    return (device["model"], device["cpu"], str(device["cores"]), model["name"],
            str(model.get("version") or model.get("sha256")))  # fmt: skip
