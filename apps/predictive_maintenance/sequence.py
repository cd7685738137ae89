"""The sequence model behind its contract: the last windows in, a distance from normal out.

The network rebuilds a machine's last windows from a few numbers. What it has seen of
healthy machines it can rebuild, other patterns it cannot; the distance is what is left,
averaged over the sequence first, so that the noise of single windows does not count. Its
input is every axis for itself: features over the machine's own noise, arcsinh so that a
wild machine stays a number, 0 where a machine has no such feature.
"""

import numpy as np
from numpy.typing import NDArray

from common.inference.bundle import Model

CHUNK = 512
"""Sequences in one inference at most: bounds the memory of a plant of any size."""


class SequenceModel:
    """Distances of many machines in one inference; raises RuntimeFailure."""

    def __init__(self, model: Model) -> None:
        self.model = model
        """As it was opened."""
        self._input, self._output = model.card.inputs[0].name, model.card.outputs[0].name
        self.steps, self.features = model.card.inputs[0].shape[1:]
        self.name = f"{model.card.name} {model.card.version}"

    def distances(self, sequences: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n] of sequences [n, axes, steps, features], features over noise."""
        count, axes = sequences.shape[:2]
        rows = np.arcsinh(sequences).reshape(count * axes, self.steps, self.features)
        left = np.mean(rows - self._rebuilt(rows), axis=1)
        there = (rows != 0).any(axis=1)
        squares = np.where(there, left**2, 0.0).reshape(count, -1).sum(axis=1)
        used = there.reshape(count, -1).sum(axis=1)
        return np.asarray(np.sqrt(squares / np.maximum(used, 1)), np.float64)

    def history(self, over_noise: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n] of windows in order [n, axes, features]: each with those before it."""
        return self.distances(sequences_of(over_noise, self.steps))

    def run_bare(self, sequences: NDArray[np.float32]) -> object:
        """The inference alone of [n, axes, steps, features]: what a bench compares with."""
        return self._rebuilt(sequences.reshape(-1, self.steps, self.features))

    def close(self) -> None:
        """Free the network."""
        self.model.close()

    def _rebuilt(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = [
            self.model.run({self._input: rows[at : at + CHUNK]})[self._output]
            for at in range(0, len(rows), CHUNK)
        ]
        return np.concatenate(parts)


def sequences_of(windows: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """[n, axes, steps, features] of windows in order [n, axes, features].

    Before the first window stands the first window.
    """
    padded = np.concatenate([np.repeat(windows[:1], steps - 1, axis=0), windows])
    view = np.lib.stride_tricks.sliding_window_view(padded, steps, axis=0)
    return np.ascontiguousarray(view.transpose(0, 1, 3, 2))
