"""evaluate, bench and train: opens what they measure and says where it was measured."""

import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2

from apps.defect_inspection import bench as inspection_bench
from apps.defect_inspection import evaluate as inspection_evaluate
from apps.defect_inspection.config import Settings
from apps.defect_inspection.simulate import SimulatedCamera
from apps.line_bench import run_line
from apps.open_inspection import load, open_inspection_model
from common.errors import BackendMissing, ConfigError
from common.inference.bundle import Bundle, open_bundle
from common.ports import Trigger

TRAIN_PYTHON = Path(".venv-train/bin/python")
TRAIN_PACKAGE = "ultralytics"


@dataclass(frozen=True)
class Wanted:
    """The model and artefact asked for on the command line; empty is what app.toml says."""

    model: Path | None
    runtime: str
    precision: str

    def changes(self) -> list[str]:
        """As changes of the settings."""
        return [f"model.bundle={str(self.model.resolve())!r}"] if self.model else []


def evaluate(
    path: Path, changes: list[str], data: Path, split: str, wanted: Wanted,
    recipe_id: int | None,
) -> dict[str, Any]:  # fmt: skip
    """Accuracy of the wanted artefact on a YOLO folder."""
    settings = load(path, [*changes, *wanted.changes()])
    key = str(recipe_id) if recipe_id is not None else list(settings.recipes)[-1]
    if key not in settings.recipes:
        raise ConfigError(f"{path}: no recipe {key}; there are {', '.join(settings.recipes)}")
    dataset = inspection_evaluate.open_dataset(data, split)
    choice = open_inspection_model(settings, path, wanted.runtime, wanted.precision)
    try:
        return inspection_evaluate.evaluate(choice.model, settings.recipes[key], dataset)
    finally:
        choice.model.close()


def bench(path: Path, changes: list[str], wanted: Wanted, *, quick: bool) -> dict[str, Any]:
    """Speed of the wanted artefact: pipeline, runtime, Ultralytics, and the line itself."""
    changes = [*changes, *wanted.changes()]
    settings = load(path, changes)
    choice = open_inspection_model(settings, path, wanted.runtime, wanted.precision)
    rounds = 20 if quick else inspection_bench.ROUNDS
    inspection = inspection_bench.Bench(settings, choice)
    figures = inspection.run(rounds)
    bundle = open_bundle(path.parent / settings.model.bundle)
    figures |= _beside_ultralytics(settings, bundle, choice.model.artefact.file, inspection)
    choice.model.close()
    figures |= run_line(path, changes, seconds=10.0 if quick else 60.0)
    return figures


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


def train(app: str, data: Path, out: Path, name: str, *extra: str) -> int:
    """Run the recipe where torch is: in this environment or in .venv-train."""
    here = importlib.util.find_spec(TRAIN_PACKAGE) is not None
    if not here and not TRAIN_PYTHON.exists():
        raise BackendMissing(
            "training needs torch and Ultralytics in their own environment: make setup-train"
        )
    python = sys.executable if here else str(TRAIN_PYTHON.absolute())
    command = [python, "-m", "apps.train", app, str(data), str(out), name]
    return subprocess.run([*command, *extra], check=False).returncode  # noqa: S603


def table(figures: dict[str, Any], indent: str = "") -> str:
    """Figures for people: one per line, nested ones below their name."""
    lines = []
    for key, value in figures.items():
        if isinstance(value, dict) and any(isinstance(v, dict) for v in value.values()):
            lines += [f"{indent}{key}", table(value, indent + "  ")]
        elif isinstance(value, dict):
            inner = "  ".join(f"{k} {v}" for k, v in value.items())
            lines.append(f"{indent}{key:<22} {inner}")
        else:
            lines.append(f"{indent}{key:<22} {'–' if value is None else value}")
    return "\n".join(lines)
