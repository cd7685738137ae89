"""Shops that are drawn, by cameras that hang anywhere: labelled pictures without end.

From a corner the whole body is the label; from straight above it is head and shoulders,
which is what the homography of such a camera is set for and what stays where the person is.
"""

from collections.abc import Iterator

import numpy as np

from apps.retail_analytics.shop.figures import Painter
from apps.retail_analytics.shop.people import Person, Shop
from apps.retail_analytics.shop.view import Pinhole
from apps.retail_analytics.training.pictures import Example

SECONDS_APART = 2.0
SETTLE_S = 20.0
PICTURES_PER_CAMERA = 12
SEEN, BARELY_SEEN = 0.6, 0.15  # shares of a body in the picture: in the labels; not denied
HIDDEN = 0.7  # share of a body behind others from which nobody need find it


def drawn(view: str, count: int, seed: int) -> Iterator[Example]:
    """`count` labelled pictures; `view` is `corner` or `above`."""
    random = np.random.default_rng(seed)
    while count > 0:
        camera = any_camera(view, random)
        shop = Shop(int(random.integers(1 << 30)), float(random.uniform(4, 40)))
        painter = Painter(camera, int(random.integers(1 << 30)))
        _play(shop, SETTLE_S)
        for _ in range(min(count, PICTURES_PER_CAMERA)):
            _play(shop, SECONDS_APART)
            boxes, unsure = labels(camera, shop.people)
            yield Example(
                painter.picture(shop.people, shop.now), boxes, unsure, f"drawn {view}"
            )
        count -= PICTURES_PER_CAMERA


def _play(shop: Shop, seconds: float) -> None:
    for _ in range(round(seconds * 4)):
        shop.step(0.25)


def any_camera(view: str, random: np.random.Generator) -> Pinhole:
    """A camera over the simulated shop that nobody has hung up before."""
    if view == "above":
        x, y, high = random.uniform([2, 0, 3.2], [8, 6, 5.0])
        lean = random.uniform(-0.25, 0.25, 2)
        target = (x + lean[0], y + lean[1], 0.0)
        return Pinhole((x, y, high), target, float(random.uniform(260, 420)), plane_m=1.5)
    side = random.choice([-1, 1])
    place = (5 + side * random.uniform(2, 6.5), random.uniform(-3.5, 1), random.uniform(2.4, 5))
    target = (5 - side * random.uniform(-1, 2), random.uniform(2, 5), random.uniform(0, 1))
    return Pinhole(place, target, float(random.uniform(300, 560)))


def labels(camera: Pinhole, people: list[Person]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes in px, cut at the picture's edge: people to find, and people who may be missed."""
    boxes, whole, far = [], [], []
    for person in people:
        middle = np.array([[*person.spot, 0.5 * person.height_m]])
        depth = float(camera.depths(middle)[0])
        if depth < 0.5:
            continue
        box = np.array(camera.body(person.spot, person.height_m))
        cut = box.clip(0, [camera.width, camera.height] * 2)
        boxes.append(cut)
        whole.append(_area(cut) / max(_area(box), 1e-9))
        far.append(depth)
    empty = np.zeros((0, 4), np.float32)
    if not boxes:
        return empty, empty
    cuts, share = np.array(boxes, np.float32), np.array(whole)
    visible = share * (1 - _covered(cuts, np.array(far), HIDDEN if not camera.plane_m else 2.0))
    sure, some = visible >= SEEN, visible >= 0
    unsure = some & ~sure & (share >= BARELY_SEEN)
    return cuts[sure], cuts[unsure]


def _area(box: np.ndarray) -> float:
    return float(np.prod((box[2:] - box[:2]).clip(0)))


def _covered(boxes: np.ndarray, depths: np.ndarray, limit: float) -> np.ndarray:
    """1 where one nearer box covers more than `limit` of a box, else 0."""
    covered = np.zeros(len(boxes))
    for i, box in enumerate(boxes):
        for j, other in enumerate(boxes):
            if depths[j] < depths[i]:
                common = np.concatenate(
                    [np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])]
                )
                if _area(common) > limit * _area(box):
                    covered[i] = 1.0
    return covered
