"""Shops that are drawn, by cameras that hang anywhere: labelled pictures without end.

From a corner what is seen of the body is the label; from straight above it is head and
shoulders, which is what the homography of such a camera is set for and what stays where the
person is.
"""

from collections.abc import Iterator

import numpy as np

from apps.retail_analytics.shop.figures import Painter
from apps.retail_analytics.shop.hiding import seen
from apps.retail_analytics.shop.people import Person, Shop
from apps.retail_analytics.shop.view import Pinhole
from apps.retail_analytics.training.pictures import Example

SECONDS_APART = 2.0
SETTLE_S = 20.0
PICTURES_PER_CAMERA = 12
SEEN, BARELY_SEEN = 0.4, 0.05  # shares of a body that are seen: in the labels; not denied


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
    """Boxes in px: people to find, and people who may be missed.

    A box ends where the body that is seen ends, at the picture's edge or at what hides it, as
    in labelled pictures of real people: a network that is taught both ways wavers between.
    """
    sights = seen(camera, people)
    there = [(p, sight) for p, sight in zip(people, sights, strict=True) if sight.share]
    if not there:
        return np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32)
    whole = np.array([camera.body(person.spot, person.height_m) for person, _ in there])
    cut = whole.clip(0, [camera.width, camera.height] * 2)
    visible = np.array([sight.share for _, sight in there]) * _areas(cut) / _areas(whole)
    if not camera.plane_m:
        cut = np.array([sight.box for _, sight in there])
    boxes, sure = cut.astype(np.float32), visible >= SEEN
    return boxes[sure], boxes[~sure & (visible >= BARELY_SEEN)]


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(1))
