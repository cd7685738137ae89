"""The student as bundles with their cards: every figure comes from a run, none by hand.

Two bundles: `NAME` for processors and Intel devices, and `NAME-coral`, integer to the last
byte, for LiteRT and the Edge TPU's compiler. Each has model.toml (contract and origin),
results.json (what `scoring` said of every artefact, and of the network it started from),
README.md (both, for people) and NOTICE.
"""

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from apps.retail_analytics.training import export, scoring
from apps.retail_analytics.training.contract import CORAL, Facts, coral_toml, model_toml
from apps.retail_analytics.training.labels import Look
from apps.retail_analytics.training.measuring import BEFORE, before, measure, of_bundle
from apps.retail_analytics.training.network import Nano
from apps.retail_analytics.training.pictures import Example
from apps.retail_analytics.training.readme import readme
from apps.retail_analytics.training.steady import evened
from common.errors import BackendMissing
from common.inference.bundle import open_bundle
from common.inference.selection import OpenRuntime

IN_COLOUR = 4
"""Pools before the depth pictures, whose glaring white would stretch every range."""
EVENED_ON = 10
"""Every so many calibration pictures."""
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
    made = [folder, *export_all(network, folder, facts, taught, open_runtime)]
    sets = scoring.sets(data, taught.looks, facts.recipe.judged_pictures)
    with ExitStack() as opened:
        networks = {BEFORE: before(data, open_runtime)}
        for one in made:
            networks |= of_bundle(one, open_runtime)
        for candidate in networks.values():
            opened.callback(candidate.model.close)
        figures = measure(networks, sets)
    for one in made:
        mine = [name for name in figures if name == BEFORE or networks[name].folder == one]
        write(one, {name: figures[name] for name in mine}, facts)


def write(folder: Path, results: dict[str, Any], facts: Facts) -> None:
    """results.json, README.md and NOTICE."""
    text = json.dumps(results, indent=1, ensure_ascii=False)
    (folder / "results.json").write_text(text + "\n", "utf-8")
    (folder / "README.md").write_text(
        readme(open_bundle(folder).card, results, facts.recipe.document()), "utf-8"
    )
    (folder / "NOTICE").write_text(NOTICE, "utf-8")


def export_all(
    network: Nano, folder: Path, facts: Facts, taught: Teaching, open_runtime: OpenRuntime
) -> list[Path]:
    """Files and model.toml of the bundle, and of the one for Coral, if it can be made here."""
    size = (facts.recipe.height, facts.recipe.width)
    batches = export.calibration(taught.pools[:IN_COLOUR], size)
    folder.mkdir(parents=True, exist_ok=True)
    export.to_onnx(network, folder / "fp32.onnx", size)
    export.to_openvino(folder / "fp32.onnx", folder / "fp16.xml")
    export.to_openvino_int8(folder / "fp32.onnx", folder / "int8.xml", batches)
    (folder / "model.toml").write_text(model_toml(folder, facts), "utf-8")
    coral = folder.with_name(folder.name + CORAL)
    even = evened(network, torch.tensor(np.concatenate(batches[::EVENED_ON])).float())
    try:
        export_coral(even, coral, batches, facts, open_runtime)
    except BackendMissing as missing:
        print(f"left out: {missing}")  # noqa: T201
        return []
    return [coral]


def export_coral(
    even: Nano, folder: Path, batches: list[np.ndarray], facts: Facts,
    open_runtime: OpenRuntime,
) -> None:  # fmt: skip
    """int8.tflite and its model.toml; raises BackendMissing without converter or LiteRT."""
    folder.mkdir(parents=True, exist_ok=True)
    apart, made = folder / "apart.onnx", folder / "int8.tflite"
    export.to_onnx(even, apart, (facts.recipe.height, facts.recipe.width), apart=True)
    export.to_tflite(apart, made, batches)
    apart.unlink()
    runtime = open_runtime("litert", made)
    try:
        text = coral_toml(folder, facts, runtime)
    finally:
        runtime.close()
    (folder / "model.toml").write_text(text, "utf-8")
