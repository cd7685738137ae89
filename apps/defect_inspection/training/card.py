"""A trained checkpoint as a bundle with its card: every figure comes from a run, none by hand.

model.toml is contract and origin; results.json holds what `evaluate` said of every
artefact on the held-out tenth and on `val`; README.md is both, for people.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ultralytics

from apps.defect_inspection.config import Recipe as PartRecipe
from apps.defect_inspection.evaluate import HELD_OUT, DataSet, evaluate, open_dataset
from apps.defect_inspection.perceive import LAYOUTS
from apps.defect_inspection.training.export import artefact_tables, export, input_planes
from apps.defect_inspection.training.train import Recipe
from common.errors import BackendMissing
from common.inference import card_text
from common.inference.bundle import Bundle, open_bundle
from common.inference.selection import OpenRuntime, open_model

VERSION = "1.2.0"
LICENCE = "AGPL-3.0-only"  # what Ultralytics says of weights trained with its software


@dataclass(frozen=True)
class Facts:
    """What the card says of the run."""

    name: str
    data: str
    data_licence: str
    command: str
    recipe: Recipe
    pictures: tuple[Path, ...]
    """What INT8 is calibrated on: of the data trained on, and nothing else."""


def publish(
    checkpoint: Path,
    folder: Path,
    data: Path,
    facts: Facts,
    size: int,
    open_runtime: OpenRuntime,
) -> None:
    """Export into `folder`, evaluate every artefact on `data`, write the card."""
    dataset = open_dataset(data, "train")
    pictures = list(facts.pictures)
    shape = [1, input_planes(pictures), size, size]
    export(checkpoint, folder, shape, pictures)
    (folder / "model.toml").write_text(model_toml(folder, dataset, facts, shape))
    results = measure(open_bundle(folder), data, open_runtime)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "README.md").write_text(readme(open_bundle(folder), results, facts))


def model_toml(folder: Path, dataset: DataSet, facts: Facts, shape: list[int]) -> str:
    """Contract, origin and artefacts as TOML."""
    labels, anchors = json.dumps(list(dataset.labels)), anchor_count(shape[3])
    layout = next(layout for layout, planes in LAYOUTS.items() if planes == shape[1])
    text = json.dumps  # a JSON string is a TOML string
    split = "val as given; every tenth training picture by name held out"
    head = f"""\
name = {text(facts.name)}
version = "{VERSION}"
task = "detection"
licence = "{LICENCE}"
labels = {labels}

[origin]
data = {text(facts.data)}
data_licence = {text(facts.data_licence)}
split = "{split}"
command = {text(facts.command)}
commit = "{card_text.commit()}"
tool = "ultralytics {ultralytics.__version__}, {facts.recipe.network}"

[[inputs]]
name = "images"
shape = {shape}
layout = "{layout}"

[[outputs]]
name = "output0"
shape = [1, {4 + len(dataset.labels)}, {anchors}]
layout = "centre x, centre y, width, height in px, then one score per label"
"""
    return "\n".join([head, *artefact_tables(folder)])


def anchor_count(size: int) -> int:
    """Predictions of a YOLO head with strides 8, 16 and 32 on a square input."""
    return sum((size // stride) ** 2 for stride in (8, 16, 32))


def measure(bundle: Bundle, data: Path, open_runtime: OpenRuntime) -> dict[str, Any]:
    """`evaluate` on both splits for each artefact that runs here: {split: {label: figures}}."""
    recipe = PartRecipe(name="as labelled", binarise=False)
    results: dict[str, Any] = {}
    for split in ("val", HELD_OUT):
        dataset = open_dataset(data, split)
        for artefact in bundle.card.artefacts:
            try:
                asked = (artefact.runtime, artefact.precision)
                model = open_model(bundle, open_runtime, *asked).model
            except BackendMissing:  # of a device that this one is not
                continue
            found = evaluate(model, recipe, dataset)
            results.setdefault(split, {})[artefact.label] = found
            model.close()
    return results


FIGURES = ("map33", "map50", "map50_95", "best_f")


def readme(bundle: Bundle, results: dict[str, Any], facts: Facts) -> str:
    """The card for people, written from model.toml and results.json alone."""
    card = bundle.card
    note = "Generated: change the recipe, not this file."
    parts = [f"# {card.name} {card.version}", "", note, "", "| | |", "|---|---|"]
    parts += [
        f"| {key.replace('_', ' ')} | {value} |" for key, value in asdict(card.origin).items()
    ]
    parts += [f"| licence of the weights | {card.licence} |"]
    parts += [f"| recipe | {' · '.join(f'{k} {v}' for k, v in asdict(facts.recipe).items())} |"]
    for split, by_artefact in results.items():
        parts += ["", f"## On {split}", "", *table(by_artefact)]
        parts += ["", "Average precision at IoU 0.33 per kind:", "", *kinds(by_artefact)]
    return "\n".join(parts) + "\n"


def table(by_artefact: dict[str, Any]) -> list[str]:
    """One row per artefact."""
    heads = ["artefact", "pictures", "mAP 0.33", "mAP 0.5", "mAP 0.5–0.95", "best F",
             "escapes /1000", "false rejects /1000"]  # fmt: skip
    keys = ("images", *FIGURES, "escapes_per_1000", "false_rejects_per_1000")
    rows = [
        [label, *(_cell(figures[key]) for key in keys)]
        for label, figures in by_artefact.items()
    ]
    return _markdown(heads, rows)


def kinds(by_artefact: dict[str, Any]) -> list[str]:
    """One row per artefact, one column per kind of defect."""
    names = list(next(iter(by_artefact.values()))["per_class"])
    rows = [
        [label, *(_cell(figures["per_class"][name]["ap33"]) for name in names)]
        for label, figures in by_artefact.items()
    ]
    return _markdown(["artefact", *names], rows)


def _markdown(heads: list[str], rows: list[list[str]]) -> list[str]:
    line = "|".join("---" for _ in heads)
    return [f"| {' | '.join(heads)} |", f"|{line}|", *(f"| {' | '.join(r)} |" for r in rows)]


def _cell(value: Any) -> str:
    return "–" if value is None else f"{value:g}"
