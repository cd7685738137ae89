"""The recipe: from few labelled pictures, two teachers and drawn shops to a nano student.

1. The student starts as YOLOX-nano with its class "person" alone.
2. Two teachers look at the real training pictures in larger sizes and add whom the labels
   forget; shops are drawn from corners and from above.
3. The student learns from all of them. On real pictures it is also held to what YOLOX-nano
   itself says of the same look, so that it forgets nothing that these few do not show.
4. Export, quantise, evaluate every artefact on what was held out, write the card.

`data` is a folder with `people/boxes` and `models`. An interrupted run goes on where it
stopped, with the optimiser's memory lost.
"""

import copy
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from apps.retail_analytics.training.drawn import drawn
from apps.retail_analytics.training.labels import Look, complete
from apps.retail_analytics.training.loss import Target, Taught, loss
from apps.retail_analytics.training.network import Nano, blended, grid, pretrained
from apps.retail_analytics.training.pictures import SETS, Example, Looks, real
from apps.retail_analytics.training.recipe import Recipe, small
from apps.retail_analytics.training.teachers import SIDES, nano, retail
from common.inference.selection import OpenRuntime

PRETRAINED = Path("models/yolox_nano_416_coco/yolox_nano.onnx")
RETAIL = Path("models/openvino_person-detection-retail-0013/person-detection-retail-0013.xml")
SAVE_EVERY, TELL_EVERY = 100, 20
SETTLE_AVERAGE = 0.98


def run(
    data: Path, out: Path, name: str, *, open_runtime: OpenRuntime,
    data_licence: str = "as the data's owner says", smoke: bool = False,
) -> Path:  # fmt: skip
    """Train into out/name, export, evaluate, write the card; returns the bundles' folder."""
    from apps.retail_analytics.training import card  # noqa: PLC0415 - it needs the recipe

    recipe, work = small() if smoke else Recipe(), out / name
    work.mkdir(parents=True, exist_ok=True)
    pools = examples(data, work, recipe)
    network = train(data, work, recipe, pools)
    facts = card.Facts(name, data_licence, recipe)
    taught = card.Teaching(pools, teachers(data))
    card.publish(network, data, work / "bundles" / name, facts, taught, open_runtime)
    return work / "bundles"


def train(data: Path, work: Path, recipe: Recipe, pools: list[list[Example]]) -> Nano:
    """The trained network; the state of the work lies in `work`."""
    torch.manual_seed(recipe.seed)
    student = pretrained(data / PRETRAINED)
    done, mean = _resume(work, student)
    batches = _batches(pools, recipe, recipe.seed + done)
    for step in _learn(student, mean, batches, recipe, done, data):
        if step % SAVE_EVERY == 0 or step == recipe.all_steps:
            save(work / "student.npz", step, student)
            save(work / "mean.npz", step, mean)
    return blended(pretrained(data / PRETRAINED), mean, recipe.share)


def examples(data: Path, work: Path, recipe: Recipe) -> list[list[Example]]:
    """Pools to draw from: café, COCO, corner, above, depth."""
    labelled, _ = real(data / "people" / "boxes")
    completed = _completed(labelled, data, work / "labels.npz")
    count, seed = recipe.drawn_pictures, recipe.seed
    kinds = [[one for one in completed if one.kind == kind] for kind in SETS.values()]
    cafe, coco, depth = kinds
    return [
        cafe,
        coco,
        list(drawn("corner", count, seed)),
        list(drawn("above", count, seed + 1)),
        depth,
    ]


def teachers(data: Path) -> list[Look]:
    """YOLOX-nano at two sizes, and person-detection-retail-0013."""
    teacher = pretrained(data / PRETRAINED).to(memory_format=torch.channels_last)
    return [*(nano(teacher, side) for side in SIDES), retail(data / RETAIL)]


def _completed(labelled: list[Example], data: Path, kept: Path) -> list[Example]:
    """With what the teachers add, who are asked once."""
    if not kept.exists():
        made = complete(labelled, teachers(data))
        arrays = {f"boxes_{i}": one.boxes for i, one in enumerate(made)}
        np.savez(kept, **arrays, **{f"unsure_{i}": one.unsure for i, one in enumerate(made)})
    with np.load(kept, allow_pickle=False) as stored:
        return [
            replace(one, boxes=stored[f"boxes_{i}"], unsure=stored[f"unsure_{i}"])
            for i, one in enumerate(labelled)
        ]


def _batches(
    pools: list[list[Example]], recipe: Recipe, seed: int
) -> Iterator[tuple[torch.Tensor, list[Target]]]:
    """Without end; the next one is made while the last one is learned from."""
    random, looks = np.random.default_rng(seed), Looks(recipe.height, recipe.width, seed)

    def make() -> tuple[torch.Tensor, list[Target]]:
        kinds = random.choice(len(recipe.mix), recipe.batch, p=recipe.mix)
        return _tensors([_look(pools, int(kind), random, looks) for kind in kinds])

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(make)
        while True:
            ready, following = following.result(), pool.submit(make)
            yield ready


def _look(
    pools: list[list[Example]], kind: int, random: np.random.Generator, looks: Looks
) -> Example:
    """Kind 0 is one real picture, 1 four of them, then a pool each."""

    def one(pool: list[Example]) -> Example:
        return pool[random.integers(len(pool))]

    if kind > 1:
        return looks.look(one(pools[kind]))
    reals = [one(pools[random.integers(2)]) for _ in range(1 + 3 * kind)]
    return looks.four(reals) if kind else looks.look(reals[0])


def _tensors(shown: list[Example]) -> tuple[torch.Tensor, list[Target]]:
    pictures = np.stack([one.picture.transpose(2, 0, 1) for one in shown])
    targets = [
        Target(torch.tensor(one.boxes), torch.tensor(one.unsure), one.camera) for one in shown
    ]
    return torch.tensor(pictures), targets


def _learn(
    student: Nano, mean: Nano, batches: Iterator[tuple[torch.Tensor, list[Target]]],
    recipe: Recipe, done: int, data: Path,
) -> Iterator[int]:  # fmt: skip
    """Steps of the optimiser, one by one; yields the number of each when it is made."""
    teacher = pretrained(data / PRETRAINED).to(memory_format=torch.channels_last)
    student.train().to(memory_format=torch.channels_last)
    learning = [*student.parameters()]
    for fixed in (*student.start.parameters(), *student.two.parameters()):
        fixed.requires_grad_(False)  # what few pictures cannot improve is not paid for
    optimiser = torch.optim.AdamW(
        [one for one in learning if one.requires_grad], recipe.rate, weight_decay=recipe.decay
    )
    cells, strides = grid(recipe.height, recipe.width)
    began, seen = time.monotonic(), 0.0
    for step in range(done + 1, recipe.all_steps + 1):
        phase = _phase(step, recipe)
        for group in optimiser.param_groups:
            group["lr"] = phase.rate
        pictures, targets = next(batches)
        inputs = pictures.float().contiguous(memory_format=torch.channels_last)
        known = torch.tensor([target.taught for target in targets])
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                edges = teacher.early(inputs)
                said = [answer.float() for answer in teacher.late(edges[known])]
            boxes, logits = student.late(edges)
        taught = Taught(*said, *phase.anchors)
        value = loss(boxes.float(), logits.float(), targets, cells, strides, taught)
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 10.0)
        optimiser.step()
        _follow(mean, student, min(phase.average, step / (step + 10)))
        seen = 0.95 * seen + 0.05 * value.item() if step > done + 1 else value.item()
        if step % TELL_EVERY == 0:
            pace = (time.monotonic() - began) / (step - done)
            told = f"step {step}/{recipe.all_steps}: loss {seen:.3f}, {pace:.2f} s each"
            print(told, flush=True)  # noqa: T201
        yield step


@dataclass(frozen=True)
class _Phase:
    """What one step is made with."""

    rate: float
    anchors: tuple[float, float]
    average: float


def _phase(step: int, recipe: Recipe) -> _Phase:
    """A short rise, half a cosine down; then a line down while more is held."""
    if step > recipe.steps:
        left = (recipe.all_steps + 1 - step) / recipe.settle_steps
        average = min(recipe.average, SETTLE_AVERAGE)
        return _Phase(recipe.settle_rate * left, recipe.settle_anchors, average)
    share = step / recipe.warm_steps
    if step >= recipe.warm_steps:
        way = (step - recipe.warm_steps) / max(1, recipe.steps - recipe.warm_steps)
        share = 0.02 + 0.98 * (1 + math.cos(math.pi * way)) / 2
    return _Phase(recipe.rate * share, recipe.anchors, recipe.average)


def _follow(mean: Nano, student: Nano, stays: float) -> None:
    with torch.no_grad():
        for ours, theirs in zip(mean.parameters(), student.parameters(), strict=True):
            ours.lerp_(theirs, 1 - stays)


def save(path: Path, step: int, network: Nano) -> None:
    """Weights as plain arrays; whole or not at all."""
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    part = path.with_suffix(".part.npz")
    np.savez(part, step=step, **arrays)
    part.replace(path)


def restore(path: Path, network: Nano) -> int:
    """Read what `save` wrote into `network`; returns the step."""
    with np.load(path, allow_pickle=False) as stored:
        state = {name: torch.tensor(stored[name]) for name in network.state_dict()}
        network.load_state_dict(state)
        return int(stored["step"])


def _resume(work: Path, student: Nano) -> tuple[int, Nano]:
    mean = copy.deepcopy(student)
    if not (work / "mean.npz").exists():
        return 0, mean
    restore(work / "student.npz", student)
    return restore(work / "mean.npz", mean), mean
