"""A trained model as a bundle with its card: every figure comes from a run, none by hand.

model.toml is contract and origin; results.json holds what `evaluate` said on the patients
held out; trained_on.json knows every patient it was trained on by the content of the chart;
golden.json keeps what the trained model itself answered, before it became a graph.
"""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from apps.patient_monitoring import NOT_A_DEVICE
from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.evaluate import evaluate
from apps.patient_monitoring.figures import methods
from apps.patient_monitoring.risk import INPUT, LAYOUT
from apps.patient_monitoring.trends import FEATURES
from common.inference import card_text
from common.inference.bundle import open_bundle
from common.inference.selection import OpenRuntime, open_model

VERSION = "1.0.0"
LICENCE = "Apache-2.0"


@dataclass(frozen=True)
class Facts:
    """What the card says of the run."""

    data: str
    data_licence: str
    recipe: dict[str, Any]
    search: dict[str, float]
    trained_on: tuple[str, ...]


def write_model(folder: Path, facts: Facts, golden: Array, expected: dict[str, Array]) -> None:
    """The shipped model's contract, and what was true of it when it was trained."""
    outputs = {"risk": (1, "probability"), "contributions": (len(FEATURES), "log odds")}
    head = _head("deterioration", facts, "additive logistic regression")
    (folder / "model.toml").write_text(
        "\n".join([head, _input(INPUT, len(FEATURES), LAYOUT),
                   *(_output(name, *of) for name, of in outputs.items()), _artefact(folder)])
    )  # fmt: skip
    _write_json(folder / "trained_on.json", sorted(facts.trained_on))
    _golden(folder, golden, expected)


def write_peers(
    folder: Path, facts: Facts, golden: Array, expected: dict[str, Array],
    names: tuple[str, ...],
) -> None:  # fmt: skip
    """The contract of what `evaluate` compares with."""
    tool = f"scikit-learn {version('scikit-learn')}; for comparison only, never for a station"
    inputs = [
        _input(INPUT, len(FEATURES), LAYOUT),
        _input("news2", 1, "lower bound"),
        _input("stay_h", 1, "hours since admission: for the lines with_time only"),
    ]
    outputs = [_output(name, 1, "probability") for name in names]
    text = "\n".join([_head("compared", facts, tool), *inputs, *outputs, _artefact(folder)])
    (folder / "model.toml").write_text(text)
    _golden(folder, golden, expected)
    note = "Made beside `deterioration`, for `lineside evaluate` only. No station opens it:\n"
    note += "some of these methods know the time since admission.\n"
    (folder / "README.md").write_text(f"# compared {VERSION}\n\n{note}")


def _head(name: str, facts: Facts, tool: str) -> str:
    text = json.dumps  # a JSON string is a TOML string
    return f"""\
name = {text(name)}
version = "{VERSION}"
task = "risk"
licence = "{LICENCE}"
labels = ["deterioration"]

[origin]
data = {text(facts.data)}
data_licence = {text(facts.data_licence)}
split = "by patient: a fifth, by the content of the chart, was never trained on"
command = "lineside train patient_monitoring --data DIR"
commit = "{card_text.commit()}"
tool = {text(tool)}
"""


def _input(name: str, width: int, layout: str) -> str:
    return f'[[inputs]]\nname = "{name}"\nshape = [-1, {width}]\nlayout = "{layout}"\n'


def _output(name: str, width: int, layout: str) -> str:
    return f'[[outputs]]\nname = "{name}"\nshape = [-1, {width}]\nlayout = "{layout}"\n'


def _artefact(folder: Path) -> str:
    artefact = card_text.artefact_of(folder / "fp32.onnx", "onnxruntime", "fp32")
    return f"{card_text.artefact_table(artefact)}\n{card_text.of_numbers()}"


def _golden(folder: Path, features: Array, expected: dict[str, Array]) -> None:
    rows = [[None if np.isnan(v) else float(v) for v in row] for row in features]
    answers = {name: [float(v) for v in values] for name, values in expected.items()}
    _write_json(folder / "golden.json", {"features": rows, **answers})


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")


def measure(out: Path, data: Path, facts: Facts, open_runtime: OpenRuntime) -> None:
    """Evaluate on the patients held out and write the card for people."""
    folder = out / "deterioration"
    model = open_model(open_bundle(folder), open_runtime).model
    compared = open_model(open_bundle(out / "compared"), open_runtime).model
    results = evaluate(model, compared, frozenset(facts.trained_on), data)
    model.close()
    compared.close()
    results = {"held_out": results, "training_folds": facts.search}
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "README.md").write_text(readme(facts, results))


def readme(facts: Facts, results: dict[str, Any]) -> str:
    """The card for people, written from results.json alone."""
    held = results["held_out"]
    folds = results["training_folds"]
    parts = [f"# deterioration {VERSION}", "", f"**{NOT_A_DEVICE}**", ""]
    parts += ["Generated: change the recipe, not this file.", "", "| | |", "|---|---|"]
    parts += [f"| {k} | {v} |" for k, v in (
        ("data", facts.data), ("data licence", facts.data_licence),
        ("trained on", f"{len(facts.trained_on)} patients"),
        ("held out", f"{held['patients']} patients, {held['onsets']} onsets seen"),
        ("hospitals", ", ".join(held["hospitals"])), ("commit", card_text.commit()),
        ("recipe", " · ".join(f"{k} {v}" for k, v in facts.recipe.items())),
        ("features", "level, spread, extremes and change of pulse, SpO2, temperature, systolic "
         "pressure and respiration over a day; oxygen; from these the chart's own points. "
         "No time, no laboratory, no age"),
        ("NEWS2 has", held["news2_has"]),
    )]  # fmt: skip
    parts += ["", "## On patients held out", ""]
    parts += [f"Alarms of NEWS2 ≥ 5 per patient-day: {held['alarms_per_patient_day']}.", ""]
    parts += methods(held["methods"])
    parts += ["", "With the time since admission, which no shipped model knows:", ""]
    parts += methods(held["with_time"])
    parts += ["", "## Calibration", ""]
    parts += [f"* {k}: {v:g}" for k, v in held["methods"]["model"]["calibration"].items()]
    parts += ["", "## In the folds of the training patients", ""]
    parts += [f"* {key}: {value:.4f}" for key, value in folds.items()]
    parts += ["", "## What the figures mean", ""]
    parts += [f"* {key}: {meaning}" for key, meaning in held["definitions"].items()]
    return "\n".join(parts) + "\n"
