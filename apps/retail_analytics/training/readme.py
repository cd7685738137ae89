"""The card of a person model for people, written from model.toml and results.json alone."""

from dataclasses import asdict
from typing import Any

from common.inference.bundle import ModelCard

LIMITS = (
    "One label, person. From a corner or the street the box is the body that is seen; from "
    'straight above it is head and shoulders, so give such a camera `anchor = "centre"` and '
    "`person_m = 0.5`.",
    "From straight above it was trained on drawn people only: no labelled colour pictures "
    "from above were at hand. Try it on your own camera before you trust it there.",
    "People who are small in the network's input are missed: see the café, whose far tables "
    "are most of what nobody finds. Hang cameras so that a person is a tenth of the height.",
    "The clips have no labels: there the two teachers, looking at larger pictures, are taken "
    "as the truth, and whom only one of them sees is left out. That measures agreement.",
    "The share of what was learned that is kept was chosen on the labelled pictures below; "
    "nothing at all was chosen on the clips.",
    "Times are of one machine shared with other work: compare them with each other only.",
)


def readme(card: ModelCard, results: dict[str, Any], recipe: dict[str, Any]) -> str:
    """Markdown."""
    parts = [f"# {card.name} {card.version}", ""]
    parts += ["Generated: change the recipe, not this file.", "", "| | |", "|---|---|"]
    parts += [f"| {k.replace('_', ' ')} | {v} |" for k, v in asdict(card.origin).items()]
    parts += [f"| licence of the weights | {card.licence}, from YOLOX-nano: see NOTICE |"]
    parts += [f"| recipe | {' · '.join(f'{k} {v}' for k, v in recipe.items())} |"]
    parts += ["", "## Limits", "", *(f"- {line}" for line in LIMITS)]
    parts += ["", "## Size and time", "", *_sizes(results)]
    for key, title in (
        ("ap50", "Average precision at IoU 0.5"),
        ("recall", "Recall at score 0.35"),
        ("precision", "Precision at score 0.35"),
    ):
        parts += ["", f"## {title}", "", *by_set(results, key)]
    return "\n".join(parts) + "\n"


def _sizes(results: dict[str, Any]) -> list[str]:
    rows = [
        [name, f"{found['bytes'] / 1e6:.2f}", f"{found['p50_ms']:g}"]
        for name, found in results.items()
    ]
    return _markdown(["network", "MB", "ms, median"], rows)


def by_set(results: dict[str, Any], key: str) -> list[str]:
    """One row per kind of picture, one column per network."""
    sets = next(iter(results.values()))["sets"]
    rows = [
        [name, str(first["pictures"]), str(first["people"])]
        + [f"{found['sets'][name][key]:g}" for found in results.values()]
        for name, first in sets.items()
    ]
    return _markdown(["pictures", "number", "people", *results], rows)


def _markdown(heads: list[str], rows: list[list[str]]) -> list[str]:
    line = "|".join("---" for _ in heads)
    return [f"| {' | '.join(heads)} |", f"|{line}|", *(f"| {' | '.join(r)} |" for r in rows)]
