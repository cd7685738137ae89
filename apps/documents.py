"""Writes the generated parts of the READMEs: tables and figures come from code and JSON.

    python -m apps.documents            write them
    python -m apps.documents --check    exit 1 when text and source differ

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from apps import scorecard
from apps.model_bench import devices, distilled
from apps.openers import APPS
from apps.patient_monitoring import figures as ward_figures
from apps.predictive_maintenance.training import readme as maintenance_card
from apps.retail_analytics.evaluation import tables as retail_tables
from hardware.fieldbus.registers import markdown_table

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
VIBRATION = ROOT / "apps" / "predictive_maintenance" / "models" / "vibration"
MODELS = ROOT / "apps" / "defect_inspection" / "models"
DOCUMENTS = (
    ROOT / "README.md",
    *(ROOT / "apps" / app / "README.md" for app in APPS),
    *sorted((ROOT / "docs").glob("*.md")),
)
PART = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rewritten(text: str) -> str:
    """The text with every generated part made anew."""
    return PART.sub(lambda part: part[1] + SOURCES[part[2]]() + part[3], text)


def accuracy() -> str:
    """Detection and gate figures of each shipped model's artefacts."""
    rows = []
    for folder in sorted(path.parent for path in MODELS.glob("*/results.json")):
        results = json.loads((folder / "results.json").read_text())
        for split, artefacts in results.items():
            rows += [_accuracy_row(folder.name, split, a, f) for a, f in artefacts.items()]
    return _table(ACCURACY_HEADS, rows)


def other_products() -> str:
    """The same recipe on data of another kind: docs/figures/*-results.json."""
    rows = []
    for path in sorted(FIGURES.glob("*-results.json")):
        for split, artefacts in json.loads(path.read_text()).items():
            name = path.name.removesuffix("-results.json")
            rows += [_accuracy_row(name, split, a, f) for a, f in artefacts.items()]
    return _table(ACCURACY_HEADS, rows)


ACCURACY_HEADS = (
    "model", "data", "artefact", "pictures", "mAP 0.33", "mAP 0.5", "mAP 0.5–0.95", "best F",
    "escapes /1000", "false rejects /1000",
)  # fmt: skip
ACCURACY_KEYS = (
    "images", "map33", "map50", "map50_95", "best_f", "escapes_per_1000",
    "false_rejects_per_1000",
)  # fmt: skip


TIMES = ("ms", "p50", "p95", "p99")


def _accuracy_row(model: str, split: str, artefact: str, figures: dict[str, Any]) -> list[Any]:
    return [model, split, artefact, *(figures[key] for key in ACCURACY_KEYS)]


def speed() -> str:
    """`lineside bench defect_inspection --json`, as docs/figures/bench.json keeps it."""
    bench = json.loads((FIGURES / "bench.json").read_text())
    keys = ("pipeline_ms", "runtime_ms", "frame_to_reject_ms")
    rows = [[key, *(bench[key][p] for p in ("p50", "p95", "p99"))] for key in keys]
    rows += [[f"step {name}", *values.values()] for name, values in bench["steps"].items()]
    ratios = (
        "overhead_ratio", "loaded_overhead_ratio", "ultralytics_same_ratio",
        "ultralytics_default_ratio", "startup_s", "rss_mb",
    )  # fmt: skip
    figures = [[key, bench[key]] for key in ratios]
    where = f"Measured on {bench['machine']['cores']} cores of {bench['machine']['cpu']}, "
    where += f"{bench['runtime']}.\n\n"
    times = _table(TIMES, rows)
    return where + times + "\n" + _table(("figure", "value"), figures)


def chaos() -> str:
    """`lineside chaos --json`, as docs/figures/chaos.json keeps it."""
    found = json.loads((FIGURES / "chaos.json").read_text())
    names = (
        "kills", "accepted", "stored", "queued", "dropped_counted", "lost",
        "duplicates_stored",
    )  # fmt: skip
    kills = _table(names, [[found[name] for name in names]])
    cuts = [
        [setting, *(counts[name] for name in ("cuts", "accepted", "lost", "corrupt"))]
        for setting, counts in found["power_cuts"].items()
    ]
    heads = ("power cuts with", "cuts", "accepted events", "lost", "files corrupt")
    return f"Seed {found['seed']}.\n\n{kills}\n{_table(heads, cuts)}"


def bench(name: str) -> str:
    """What a `lineside bench … --json` said, as docs/figures/<name>.json keeps it."""
    found = _figures(name)
    machine = found.pop("machine")
    said = f"`{found.pop('command')}` at commit {found.pop('commit')}, "
    said += f"{machine['cores']} cores of {machine['cpu']}.\n\n"
    return said + _table(("figure", "value"), [[key, value] for key, value in _flat(found)])


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in table.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{name}: ")
        else:
            found.append((prefix + name, value))
    return found


def _table(heads: tuple[str, ...], rows: list[list[Any]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def maintenance() -> str:
    """What `lineside train` measured of the shipped network, as its results.json keeps it."""
    results = json.loads((VIBRATION / "results.json").read_text())
    return maintenance_card.figures(results, "###")


def shop_speed() -> str:
    """`lineside bench retail_analytics --json`, as docs/figures/retail-bench.json keeps it."""
    found = _figures("retail-bench")
    shop, memory = found["shop"], found["shop"]["memory"]
    times = {key: found[key] for key in ("pipeline_ms", "runtime_ms", "beside_model_ms")}
    times |= {f"step {name}": values for name, values in found["steps"].items()}
    rows = [[name, *(of[p] for p in ("p50", "p95", "p99"))] for name, of in times.items()]
    low, high = memory["growth_95_mb_per_h"]
    shipped = found["as_shipped"]
    figures = [
        ["as shipped: pictures under way at once", shipped["depth"]],
        ["as shipped, per picture: bare runtime, ms", shipped["runtime_ms"]["p50"]],
        ["as shipped, per picture: pipeline, ms", shipped["pipeline_ms"]["p50"]],
        ["as shipped, per picture: pipeline over the bare runtime, ms", shipped["overhead_ms"]],
        ["one at a time: pipeline over the bare runtime call, ms", found["overhead_ms"]],
        ["one at a time: pipeline / bare runtime call", found["overhead_ratio"]],
        ["pictures in the shop, and dropped", f"{shop['pictures']}, {shop['dropped']}"],
        ["share of the processor", shop["cpu_share"]],
        ["memory, MB", memory["rss_mb"]],
        ["its growth, MB per hour (95 %)",
         f"{memory['growth_mb_per_h']:g} ({low:g} … {high:g})"],
        *([f"saved by running on motion only, {name} shop", of["saved_share"]]
          for name, of in found["duty"].items()),
        ["two under way / one, pictures a second", found["depths"]["depth_2_throughput_ratio"]],
        ["three under way / one, pictures a second",
         found["depths"]["depth_3_throughput_ratio"]],
    ]  # fmt: skip
    said = f"`{found['command']}` at commit {found['commit']}, {found['runtime']}, "
    said += f"{found['machine']['cores']} cores of {found['machine']['cpu']}.\n\n"
    return f"{said}{_table(TIMES, rows)}\n{_table(('figure', 'value'), figures)}"


def shop_counts() -> str:
    """What `lineside evaluate retail_analytics --json` said of each kind of recordings."""
    found = _figures("retail-tracks")
    tracks, beyond = found["by_line"], found["beyond_band"]["by_line"]
    return retail_tables.counts([
        ("three real clips, INT8 on OpenVINO, which `auto` took", _figures("retail-clips")),
        ("the same, in float on ONNX Runtime", _figures("retail-clips-float")),
        ("the same, YOLOX-nano at 416 px", _figures("retail-clips-yolox")),
        ("simulated shops", _figures("retail-shops")),
        ("simulated shops, people hiding each other", _figures("retail-hiding")),
        ("published trajectories, lines across the way, to the centimetre", tracks["across"]),
        ("the same, by the definition", beyond["across"]),
        ("published trajectories, lines people walk along, to the centimetre", tracks["along"]),
        ("the same, by the definition", beyond["along"]),
    ])  # fmt: skip


SOURCES: dict[str, Callable[[], str]] = {
    "accuracy": accuracy,
    "chaos": chaos,
    "device-files": devices.artefacts,
    "devices-measured": devices.measured,
    "distillation": distilled.table,
    "maintenance": maintenance,
    "other-products": other_products,
    "retail-bench": shop_speed,
    "retail-counts": shop_counts,
    "registers": lambda: markdown_table().rstrip() + "\n",
    "scorecard": lambda: _table(scorecard.HEADS, scorecard.rows()),
    "speed": speed,
    "maintenance-bench": partial(bench, "maintenance-bench"),
    "screen-bench": partial(bench, "screen-bench"),
    "screen-soak": partial(bench, "screen-soak"),
    "telemetry": partial(bench, "telemetry"),
    "ward-accuracy": lambda: ward_figures.accuracy(_figures("ward-accuracy")),
    "ward-bench": lambda: ward_figures.speed(_figures("ward-bench")),
    "ward-burden": lambda: ward_figures.burden(_figures("ward-burden")),
}


def _figures(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FIGURES / f"{name}.json").read_text())
    return found


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    stale = []
    for document in DOCUMENTS:
        text = document.read_text()
        new = rewritten(text)
        if new != text:
            stale.append(document)
            if "--check" not in arguments:
                document.write_text(new)
    for document in stale:
        print(f"{document.relative_to(ROOT)}: generated parts were out of date")  # noqa: T201
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
