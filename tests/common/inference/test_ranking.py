"""Areas under the curves of scores whose ranking is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.inference.ranking import auprc, auroc

SCORES = st.lists(st.integers(0, 9).map(float), min_size=1, max_size=30).map(np.array)


def test_perfect_reversed_and_equal_scores():
    low, high = np.array([0.0, 1.0]), np.array([2.0, 3.0])
    assert auroc(low, high) == auprc(low, high) == 1.0
    assert auroc(high, low) == 0.0
    assert auroc(low, low) == 0.5
    assert auprc(np.zeros(3), np.zeros(1)) == 0.25


def test_a_worked_example():
    good, bad = np.array([0.0, 1.0, 1.0, 2.0]), np.array([1.0, 3.0])
    assert auroc(good, bad) == pytest.approx(6 / 8)
    assert auprc(good, bad) == pytest.approx(0.5 * 1 + 0.5 * 2 / 5)


def test_nothing_to_rank_is_no_figure():
    assert auroc(np.array([]), np.array([1.0])) is None
    assert auprc(np.array([1.0]), np.array([])) is None


@settings(deadline=None)
@given(good=SCORES, bad=SCORES)
def test_the_area_is_the_share_of_pairs_in_order(good, bad):
    pairs = np.sign(bad[:, None] - good[None, :])
    assert auroc(good, bad) == pytest.approx(float((pairs + 1).mean() / 2))
    assert auroc(good, bad) == pytest.approx(1 - auroc(bad, good))
    assert 0 <= auprc(good, bad) <= 1
