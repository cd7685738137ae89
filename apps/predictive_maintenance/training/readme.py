"""The card for people, written from model.toml and results.json alone."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from apps.predictive_maintenance.config import DecideRules
from apps.predictive_maintenance.evaluation.offline import METHODS
from apps.predictive_maintenance.training.recipe import Recipe
from common.inference.bundle import Bundle

Figures = dict[str, Any]
Results = dict[str, dict[str, Figures]]
"""Data folder → what was left out of training → figures."""
RATE = "false_alarms_per_machine_week"


def readme(bundle: Bundle, results: Results, recipe: Recipe) -> str:
    """Origin, figures per folder, and whether the network earns its place."""
    card = bundle.card
    note = "Generated: change the recipe, not this file."
    parts = [f"# {card.name} {card.version}", "", note, "", "| | |", "|---|---|"]
    parts += [f"| {k.replace('_', ' ')} | {v} |" for k, v in asdict(card.origin).items()]
    parts += [f"| licence of the weights | {card.licence} |"]
    parts += [f"| recipe | {' · '.join(f'{k} {v}' for k, v in asdict(recipe).items())} |"]
    return "\n".join(parts) + "\n\n" + figures(results)


def figures(results: Results, heading: str = "##") -> str:
    """All tables and what follows from them; the app's README has them, too."""
    parts = []
    for place, found in results.items():
        parts += [f"{heading} On {place}", "", *_place(found), ""]
    everything = [each for found in results.values() for each in found.values()]
    parts += [f"{heading} Network or PCA?", "", *_worth(everything), ""]
    watched = next((each for each in everything if "simulated" in each), None)
    if watched is not None:
        parts += [f"{heading} False alarms", "", *_weeks(watched), ""]
    return "\n".join(parts).rstrip() + "\n"


def _place(found: dict[str, Figures]) -> list[str]:
    labelled = next(iter(found.values()))["form"] == "labelled"
    area = _table(
        ["never seen", *METHODS],
        [[name, *(_cell(_auroc(f, m)) for m in METHODS)] for name, f in found.items()],
    )
    if labelled:
        return ["AUROC, mean of the faulty bearings:", "", *area]
    leads = [
        [run["file"], *(_share(_leads(run)[m]) for m in METHODS), str(run["false_alarms"])]
        for run in _runs(found.values())
    ]
    return [
        "Share of the run that was left when the first alarm was confirmed; the last column "
        "counts false alarms, those of `fused` before the onset:", "",
        *_table(["never seen", *METHODS, "false alarms"], leads), "",
        "AUROC, healthy time not learned from against the time after the onset, mean of the "
        "runs:", "",
        *area,
    ]  # fmt: skip


def _worth(everything: list[Figures]) -> list[str]:
    """Network against PCA, in words that follow from the figures."""
    areas = [(_auroc(f, "lstm"), _auroc(f, "pca")) for f in everything]
    leads = [(_leads(r)["lstm"] or 0.0, _leads(r)["pca"] or 0.0) for r in _runs(everything)]
    rates = [
        (f["methods"]["pca"][RATE], f["methods"]["lstm"][RATE])
        for f in everything
        if "simulated" in f
    ]
    said = [
        f"* by AUROC it {_compared(areas)}",
        f"* by the lead in runs to failure it {_compared(leads)}",
        f"* by false alarms in simulated weeks it {_compared(rates)}",
    ]
    return [
        "The network beside PCA on the same features:", "", *said,
        "",
        f"So `decide` takes its figure times {DecideRules().sequence_weight:g}, and its advice "
        "alone never asks for more than WATCH; together with a bearing's impacts it asks for "
        "PLAN, as the signature does.",
    ]  # fmt: skip


def _compared(pairs: list[tuple[float | None, float | None]]) -> str:
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    more, less = sum(a > b for a, b in known), sum(a < b for a, b in known)
    word = "beats PCA" if more > less else "does not beat PCA"
    return f"{word} (better on {more}, worse on {less}, equal on {len(known) - more - less})"


def _weeks(watched: Figures) -> list[str]:
    rates = [watched["methods"][m][RATE] for m in METHODS]
    weeks = watched["simulated"]["machine_weeks"]
    return [
        f"Per machine-week, over {weeks:g} simulated machine-weeks of changing speed and "
        "load:", "", *_table(list(METHODS), [[_cell(rate) for rate in rates]]),
    ]  # fmt: skip


def _auroc(figures: Figures, method: str) -> float | None:
    value: float | None = figures["methods"][method]["auroc"]
    return value


def _runs(everything: Iterable[Figures]) -> list[Figures]:
    return [run for figures in everything for run in figures.get("runs", ())]


def _leads(run: Figures) -> dict[str, float | None]:
    leads: dict[str, float | None] = run["lead_fraction_by_method"]
    return leads


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    line = "|".join("---" for _ in heads)
    return [f"| {' | '.join(heads)} |", f"|{line}|", *(f"| {' | '.join(r)} |" for r in rows)]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"
