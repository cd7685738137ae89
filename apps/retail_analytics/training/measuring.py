"""Size, time and scores of the student's artefacts, beside the network it started from.

Times are taken in turn, round by round: what else the machine does then slows all alike.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.training import scoring
from apps.retail_analytics.training.contract import LAYOUT, LICENCE, READER, cells
from apps.retail_analytics.training.pictures import Example
from apps.retail_analytics.training.train import PRETRAINED
from common.errors import BackendMissing
from common.inference.bundle import Artefact, Model, ModelCard, Tensor, open_bundle, sha256
from common.inference.selection import OpenRuntime, open_model

BEFORE = "YOLOX-nano 416 × 416"
TIMED_ROUNDS = 40
CALM_S = 0.02
"""Threads of the runtime before wait actively for more work: until they do not."""


@dataclass(frozen=True)
class Candidate:
    """An opened network, the folder it lies in, and its size."""

    model: Model
    folder: Path
    size: int


def before(data: Path, open_runtime: OpenRuntime) -> Candidate:
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
    return Candidate(model, file.parent, file.stat().st_size)


def of_bundle(folder: Path, open_runtime: OpenRuntime) -> dict[str, Candidate]:
    """{runtime/precision: network} of a bundle, as far as its artefacts run here."""
    bundle, found = open_bundle(folder), {}
    for artefact in bundle.card.artefacts:
        try:
            choice = open_model(bundle, open_runtime, artefact.runtime, artefact.precision)
        except BackendMissing:
            continue  # not on this machine: the card has no figures for it
        files = [artefact.file, artefact.companion]
        size = sum((folder / name).stat().st_size for name in files if name)
        found[artefact.label] = Candidate(choice.model, folder, size)
    return found


def measure(
    networks: dict[str, Candidate], sets: dict[str, list[Example]]
) -> dict[str, dict[str, Any]]:
    """{name: bytes, p50_ms, sets} of each network."""
    times = in_turn([one.model for one in networks.values()])
    return {
        name: {"bytes": one.size, "p50_ms": p50, "sets": _scores(one.model, sets)}
        for (name, one), p50 in zip(networks.items(), times, strict=True)
    }


def _scores(model: Model, sets: dict[str, list[Example]]) -> dict[str, Any]:
    detector = PersonDetector(model)
    return {name: scoring.score(detector, examples) for name, examples in sets.items()}


def in_turn(models: list[Model]) -> list[float]:
    """Median of each one's inferences, in ms."""
    times: list[list[float]] = [[] for _ in models]
    for _ in range(TIMED_ROUNDS):
        for model, taken in zip(models, times, strict=True):
            inputs = {one.name: np.zeros(one.shape, one.dtype) for one in model.card.inputs}
            time.sleep(CALM_S)
            began = time.perf_counter()
            model.run(inputs)
            taken.append(time.perf_counter() - began)
    return [round(float(np.median(taken)) * 1e3, 2) for taken in times]
