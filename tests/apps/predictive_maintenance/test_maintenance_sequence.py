"""The sequence model's contract, with a network that rebuilds nothing."""

import numpy as np
import pytest

from apps.predictive_maintenance.sequence import CHUNK, sequences_of
from apps.predictive_maintenance.vibration import FEATURES
from common.errors import RuntimeFailure


def shifted(by, count=1, axes=2, steps=4, features=FEATURES):
    return np.full((count, axes, steps, features), by, np.float32)


def test_the_distance_is_what_the_network_could_not_rebuild(model):
    assert model.distances(shifted(0.0)) == pytest.approx([0.0])
    assert model.distances(shifted(1.0)) == pytest.approx([np.arcsinh(1.0)])
    assert model.distances(shifted(-1.0)) == pytest.approx([np.arcsinh(1.0)])
    rising = model.distances(np.concatenate([shifted(by) for by in (0.5, 1.0, 50.0)]))
    assert np.all(np.diff(rising) > 0)


def test_noise_over_the_sequence_counts_little_a_shift_much(model):
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((400, 1, 4, FEATURES)).astype(np.float32)
    assert np.mean(model.distances(noise)) < 0.5
    assert np.mean(model.distances(noise + 1)) > 0.75


def test_features_a_machine_lacks_do_not_count(model):
    half = shifted(1.0)
    half[..., FEATURES // 2 :] = 0.0
    assert model.distances(half) == pytest.approx([np.arcsinh(1.0)])


def test_a_large_plant_is_taken_in_bounded_pieces(model, runtime):
    many = shifted(1.0, count=CHUNK, axes=3)
    assert len(model.distances(many)) == CHUNK
    assert sum(runtime.batches) == 3 * CHUNK
    assert max(runtime.batches) <= CHUNK


def test_before_the_first_window_stands_the_first_window():
    windows = np.arange(3, dtype=np.float32)[:, None, None]
    found = sequences_of(windows, 3)
    assert found.shape == (3, 1, 3, 1)
    assert found[:, 0, :, 0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2]]


def test_a_network_that_fails_is_a_failure_not_a_distance(model, runtime):
    runtime.run = lambda arrays: {"rebuilt": np.full_like(arrays["sequences"], np.nan)}
    with pytest.raises(RuntimeFailure, match="NaN"):
        model.distances(shifted(1.0))
