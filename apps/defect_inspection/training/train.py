"""The recipe: from labelled pictures to a bundle with its card, in one re-runnable go.

1. Where the data's kinds are the board defects we can draw, pretrain on drawn boards:
   labelled data without end, and a set of weights of clean origin on the way.
2. Train on the data, less a tenth that is held out, plus defects drawn onto its real
   defect-free boards.
3. Export, quantise, evaluate every artefact on the held-out tenth and on `val`.

An interrupted run goes on where it stopped.
"""

import os
import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import torch
import yaml

from apps.defect_inspection.artwork import DEFECT_KINDS
from apps.defect_inspection.evaluate import open_dataset, split_held_out
from apps.defect_inspection.training.draw import draw_dataset
from apps.defect_inspection.training.tiles import TileDataset
from apps.defect_inspection.training.trainer import TileTrainer
from common.inference.selection import OpenRuntime

DRAWN_LICENCE = "none needed: every board is drawn by this software"
NEARLY_NOTHING = 0.02  # share of the learning rate that is left at the end of a run


@dataclass(frozen=True)
class Phase:
    """One run of the optimiser; the rate falls in a line."""

    epochs: int
    rate: float
    end: float = NEARLY_NOTHING
    """Share of the rate that is left at the end."""
    traced: bool = True
    """Whether it also learns from defects drawn onto the defect-free boards."""


@dataclass(frozen=True)
class Recipe:
    """What a training run is made of; `small()` is the same in seconds."""

    network: str = "yolo11n.yaml"
    tile_px: int = 320
    batch: int = 32
    drawn_boards: int = 1500
    traced_boards: int = 400
    pretrain: Phase = Phase(7, 0.02)
    phases: tuple[Phase, ...] = (
        Phase(9, 0.015, 0.6), Phase(8, 0.009), Phase(8, 0.006), Phase(32, 0.012, traced=False),
    )  # fmt: skip
    """A warm one, two anneals, and a long one on real boards alone."""
    from_scratch: float = 4 / 3
    """Times the rates where nothing could be pretrained."""
    seed: int = 1


def run(
    data: Path,
    out: Path,
    name: str,
    *,
    open_runtime: OpenRuntime,
    data_licence: str = "as the data's owner says",
    smoke: bool = False,
) -> Path:
    """Train into out/name, export, evaluate, write the cards; returns the bundles' folder."""
    from apps.defect_inspection.training import card  # noqa: PLC0415 - it needs the recipe

    recipe, work = small() if smoke else Recipe(), out / name
    for stage, checkpoint in train(data, work, recipe).items():
        real = stage == "trained"
        facts = card.Facts(
            name=name if real else f"{name}-drawn",
            data=data.name if real else "drawn boards only",
            data_licence=data_licence if real else DRAWN_LICENCE,
            command=f"lineside train defect_inspection --data DIR --name {name}",
            recipe=recipe,
            pictures=tuple(trained_on(data, work, stage)),
        )
        folder = work / "bundles" / facts.name
        card.publish(checkpoint, folder, data, facts, input_size(data), open_runtime)
    return work / "bundles"


def small() -> Recipe:
    """A run of seconds that proves the way through; its weights are worth nothing."""
    one = Phase(1, 0.01)
    return Recipe(batch=4, drawn_boards=8, traced_boards=2, pretrain=one, phases=(one, one))


def train(data: Path, work: Path, recipe: Recipe) -> dict[str, Path]:
    """Train on the YOLO folder `data` inside `work`; returns the checkpoints by name.

    "drawn" is there when the pretraining made one; "trained" always is.
    """
    dataset = open_dataset(data, "train")
    work = work.resolve()  # Ultralytics puts what is relative elsewhere
    work.mkdir(parents=True, exist_ok=True)
    drawable = tuple(dataset.labels) == DEFECT_KINDS
    start, made = None, {}
    if drawable:
        start = made["drawn"] = _pretrain(work, recipe)
    side = _side(dataset.pictures()[0])
    small = side <= recipe.tile_px  # then a picture is one tile, padded
    for number, phase in enumerate(recipe.phases, start=1):
        start = _run(
            work, f"phase-{number}", recipe, start,
            data=_prepare(data, work, recipe if drawable and phase.traced else None),
            size=_multiple_of_32(side) if small else recipe.tile_px,
            tiles=1 if small else 4,
            phase=phase if drawable else _faster(phase, recipe.from_scratch),
        )  # fmt: skip
    made["trained"] = start
    return made


def _faster(phase: Phase, times: float) -> Phase:
    return replace(phase, rate=phase.rate * times)


def _pretrain(work: Path, recipe: Recipe) -> Path:
    folder = work / "drawn"
    if not (folder / "data.yaml").exists():
        draw_dataset(folder, recipe.drawn_boards, recipe.seed)
        draw_dataset(folder, max(4, recipe.drawn_boards // 15), recipe.seed + 1, "val")
    return _run(
        work, "drawn-only", recipe, None, data=folder / "data.yaml",
        size=recipe.tile_px, tiles=4, phase=recipe.pretrain,
    )  # fmt: skip


def _prepare(data: Path, work: Path, recipe: Recipe | None) -> Path:
    """data.yaml of this run: the training pictures, defect-free ones, and traced boards."""
    dataset = open_dataset(data, "train")
    kept, _ = split_held_out(dataset.pictures())
    good = dataset.good()
    sources = [_listed(work / "train.txt", [*kept, *good])]
    if good and recipe is not None:
        traced = work / "traced"
        if not (traced / "data.yaml").exists():
            draw_dataset(traced, recipe.traced_boards, recipe.seed + 2, good=good)
        sources.append(str((traced / "images" / "train").resolve()))
    path = work / "data.yaml"
    names = dict(enumerate(dataset.labels))
    val = _listed(work / "val.txt", open_dataset(data, "val").pictures())
    path.write_text(yaml.safe_dump({"train": sources, "val": val, "names": names}))
    return path


def _listed(path: Path, pictures: list[Path]) -> str:
    """A list of pictures for Ultralytics; their folders stay, labels are found by them."""
    path.write_text("".join(f"{picture.absolute()}\n" for picture in pictures))
    return str(path)


def trained_on(data: Path, work: Path, stage: str) -> list[Path]:
    """Pictures that the weights of a stage have learned from."""
    if stage == "drawn":
        return sorted((work / "drawn" / "images" / "train").glob("*.png"))
    return split_held_out(open_dataset(data, "train").pictures())[0]


def input_size(data: Path) -> int:
    """The network's input: the pictures' longer side, up to a multiple of 32, in px."""
    return _multiple_of_32(_side(open_dataset(data, "train").pictures()[0]))


def _multiple_of_32(length: int) -> int:
    return -(-length // 32) * 32


def _side(picture: Path) -> int:
    image = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    return max(image.shape)


def _run(work: Path, name: str, recipe: Recipe, start: Path | None, **run: Any) -> Path:
    folder = work / "runs" / name
    last = folder / "weights" / "last.pt"
    if (folder / "done").exists():
        return last
    TileDataset.tiles_per_image = run["tiles"]
    random.seed(recipe.seed)
    overrides = {"resume": str(last)} if last.exists() else _overrides(recipe, folder, run)
    if start is not None and not last.exists():
        overrides["pretrained"] = str(start)
    TileTrainer(overrides=overrides).train()
    (folder / "done").write_text(f"{asdict(recipe)}\n")
    return last


def device() -> str:
    """The first GPU where there is one, else the processor."""
    return "0" if torch.cuda.is_available() else "cpu"


def _overrides(recipe: Recipe, folder: Path, run: dict[str, Any]) -> dict[str, Any]:
    off = ("mosaic", "close_mosaic", "scale", "translate", "hsv_h", "hsv_s", "erasing")
    return {
        **dict.fromkeys(off, 0),  # tiles bring their own crops and scales
        "model": recipe.network, "data": str(run["data"]), "imgsz": run["size"],
        "epochs": run["phase"].epochs, "batch": recipe.batch, "nbs": recipe.batch,
        "optimizer": "MuSGD", "lr0": run["phase"].rate, "lrf": run["phase"].end,
        "momentum": 0.9, "warmup_epochs": 0.5, "warmup_bias_lr": 0.0, "hsv_v": 0.2,
        "flipud": 0.5, "fliplr": 0.5, "amp": False, "plots": False, "val": False,
        "device": device(),
        "workers": min(2, (os.cpu_count() or 2) - 1), "project": str(folder.parent),
        "name": folder.name, "exist_ok": True, "cache": False, "auto_augment": None,
        "seed": recipe.seed,
    }  # fmt: skip
