"""Defect inspection measured: accuracy on a YOLO folder; speed beside the bare parts."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2

from apps.asked import Asked
from apps.defect_inspection import bench as inspection_bench
from apps.defect_inspection import bench_depth
from apps.defect_inspection import evaluate as inspection_evaluate
from apps.defect_inspection.config import Settings
from apps.defect_inspection.simulate import SimulatedCamera
from apps.line_bench import run_line
from apps.measured import progress
from apps.open_inspection import load
from apps.picture_model import open_picture_model
from apps.train import PYTHON as TRAIN_PYTHON
from common.errors import ConfigError
from common.inference.bundle import Artefact, Bundle, open_bundle
from common.inference.selection import Choice
from common.ports import Trigger

OF_DEFECTS = ("map33", "map50", "map50_95", "best_f", "best_f_threshold")


def evaluate(asked: Asked) -> dict[str, Any]:
    """Accuracy of the wanted artefact on a YOLO folder; None where nothing was to be found."""
    settings = load(asked.config, asked.all_changes)
    recipe = str(asked.recipe) if asked.recipe is not None else list(settings.recipes)[-1]
    if recipe not in settings.recipes:
        have = ", ".join(settings.recipes)
        raise ConfigError(f"{asked.config}: no recipe {recipe}; there are {have}")
    dataset = inspection_evaluate.open_dataset(asked.folder, asked.split or "val")
    choice = open_picture_model(settings.model, asked.config)
    try:
        with progress() as say:
            found = inspection_evaluate.evaluate(
                choice.model, settings.recipes[recipe], dataset, say
            )
    finally:
        choice.model.close()
    return found if found["per_class"] else found | dict.fromkeys(OF_DEFECTS)


def bench(asked: Asked) -> dict[str, Any]:
    """Speed of the wanted artefact: pipeline, runtime, Ultralytics, and the line itself."""
    changes, quick = asked.all_changes, asked.quick
    settings = load(asked.config, changes)
    choice = open_picture_model(settings.model, asked.config)
    inspection = inspection_bench.Bench(settings, choice)
    figures = inspection.run(20 if quick else inspection_bench.ROUNDS)
    bundle = open_bundle(asked.config.parent / settings.model.bundle)
    figures |= _beside_ultralytics(settings, bundle, choice.model.artefact.file, inspection)
    choice.model.close()
    figures["depths"] = _depths(settings, asked, choice.model.artefact)
    return figures | run_line(asked.config, changes, seconds=10.0 if quick else 60.0)


def _depths(settings: Settings, asked: Asked, taken: Artefact) -> dict[str, Any]:
    """One part at a time against several under way, were they all there; the same file."""
    wanted = replace(settings.model, runtime=taken.runtime, precision=taken.precision)

    def at(depth: int) -> Choice:
        deep = replace(settings, model=replace(wanted, depth=depth))
        return open_picture_model(deep.model, asked.config)

    return bench_depth.depths(settings, at, quick=asked.quick)


def _beside_ultralytics(
    settings: Settings, bundle: Bundle, file: str, ours: inspection_bench.Bench
) -> dict[str, Any]:
    """Ratios to `predict` on the same file and on the ONNX file; None without Ultralytics."""
    keys = ("ultralytics_same_ratio", "ultralytics_default_ratio")
    if not TRAIN_PYTHON.exists():
        return dict.fromkeys(keys)
    plain = ("onnxruntime", "fp32")
    onnx = next(a.file for a in bundle.card.artefacts if (a.runtime, a.precision) == plain)
    with TemporaryDirectory() as folder:
        picture = Path(folder) / "part.png"
        camera = SimulatedCamera(settings.simulation.seed, 1.0, pool=1)
        cv2.imwrite(str(picture), camera.capture(Trigger(1)))
        peer = inspection_bench.Peer(TRAIN_PYTHON.absolute())
        ratios = [peer.ratio(bundle, name, picture, ours.whole) for name in (file, onnx)]
    return dict(zip(keys, ratios, strict=True))
