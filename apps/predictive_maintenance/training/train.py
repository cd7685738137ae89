"""The recipe: from healthy time to a network, in one re-runnable go.

1. Healthy sequences of simulated machines and, where the recipe says so, of the healthy
   time in the data.
2. A network that saw them all. Where that includes data, one more per run or machine that
   is left out: only those say how good the method is on what training never saw.
3. The bundle, judged on the data by weights that never saw it, and its card.

What was made is kept in the work folder; an interrupted run goes on where it stopped.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from apps.predictive_maintenance.sequence import sequences_of
from apps.predictive_maintenance.training import card
from apps.predictive_maintenance.training import recipe as recipes
from apps.predictive_maintenance.training.network import Autoencoder, export
from apps.predictive_maintenance.training.recipe import ALL, Recipe, folders
from apps.predictive_maintenance.training.sequences import Source, recorded, simulated
from apps.predictive_maintenance.vibration import FEATURES
from common.inference.selection import OpenRuntime


def run(
    data: Path,
    out: Path,
    name: str,
    *,
    open_runtime: OpenRuntime,
    data_licence: str = "as the data's owner says",
    smoke: bool = False,
) -> Path:
    """Train into out/name, judge, write the card; returns the folder of the bundles.

    Raises ConfigError for data that cannot be read.
    """
    recipe, work = recipes.smoke() if smoke else Recipe(), out / name
    networks = train(data, work, recipe)
    command = f"lineside train predictive_maintenance --data DIR --name {name}"
    facts = card.Facts(name, data.name, data_licence, command, recipe)
    card.publish(networks, work / "bundles" / name, data, facts, open_runtime)
    return work / "bundles"


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
