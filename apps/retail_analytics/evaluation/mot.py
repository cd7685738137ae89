"""Tracking figures of the field, by TrackEval's formulas: MOTA, IDF1 and HOTA.

Sums over all frames and all people, never means of means. MOTA and IDF1 take a box for
found at IoU 0.5; HOTA is the mean over 0.05 … 0.95 (Luiten et al. 2021).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from common.inference.images import iou

FOUND_IOU = 0.5
ALPHAS = np.arange(0.05, 0.99, 0.05)
TINY = float(np.finfo(float).eps)
Numbers = NDArray[np.int64]
Boxes = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """Truth and tracks of one picture."""

    real: Numbers
    real_boxes: Boxes
    """[n, 4] left, top, right, bottom."""
    found: Numbers
    found_boxes: Boxes
    """[m, 4]."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One picture with people numbered from 0, and how well each fits each."""

    real: Numbers
    found: Numbers
    likeness: NDArray[np.float64]


def figures(frames: Sequence[Frame]) -> dict[str, float]:
    """`mota`, `idf1`, `hota`, `deta`, `assa` and `id_switches` over all frames."""
    somebody = [frame for frame in frames if len(frame.real) or len(frame.found)]
    steps, real, found = _numbered(somebody)
    return {
        **_clear(steps, real),
        "idf1": _idf1(steps, real, found),
        **_hota(steps, real, found),
    }


def _numbered(frames: Sequence[Frame]) -> tuple[list[_Step], int, int]:
    real_ids = sorted({int(i) for frame in frames for i in frame.real})
    found_ids = sorted({int(i) for frame in frames for i in frame.found})
    real_at = {number: index for index, number in enumerate(real_ids)}
    found_at = {number: index for index, number in enumerate(found_ids)}
    steps = [
        _Step(
            np.array([real_at[int(i)] for i in frame.real], np.int64),
            np.array([found_at[int(i)] for i in frame.found], np.int64),
            _likeness(frame),
        )
        for frame in frames
    ]
    return steps, len(real_ids), len(found_ids)


def _likeness(frame: Frame) -> NDArray[np.float64]:
    one = np.asarray(frame.real_boxes, np.float32).reshape(-1, 4)
    other = np.asarray(frame.found_boxes, np.float32).reshape(-1, 4)
    return iou(one, other).astype(np.float64)


def _clear(steps: list[_Step], people: int) -> dict[str, float]:
    hits = wrong = missed = switches = 0
    ever, before = np.full(people, -1), np.full(people, -1)
    for step in steps:
        if not step.likeness.size:  # with nobody to match, what went before stays as it was
            missed += len(step.real)
            wrong += len(step.found)
            continue
        stays = before[step.real][:, None] == step.found[None]
        score = np.where(step.likeness >= FOUND_IOU - TINY, 1000.0 * stays + step.likeness, 0.0)
        rows, columns = linear_sum_assignment(-score)
        kept = score[rows, columns] > TINY
        real, found = step.real[rows[kept]], step.found[columns[kept]]
        switches += int(((ever[real] >= 0) & (ever[real] != found)).sum())
        ever[real] = found
        before[:] = -1
        before[real] = found
        hits += len(real)
        missed += len(step.real) - len(real)
        wrong += len(step.found) - len(found)
    mota = (hits - wrong - switches) / max(1, hits + missed)
    return {"mota": mota, "id_switches": float(switches)}


def _idf1(steps: list[_Step], people: int, tracks: int) -> float:
    together = np.zeros((people, tracks))
    real_views, found_views = np.zeros(people), np.zeros(tracks)
    for step in steps:
        rows, columns = np.nonzero(step.likeness >= FOUND_IOU)
        together[step.real[rows], step.found[columns]] += 1
        real_views[step.real] += 1
        found_views[step.found] += 1
    rows, columns = linear_sum_assignment(-together)
    same = together[rows, columns].sum()
    return float(2 * same / max(1.0, real_views.sum() + found_views.sum()))


def _hota(steps: list[_Step], people: int, tracks: int) -> dict[str, float]:
    likely = np.zeros((people, tracks))
    real_views, found_views = np.zeros((people, 1)), np.zeros((1, tracks))
    for step in steps:
        total = step.likeness.sum(0)[None] + step.likeness.sum(1)[:, None] - step.likeness
        share = np.divide(step.likeness, total, out=np.zeros_like(total), where=total > TINY)
        likely[np.ix_(step.real, step.found)] += share
        real_views[step.real, 0] += 1
        found_views[0, step.found] += 1
    aligned = likely / np.maximum(real_views + found_views - likely, TINY)
    hits = np.zeros(len(ALPHAS))
    matched = np.zeros((len(ALPHAS), people, tracks))
    for step in steps:
        score = aligned[np.ix_(step.real, step.found)] * step.likeness
        rows, columns = linear_sum_assignment(-score)
        enough = step.likeness[rows, columns][None] >= ALPHAS[:, None] - TINY
        hits += enough.sum(1)
        matched[:, step.real[rows], step.found[columns]] += enough
    misses, wrong = real_views.sum() - hits, found_views.sum() - hits
    found_share = hits / np.maximum(1, hits + misses + wrong)
    union = np.maximum(1, real_views[None] + found_views[None] - matched)
    joined = (matched * matched / union).sum((1, 2)) / np.maximum(1, hits)
    return {
        "hota": float(np.sqrt(found_share * joined).mean()),
        "deta": float(found_share.mean()),
        "assa": float(joined.mean()),
    }
