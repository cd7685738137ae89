"""Counting figures as a table for the documents, from the JSON that `evaluate` printed."""

from collections.abc import Sequence
from typing import Any

HEADS = (
    "recordings", "crossings", "precision", "recall", "WAPE",
    "plain library: precision", "recall",
)  # fmt: skip


def counts(parts: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """A Markdown table with a row for each named part: its figures, then the library's."""
    rows = [HEADS, ("---",) * len(HEADS), *(_row(name, figures) for name, figures in parts)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(name: str, figures: dict[str, Any]) -> tuple[str, ...]:
    beside = figures.get("library", {})
    return (
        name, str(figures["crossings"]), _share(figures, "crossing_precision"),
        _share(figures, "crossing_recall"), _percent(figures.get("wape")),
        _share(beside, "crossing_precision"), _share(beside, "crossing_recall"),
    )  # fmt: skip


def _share(figures: dict[str, Any], key: str) -> str:
    """A share with its 95 % interval; a dash where there is none."""
    if figures.get(key) is None:
        return "–"
    low, high = figures[f"{key}_interval"]
    return f"{figures[key]:.3f} ({low:.3f} … {high:.3f})"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
