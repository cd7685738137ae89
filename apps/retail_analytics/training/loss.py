"""What the student is told: boxes by optimal assignment, and what its teacher thinks.

Assignment after Ge et al. 2021 (SimOTA): a person is given to the few cells that already
see it best, as many as their overlaps add up to. Where a label is not sure, no cell is
blamed.
"""

from dataclasses import dataclass

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from apps.retail_analytics.training.network import corners

CENTRE_CELLS = 2.5  # a cell this near to a person's middle may answer for it
MOST_CELLS = 10
BOX_WEIGHT = 5.0
FAR = 1e5
TEACHER_SEES = 0.3
SEES_NOBODY = 0.2  # weight of what it says where it sees nobody


@dataclass(frozen=True)
class Taught:
    """What the teacher says of some pictures of a batch, and how much that counts."""

    boxes: torch.Tensor
    """[b, cells, 4], raw."""
    logits: torch.Tensor
    """[b, cells, 2]."""
    scores_weight: float
    boxes_weight: float


@dataclass(frozen=True)
class Target:
    """One picture's people."""

    boxes: torch.Tensor
    """[n, 4] left, top, right, bottom in px of the input."""
    unsure: torch.Tensor
    """[m, 4], where nobody knows whether there is a person."""
    taught: bool
    """Whether the teacher has something to say: it has never seen drawings."""


def overlaps(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """IoU [n, m] of boxes [n, 4] and [m, 4]."""
    upper = torch.maximum(one[:, None, :2], other[None, :, :2])
    lower = torch.minimum(one[:, None, 2:], other[None, :, 2:])
    common = (lower - upper).clamp(0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(0).prod(1) for boxes in (one, other)]
    return common / (areas[0][:, None] + areas[1][None] - common + 1e-9)


def assign(
    target: torch.Tensor, found: torch.Tensor, scores: torch.Tensor, places: torch.Tensor,
    strides: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Cells that answer for somebody [k], and for whom [k].

    `found` [cells, 4] px and `scores` [cells] are what the network says, `places` [cells, 2]
    the middles of the cells in px.
    """
    inside = ((places[None] > target[:, None, :2]) & (places[None] < target[:, None, 2:])).all(
        2
    )
    middle = (target[:, :2] + target[:, 2:]) / 2
    near = ((places[None] - middle[:, None]).abs() < CENTRE_CELLS * strides.T[..., None]).all(2)
    cells = (inside | near).any(0).nonzero()[:, 0]
    if not len(cells):
        return cells, cells
    inside, near = inside[:, cells], near[:, cells]
    shared = overlaps(target, found[cells])
    likely = -scores[cells].clamp(1e-6).log()
    cost = likely[None] - 3 * (shared + 1e-8).log() + FAR * ~(inside & near)
    taken = torch.zeros_like(cost, dtype=torch.bool)
    most = min(MOST_CELLS, len(cells))
    wanted = shared.topk(most, 1).values.sum(1).int().clamp(1)
    for row, count in enumerate(wanted.tolist()):
        taken[row, cost[row].topk(min(count, most), largest=False).indices] = True
    doubly = taken.sum(0) > 1
    if doubly.any():
        best = cost[:, doubly].argmin(0)
        taken[:, doubly] = False
        taken[best, doubly.nonzero()[:, 0]] = True
    who, columns = taken.nonzero(as_tuple=True)
    return cells[columns], who


def loss(
    boxes: torch.Tensor, logits: torch.Tensor, targets: list[Target], cells: torch.Tensor,
    strides: torch.Tensor, taught: Taught,
) -> torch.Tensor:  # fmt: skip
    """Of one batch: raw boxes [B, cells, 4] and logits [B, cells, 2].

    `taught` holds what the teacher says of those pictures that it can say something of.
    """
    said = iter(zip(corners(taught.boxes, cells, strides), taught.logits, strict=True))
    found, places = corners(boxes, cells, strides), (cells + 0.5) * strides
    total, people = boxes.sum() * 0, 0
    for index, target in enumerate(targets):
        part, answering = _one(found[index], logits[index], target, places, strides)
        total, people = total + part, people + len(answering)
        if target.taught:
            old_found, old_logits = next(said)
            forgotten = _forgotten(logits[index], old_logits, answering)
            total = total + taught.scores_weight * forgotten
            total = total + taught.boxes_weight * _moved(found[index], old_found, old_logits)
    return total / max(1, people)


def _moved(found: torch.Tensor, taught: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """How far the boxes of people that the teacher sees are from the teacher's."""
    likely = logits.sigmoid().prod(1)
    seen = likely > TEACHER_SEES
    shared = paired(found[seen], taught[seen]).clamp(0)
    return BOX_WEIGHT * (likely[seen] * (1 - shared**2)).sum()


def _forgotten(
    logits: torch.Tensor, taught: torch.Tensor, answering: torch.Tensor
) -> torch.Tensor:
    """How far the scores of one picture are from the teacher's; 0 where they agree.

    Whom the teacher sees is to be seen as surely. Where it sees nobody it counts for less, and
    for nothing in the cells that are `answering` for somebody: the labels know of more people.
    """
    wanted = taught.sigmoid()
    said = binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    least = binary_cross_entropy_with_logits(taught, wanted, reduction="none")
    weight = torch.full((len(taught),), SEES_NOBODY)
    weight[answering] = 0.0
    weight[wanted.prod(1) > TEACHER_SEES] = 1.0
    return (weight[:, None] * (said - least)).sum()


def _one(
    found: torch.Tensor, logits: torch.Tensor, target: Target, places: torch.Tensor,
    strides: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """The part of one picture, and which cells answer for somebody."""
    sure, wanted = torch.ones(len(places)), torch.zeros(len(places))
    for box in target.unsure:
        covered = ((places > box[:2]) & (places < box[2:])).all(1)
        sure[covered] = 0.0
    part, answering = found.sum() * 0, torch.zeros(0, dtype=torch.int64)
    if len(target.boxes):
        with torch.no_grad():
            joint = logits.sigmoid().prod(1).sqrt()
            answering, who = assign(target.boxes, found, joint, places, strides)
        shared = paired(found[answering], target.boxes[who])
        wanted[answering], sure[answering] = 1.0, 1.0
        kinds = binary_cross_entropy_with_logits(
            logits[answering, 1], shared.detach().clamp(0), reduction="sum"
        )
        part = part + kinds + BOX_WEIGHT * (1 - shared.clamp(0) ** 2).sum()
    things = binary_cross_entropy_with_logits(logits[:, 0], wanted, reduction="none")
    return part + (things * sure).sum(), answering


def paired(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """IoU [n] of box with box."""
    upper = torch.maximum(one[:, :2], other[:, :2])
    lower = torch.minimum(one[:, 2:], other[:, 2:])
    common = (lower - upper).clamp(0).prod(1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(0).prod(1) for boxes in (one, other)]
    return common / (areas[0] + areas[1] - common + 1e-9)
