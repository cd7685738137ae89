"""The card for people, written from model.toml and results.json alone."""

from dataclasses import asdict
from typing import Any

from apps.predictive_maintenance.evaluation.offline import METHODS
from apps.predictive_maintenance.training.train import Recipe
from common.inference.bundle import Bundle

Figures = dict[str, Any]


def readme(bundle: Bundle, results: dict[str, dict[str, Figures]], recipe: Recipe) -> str:
    """Origin, figures per folder, and whether the network earns its place."""
    card = bundle.card
    note = "Generated: change the recipe, not this file."
    parts = [f"# {card.name} {card.version}", "", note, "", "| | |", "|---|---|"]
    parts += [f"| {k.replace('_', ' ')} | {v} |" for k, v in asdict(card.origin).items()]
    parts += [f"| licence of the weights | {card.licence} |"]
    parts += [f"| recipe | {' · '.join(f'{k} {v}' for k, v in asdict(recipe).items())} |"]
    for place, found in results.items():
        parts += ["", f"## On {place}", "", *_place(found)]
    everything = [figures for found in results.values() for figures in found.values()]
    return "\n".join([*parts, "", *_worth(everything), *_weeks(everything)]) + "\n"


def _place(found: dict[str, Figures]) -> list[str]:
    rows = [[name, *(_cell(_auroc(f, m)) for m in METHODS)] for name, f in found.items()]
    area = _table(["never seen", *METHODS], rows)
    if next(iter(found.values()))["form"] == "labelled":
        return ["AUROC, mean of the faulty bearings:", "", *area]
    leads = [
        [name, *(_share(_lead(f, m)) for m in METHODS), str(f["runs"][0]["false_alarms"])]
        for name, f in found.items()
    ]
    return [
        "Share of the run that was left when the first alarm was confirmed:", "",
        *_table(["never seen", *METHODS, "false alarms"], leads), "",
        "AUROC, healthy time not learned from against the time after the onset:", "",
        *area,
    ]  # fmt: skip


def _worth(everything: list[Figures]) -> list[str]:
    """Network against PCA, in words that follow from the figures."""
    areas = [(_auroc(f, "lstm"), _auroc(f, "pca")) for f in everything]
    leads = [
        (_lead(f, "lstm") or 0.0, _lead(f, "pca") or 0.0)
        for f in everything
        if f["form"] == "runs"
    ]
    return [
        "## Network or PCA?",
        "",
        f"By AUROC the network {_compared(areas)} PCA on the same features; by the lead in "
        f"runs to failure it {_compared(leads)} PCA.",
        "Its advice alone never asks for more than WATCH.",
    ]  # fmt: skip


def _compared(pairs: list[tuple[float | None, float | None]]) -> str:
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    more, less = sum(a > b for a, b in known), sum(a < b for a, b in known)
    word = "beats" if more > less else "does not beat"
    return f"{word} (better on {more}, worse on {less}, equal on {len(known) - more - less})"


def _weeks(everything: list[Figures]) -> list[str]:
    watched = next((f for f in everything if "simulated" in f), None)
    if watched is None:
        return []
    rates = [watched["methods"][m]["false_alarms_per_machine_week"] for m in METHODS]
    weeks = watched["simulated"]["machine_weeks"]
    return [
        "", "## False alarms", "",
        f"Per machine-week, over {weeks:g} simulated machine-weeks of changing speed and "
        "load:", "", *_table(list(METHODS), [[_cell(rate) for rate in rates]]),
    ]  # fmt: skip


def _auroc(figures: Figures, method: str) -> float | None:
    value: float | None = figures["methods"][method]["auroc"]
    return value


def _lead(figures: Figures, method: str) -> float | None:
    value: float | None = figures["runs"][0]["lead_fraction_by_method"][method]
    return value


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    line = "|".join("---" for _ in heads)
    return [f"| {' | '.join(heads)} |", f"|{line}|", *(f"| {' | '.join(r)} |" for r in rows)]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"
