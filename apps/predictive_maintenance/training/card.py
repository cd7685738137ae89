"""Trained networks as a bundle with its card: every figure comes from a run, none by hand.

model.toml is contract and origin; results.json holds what `evaluate` said of every run and
machine of the data, by weights that never saw it; README.md is both, for people.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from apps.predictive_maintenance.config import Settings
from apps.predictive_maintenance.evaluate import Row, evaluate, read_index
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.training.readme import readme
from apps.predictive_maintenance.training.recipe import ALL, Recipe, folders
from apps.predictive_maintenance.vibration import FEATURES
from common.inference import card_text
from common.inference.bundle import open_bundle
from common.inference.selection import OpenRuntime, open_model

VERSION = "1.0.0"
LICENCE = "Apache-2.0"
FILE = "fp32.onnx"
SIMULATED_ONLY = "healthy simulated machines only"
NOT_NEEDED = "none needed: all learned from was simulated by this software"


@dataclass(frozen=True)
class Facts:
    """What the card says of the run."""

    name: str
    data: str
    """What is learned from beside simulated machines, where the recipe takes a share."""
    data_licence: str
    command: str
    recipe: Recipe


def publish(
    networks: dict[str, Path], folder: Path, data: Path, facts: Facts, open_runtime: OpenRuntime
) -> None:
    """Write the bundle of `networks[ALL]`, evaluate it and its left-out siblings, the card."""
    write_bundle(networks[ALL], folder, facts)
    results = measure(networks, folder, data, facts, open_runtime)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "README.md").write_text(readme(open_bundle(folder), results, facts.recipe))


def write_bundle(network: Path, folder: Path, facts: Facts) -> None:
    """model.toml and the network beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(network, folder / FILE)
    real = facts.recipe.real_share > 0
    text, shape = json.dumps, [-1, facts.recipe.steps, FEATURES]  # JSON text is TOML text
    layout = "a sequence per axis; windows in order; features over the machine's own noise"
    split = "healthy time only; figures are of machines and runs that training never saw"
    artefact = card_text.artefact_of(folder / FILE, "onnxruntime", "fp32")
    (folder / "model.toml").write_text(f"""\
name = {text(facts.name)}
version = "{VERSION}"
task = "reconstruction"
licence = "{LICENCE}"
labels = []

[origin]
data = {text(f"healthy time of {facts.data}, simulated machines" if real else SIMULATED_ONLY)}
data_licence = {text(facts.data_licence if real else NOT_NEEDED)}
split = "{split}"
command = {text(facts.command)}
commit = "{card_text.commit()}"
tool = "torch {torch.__version__.split("+")[0]}, LSTM autoencoder"

[[inputs]]
name = "sequences"
shape = {shape}
layout = "{layout}, arcsinh"

[[outputs]]
name = "rebuilt"
shape = {shape}
layout = "as the input"

{card_text.artefact_table(artefact)}
{card_text.of_numbers()}""")


def measure(
    networks: dict[str, Path], folder: Path, data: Path, facts: Facts, open_runtime: OpenRuntime
) -> dict[str, Any]:
    """{folder: {what was left out: figures}}; the first ones hold the simulated weeks too.

    Where nothing of the data was learned from, all of it was left out of the one network.
    """
    results: dict[str, Any] = {}
    weeks = facts.recipe.judged_weeks
    beside = folder.parent / f"{folder.name}-judge"
    for place in folders(data):
        for name, keep in _sources(place, facts.recipe).items():
            write_bundle(networks.get(name, networks[ALL]), beside, facts)
            model = SequenceModel(open_model(open_bundle(beside), open_runtime).model)
            found = evaluate(Settings(), place, model, simulated_weeks=weeks, keep=keep)
            results.setdefault(place.name, {})[name] = found
            model.close()
            weeks = 0.0  # the same plant for all of them: once is enough
    shutil.rmtree(beside)
    return results


def _sources(place: Path, recipe: Recipe) -> dict[str, Callable[[Row], bool]]:
    """What is left out together, and which rows of the index it is."""
    form, rows = read_index(place)
    if form == "labelled" or not recipe.real_share:
        return {place.name: lambda _: True}
    return {row["file"]: lambda r, name=row["file"]: r["file"] == name for row in rows}
