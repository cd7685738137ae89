"""The recipe: from healthy time to a network, in one re-runnable go.

1. Healthy sequences of simulated machines and, where the recipe says so, of the healthy
   time in the data.
2. A network that saw them all. Where that includes data, one more per run or machine that
   is left out: only those say how good the method is on what training never saw.

What was made is kept in the work folder; an interrupted run goes on where it stopped.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from apps.predictive_maintenance.evaluate import INDEX
from apps.predictive_maintenance.sequence import sequences_of
from apps.predictive_maintenance.training.network import Autoencoder, export
from apps.predictive_maintenance.training.sequences import Source, recorded, simulated
from apps.predictive_maintenance.vibration import FEATURES
from common.errors import ConfigError

ALL = "all"


@dataclass(frozen=True)
class Recipe:
    """What a training run is made of; `smoke()` is the same in seconds."""

    machines: int = 12
    weeks: float = 2.0
    """Of each simulated machine; its first week is its baseline."""
    real_share: float = 0.0
    """Of the sequences in a batch that come from the data; 0: the data only judges. On the
    runs at hand learning from them made no difference that their number could show."""
    steps: int = 16
    """Windows in a sequence."""
    hidden: int = 32
    code: int = 8
    """Numbers that a sequence is rebuilt from."""
    updates: int = 3000
    batch: int = 128
    rate: float = 3e-3
    fewer_bands: float = 0.3
    """Chance that a sequence loses its top bands: sensors with a lower rate."""
    seed: int = 1


def smoke() -> Recipe:
    """A run of seconds that proves the way through; its network is worth nothing."""
    return Recipe(machines=2, weeks=0.15, updates=20)


def folders(data: Path) -> list[Path]:
    """`data`, or those of its folders that hold an index.csv; raises ConfigError."""
    found = (
        [data]
        if (data / INDEX).is_file()
        else sorted(p.parent for p in data.glob(f"*/{INDEX}"))
    )
    if not found:
        raise ConfigError(f"{data}: neither it nor a folder in it holds {INDEX}")
    return found


def train(data: Path, work: Path, recipe: Recipe) -> dict[str, Path]:
    """ONNX files: `ALL` saw everything, the others all but the source they are named by."""
    torch.set_num_threads(1)
    work.mkdir(parents=True, exist_ok=True)
    sources = list(simulated(work / "simulated", recipe.machines, recipe.weeks))
    if recipe.real_share:
        sources += [source for folder in folders(data) for source in recorded(folder)]
    made = {}
    for left_out in [ALL, *dict.fromkeys(s.name for s in sources if not s.simulated)]:
        path = work / f"{left_out.replace(' ', '-')}.onnx"
        learned = [source for source in sources if source.name != left_out]
        if not _made_by(path, recipe):
            export(_fit(learned, recipe), recipe.steps, FEATURES, path)
            path.with_suffix(".json").write_text(json.dumps(asdict(recipe)))
        made[left_out] = path
    return made


def _made_by(path: Path, recipe: Recipe) -> bool:
    note = path.with_suffix(".json")
    return path.exists() and note.exists() and json.loads(note.read_text()) == asdict(recipe)


def _fit(sources: list[Source], recipe: Recipe) -> Autoencoder:
    """A network that rebuilds the sources' sequences; the rate falls along a cosine."""
    torch.manual_seed(recipe.seed)
    network = Autoencoder(FEATURES, recipe.hidden, recipe.code)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.updates)
    batches = _batches(sources, recipe)
    for _ in range(recipe.updates):
        batch = torch.from_numpy(next(batches))
        there = (batch != 0).any(dim=1, keepdim=True)
        loss = ((network(batch) - batch) ** 2 * there).sum() / there.expand_as(batch).sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return network


def _batches(sources: list[Source], recipe: Recipe) -> Iterator[np.ndarray]:
    """Batches [batch, steps, features] without end, every source as likely as its like."""
    rng = np.random.default_rng(recipe.seed)
    pools = [(s.simulated, _sequences(s, recipe.steps)) for s in sources]
    kinds = {
        real: [pool for is_sim, pool in pools if is_sim is not real] for real in (True, False)
    }
    share = recipe.real_share if kinds[True] else 0.0
    while True:
        rows = []
        for _ in range(recipe.batch):
            likes = kinds[bool(rng.random() < share)]
            pool = likes[int(rng.integers(len(likes)))]
            rows.append(pool[int(rng.integers(len(pool)))])
        batch = np.stack(rows)
        for row in np.flatnonzero(rng.random(recipe.batch) < recipe.fewer_bands):
            batch[row, :, int(rng.integers(16, 24)) : 24] = 0.0
        yield batch


def _sequences(source: Source, steps: int) -> np.ndarray:
    """[n, steps, features], every axis for itself, as the network sees them."""
    found = np.arcsinh(sequences_of(source.over_noise, steps))
    return np.ascontiguousarray(found.reshape(-1, *found.shape[2:]), np.float32)
