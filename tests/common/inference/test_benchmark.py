"""The stop-watch behind the figures: interleaved, and after the first calls."""

import os

import pytest

from common.inference.benchmark import (
    busy_cores,
    interleaved,
    machine,
    ratio,
    rss_mb,
    timed_ms,
)


def test_two_pieces_of_work_are_called_in_turn():
    calls = []
    ones, others = interleaved(lambda: calls.append("one"), lambda: calls.append("other"), 4)
    assert len(ones) == len(others) == 4
    assert calls == ["one", "other"] * 7  # three rounds to warm up are not counted
    assert min(ones + others) >= 0


def test_work_that_fails_is_not_timed():
    with pytest.raises(ZeroDivisionError):
        timed_ms(lambda: 1 / 0)


def test_a_ratio_is_that_of_the_medians():
    assert ratio([2.0, 4.0, 400.0], [1.0, 2.0, 3.0]) == 2.0


def test_memory_and_machine_are_those_of_this_process():
    assert 10 < rss_mb() < 100_000
    assert rss_mb(os.getpid()) == pytest.approx(rss_mb(), rel=0.2)
    assert machine()["cores"] == len(os.sched_getaffinity(0))
    assert machine()["cpu"]


def test_busy_cores_end_with_the_block(monkeypatch):
    monkeypatch.setattr("common.inference.benchmark.time.sleep", lambda _: None)
    with busy_cores(1) as nothing:
        assert nothing is None
