"""The student as bundles with their cards: every figure comes from a run, none by hand.

Two bundles: `NAME` for processors and Intel devices, and `NAME-coral`, integer to the last
byte, for LiteRT and the Edge TPU's compiler. Each has model.toml (contract and origin),
results.json (what `scoring` said of every artefact, and of the network it started from),
README.md (both, for people) and NOTICE.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.training import export, scoring
from apps.retail_analytics.training.contract import (
    CORAL,
    LAYOUT,
    LICENCE,
    READER,
    Facts,
    cells,
    coral_toml,
    model_toml,
)
from apps.retail_analytics.training.labels import Look
from apps.retail_analytics.training.network import Nano
from apps.retail_analytics.training.pictures import Example
from apps.retail_analytics.training.readme import readme
from apps.retail_analytics.training.train import PRETRAINED
from common.errors import BackendMissing
from common.inference.bundle import (
    Artefact,
    Model,
    ModelCard,
    Tensor,
    open_bundle,
    sha256,
)
from common.inference.selection import OpenRuntime, open_model

BEFORE = "YOLOX-nano 416 × 416"
TIMED_RUNS = 40
NOTICE = """\
The weights in this folder were trained by this project from weights of YOLOX-nano,
Copyright (c) 2021-2022 Megvii Inc., licensed under the Apache License, Version 2.0
(http://www.apache.org/licenses/LICENSE-2.0), github.com/Megvii-BaseDetection/YOLOX.
Changed: its other 79 classes were taken out, its first layer written as one convolution,
its batch normalisations folded in, and the rest trained further as README.md says.
"""


@dataclass(frozen=True)
class Teaching:
    """What the student learned from, and who judges clips that nobody labelled."""

    pools: list[list[Example]]
    looks: list[Look]


def publish(
    network: Nano, data: Path, folder: Path, facts: Facts, taught: Teaching,
    open_runtime: OpenRuntime,
) -> None:  # fmt: skip
    """Export into `folder` and its neighbour, score all on `data`, write the cards."""
    size = (facts.recipe.height, facts.recipe.width)
    batches = export.calibration(taught.pools, size)
    folder.mkdir(parents=True, exist_ok=True)
    export.to_onnx(network, folder / "fp32.onnx", size)
    export.to_openvino(folder / "fp32.onnx", folder, batches)
    (folder / "model.toml").write_text(model_toml(folder, facts), "utf-8")
    bundles = [folder]
    coral = folder.with_name(folder.name + CORAL)
    try:
        export_coral(network, coral, size, batches, facts, open_runtime)
        bundles.append(coral)
    except BackendMissing as missing:
        print(f"left out: {missing}")  # noqa: T201
    sets = scoring.sets(data, taught.looks)
    before = score_before(data, sets, open_runtime)
    for bundle in bundles:
        results = {BEFORE: before, **measure(bundle, sets, open_runtime)}
        text = json.dumps(results, indent=1, ensure_ascii=False)
        (bundle / "results.json").write_text(text + "\n", "utf-8")
        (bundle / "README.md").write_text(
            readme(open_bundle(bundle).card, results, asdict(facts.recipe)), "utf-8"
        )
        (bundle / "NOTICE").write_text(NOTICE, "utf-8")


def export_coral(
    network: Nano, folder: Path, size: tuple[int, int], batches: list[np.ndarray],
    facts: Facts, open_runtime: OpenRuntime,
) -> None:  # fmt: skip
    """int8.tflite and its model.toml; raises BackendMissing without converter or LiteRT."""
    folder.mkdir(parents=True, exist_ok=True)
    apart, made = folder / "apart.onnx", folder / "int8.tflite"
    export.to_onnx(network, apart, size, apart=True)
    export.to_tflite(apart, made, batches)
    apart.unlink()
    runtime = open_runtime("litert", made)
    try:
        text = coral_toml(folder, facts, runtime)
    finally:
        runtime.close()
    (folder / "model.toml").write_text(text, "utf-8")


def measure(
    folder: Path, sets: dict[str, list[Example]], open_runtime: OpenRuntime
) -> dict[str, Any]:
    """{artefact: figures} of a bundle, as far as its artefacts run here."""
    bundle, results = open_bundle(folder), {}
    for artefact in bundle.card.artefacts:
        try:
            choice = open_model(bundle, open_runtime, artefact.runtime, artefact.precision)
        except BackendMissing:
            continue  # not on this machine: the card has no figures for it
        model = choice.model
        files = [artefact.file, artefact.companion]
        size = sum((folder / name).stat().st_size for name in files if name)
        results[artefact.label] = figures(model, size, sets)
        model.close()
    return results


def score_before(
    data: Path, sets: dict[str, list[Example]], open_runtime: OpenRuntime
) -> dict[str, Any]:
    """The network that the student started from, as it was."""
    file = data / PRETRAINED
    card = ModelCard(
        "yolox-nano", "0", "detection", LICENCE,
        ("person", *(f"other {index}" for index in range(1, 80))),
        (Tensor("images", (1, 3, 416, 416), "float32", f"NCHW, {LAYOUT}"),),
        (Tensor("output", (1, cells((416, 416)), 85), "float32", READER),),
        (Artefact("onnxruntime", "fp32", file.name, sha256(file)),),
    )  # fmt: skip
    model = Model(card, card.artefacts[0], open_runtime("onnxruntime", file))
    found = figures(model, file.stat().st_size, sets)
    model.close()
    return found


def figures(model: Model, size: int, sets: dict[str, list[Example]]) -> dict[str, Any]:
    """Size, time and scores per set of one network."""
    detector = PersonDetector(model)
    scores = {name: scoring.score(detector, examples) for name, examples in sets.items()}
    return {"bytes": size, "p50_ms": _p50(model), "sets": scores}


def _p50(model: Model) -> float:
    """Median of some inferences in ms, on this machine as it is at this moment."""
    inputs = {one.name: np.zeros(one.shape, one.dtype) for one in model.card.inputs}
    times = []
    for _ in range(TIMED_RUNS):
        began = time.perf_counter()
        model.run(inputs)
        times.append(time.perf_counter() - began)
    return round(float(np.median(times)) * 1e3, 2)
