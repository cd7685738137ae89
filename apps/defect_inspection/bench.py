"""How fast the inspection is: beside the bare runtime, beside Ultralytics, and to the gate."""

import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import numpy as np
import yaml

from apps.defect_inspection.config import Settings
from apps.defect_inspection.decide import LineState, Rules
from apps.defect_inspection.domain import Shot
from apps.defect_inspection.perceive import Perceive, prepare
from apps.defect_inspection.simulate import SimulatedCamera
from common.clock import SystemClock
from common.errors import LinesideError
from common.inference.benchmark import Work, busy_cores, interleaved, ratio, timed_ms
from common.inference.bundle import Bundle
from common.inference.images import TensorWriter, decode_yolo
from common.inference.selection import Choice
from common.pipeline import percentiles
from common.ports import Sample, Trigger

ROUNDS = 200
LOADED_ROUNDS = 60


class Bench:
    """One inspection, timed: a fresh picture each round, as the line brings them."""

    def __init__(self, settings: Settings, choice: Choice) -> None:
        self.settings, self.choice = settings, choice
        self._clock = SystemClock()
        recipes = {int(key): recipe for key, recipe in settings.recipes.items()}
        self._recipe_id, self._recipe = next(iter(recipes.items()))
        self._perceive = Perceive(choice.model, recipes, self._clock)
        self._rules, self._state = Rules(settings.line, recipes), LineState()
        camera = SimulatedCamera(settings.simulation.seed, 0.2, pool=6)
        self._frames = [camera.capture(self._trigger(n)) for n in range(1, 33)]
        self._next = 0
        writer = TensorWriter(*choice.model.card.inputs[0].shape[1:])
        writer.write(prepare(self._frames[0], self._recipe))
        self._arrays = {choice.model.card.inputs[0].name: writer.tensor}

    def run(self, rounds: int = ROUNDS) -> dict[str, Any]:
        """Pipeline and runtime in turn, idle and with both cores taken by others."""
        bare, whole = interleaved(self.bare, self.whole, rounds)
        with busy_cores():
            loaded_bare, loaded = interleaved(self.bare, self.whole, min(rounds, LOADED_ROUNDS))
        return {
            "runtime": self.choice.model.describe(),
            "reason": self.choice.reason,
            "steps": self.steps(rounds // 2),
            "pipeline_ms": percentiles(whole),
            "runtime_ms": percentiles(bare),
            "overhead_ratio": ratio(whole, bare),
            "loaded_pipeline_ms": percentiles(loaded),
            "loaded_runtime_ms": percentiles(loaded_bare),
            "loaded_overhead_ratio": ratio(loaded, loaded_bare),
        }

    def bare(self) -> object:
        """The runtime call and nothing else."""
        return self.choice.model.runtime.run(self._arrays)

    def whole(self) -> object:
        """Frame in memory → verdict: guard, binarise, network, boxes, rules."""
        sample = self._sample()
        self._state, decision = self._rules(self._state, self._perceive(sample))
        return decision

    def steps(self, rounds: int) -> dict[str, dict[str, float]]:
        """Each part of the pipeline by itself, in ms."""
        model, frame = self.choice.model, self._frames[0]
        picture = prepare(frame, self._recipe)
        writer = TensorWriter(*model.card.inputs[0].shape[1:])
        output = model.run(self._arrays)[model.card.outputs[0].name]
        guard = self._perceive.guard(self._recipe_id)
        part = self._perceive(self._sample())
        parts = {
            "guard": lambda: guard.check(self._frame()),
            "binarise": lambda: prepare(frame, self._recipe),
            "tensor": lambda: writer.write(picture),
            "infer": self.bare,
            "boxes": lambda: decode_yolo(output, 0.25, model.card.overlap),
            "decide": lambda: self._rules(self._state, part),
        }
        return {
            name: percentiles([timed_ms(work) for _ in range(rounds)])
            for name, work in parts.items()
        }

    def _frame(self) -> np.ndarray:
        self._next += 1
        return self._frames[self._next % len(self._frames)]

    def _sample(self) -> Sample[Shot]:
        frame = self._frame()
        shot = Shot(self._trigger(self._next % 60_000 + 1), frame)
        return Sample(str(self._next), shot, self._next, 0.0, self._clock.monotonic())

    def _trigger(self, part_id: int) -> Trigger:
        return Trigger(part_id, recipe_id=self._recipe_id)


# ----------------------------------------------------------- beside Ultralytics' predict

PREDICT = """
import json, sys, time
import cv2
from ultralytics import YOLO
from ultralytics.utils import LOGGER
LOGGER.setLevel("ERROR")
picture, size = cv2.imread(sys.argv[1]), int(sys.argv[2])
networks = {name: YOLO(path, task="detect") for name, path in json.loads(sys.argv[3])}
for line in sys.stdin:
    start = time.perf_counter()
    networks[line.strip()].predict(picture, imgsz=size, conf=0.25, device="cpu", verbose=False)
    print("ms", (time.perf_counter() - start) * 1000, flush=True)
"""
PEER_ROUNDS = 40
SETTLE_S = 0.05  # a runtime's threads go on spinning for a while after a call


@dataclass(frozen=True)
class Peer:
    """Ultralytics' own predict in its own environment, on our files."""

    python: Path
    """The interpreter of the environment that has Ultralytics."""

    def ratio(self, bundle: Bundle, name: str, picture: Path, ours: Work) -> float:
        """Median of our pipeline over median of `predict` on file `name`, call by call."""
        size = bundle.card.inputs[0].shape[2]
        with TemporaryDirectory() as folder:
            paths = [[name, str(_as_exported(bundle, name, Path(folder)))]]
            command = [str(self.python), "-c", PREDICT, str(picture), str(size)]
            process = subprocess.Popen(  # noqa: S603 - fixed words
                [*command, json.dumps(paths)], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            with process:
                theirs, mine = [], []
                for number in range(PEER_ROUNDS + 3):
                    time.sleep(SETTLE_S)
                    took = _one_predict(process, name)
                    time.sleep(SETTLE_S)
                    own = timed_ms(ours)
                    if number >= 3:  # the first calls fill caches
                        theirs.append(took)
                        mine.append(own)
                process.terminate()
        return ratio(mine, theirs)


def _one_predict(process: "subprocess.Popen[str]", name: str) -> float:
    """Duration of one `predict` in ms; raises LinesideError when the peer ended."""
    if process.stdin is None or process.stdout is None:
        raise LinesideError("Ultralytics: has no pipes")
    process.stdin.write(f"{name}\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("ms "):
            return float(line.split()[1])
    raise LinesideError("Ultralytics ended; is its environment whole? make setup-train")


def _as_exported(bundle: Bundle, name: str, folder: Path) -> Path:
    """The artefact under the names that Ultralytics gives its own exports, with its facts."""
    source = bundle.folder / name
    channels, *size = bundle.card.inputs[0].shape[1:]
    facts = {
        "task": "detect", "batch": 1, "stride": 32, "imgsz": size, "channels": channels,
        "names": dict(enumerate(bundle.card.labels)),
    }  # fmt: skip
    if source.suffix == ".tflite":  # its facts are a ZIP behind the file's end
        made = Path(shutil.copy(source, folder))
        with ZipFile(made, "a") as behind:
            behind.writestr("metadata.json", json.dumps(facts))
        return made
    if source.suffix != ".xml":  # ours come from its exporter, facts and all
        return source
    made = folder / f"{source.stem}_openvino_model"
    made.mkdir()
    for suffix in (".xml", ".bin"):
        shutil.copy(source.with_suffix(suffix), made / f"model{suffix}")
    (made / "metadata.yaml").write_text(yaml.safe_dump(facts))
    return made
