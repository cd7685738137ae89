"""Before and after distillation as a table for documents: all of it from results.json."""

import json
from pathlib import Path
from typing import Any

MODELS = Path(__file__).parents[1] / "retail_analytics" / "models"
BUNDLES = ("person", "person-coral")


def table(models: Path = MODELS) -> str:
    """One row for each network: size, time, and how well it finds people in each set."""
    rows: dict[str, dict[str, Any]] = {}
    for bundle in BUNDLES:
        path = models / bundle / "results.json"
        if path.is_file():
            rows |= json.loads(path.read_text("utf-8"))
    sets = list(dict.fromkeys(name for row in rows.values() for name in row["sets"]))
    heads = ["network", "MB", "ms, median", *sets]
    lines = [f"| {' | '.join(heads)} |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    for name, row in rows.items():
        found = [_ap(row["sets"].get(one)) for one in sets]
        cells = [name, f"{row['bytes'] / 1e6:.2f}", f"{row['p50_ms']:.1f}", *found]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _ap(figures: dict[str, Any] | None) -> str:
    return "–" if figures is None or figures["ap50"] is None else f"{figures['ap50']:.3f}"
