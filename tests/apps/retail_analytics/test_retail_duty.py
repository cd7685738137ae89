"""Run on motion only, in a shop: "not looked" is never "nobody", and a hold says so."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import Settings, Tracking
from apps.retail_analytics.domain import Glance
from apps.retail_analytics.perceive import Eyes, Perceive
from common.errors import RuntimeFailure
from common.inference.cooling import Cooling
from common.inference.duty import Duty
from common.inference.images import Detections
from common.ports import Sample
from common.quality import Quality

FPS = 15.0
ON = Duty(on_motion_only=True, linger_s=0.4, beat_s=1.0)
CAMERA = CameraSettings("cam")
SHOP = np.random.default_rng(1).integers(60, 180, (480, 640, 3)).astype(np.uint8)


@dataclass
class Network:
    """Finds whoever is in `boxes`; counts how often it is asked."""

    boxes: list = field(default_factory=list)
    asked: int = 0
    failure: RuntimeFailure | None = None

    def begin(self, _picture, _threshold):
        self.asked += 1
        boxes, failure = np.array(self.boxes, np.float32).reshape(-1, 4), self.failure

        def answer():
            if failure:
                raise failure
            count = len(boxes)
            return Detections(boxes, np.full(count, 0.9, np.float32), np.zeros(count, np.int64))

        return answer


class Shop:
    """One camera's perceive, shown pictures 15 a second."""

    def __init__(self, duty=ON):
        self.network = Network()
        self.perceive = Perceive(CAMERA, self.network, Tracking(), duty)
        self.number = 0

    def see(self, frame=SHOP, quality=Quality.GOOD):
        self.number += 1
        rng = np.random.default_rng(self.number)  # no two pictures of a camera are equal
        noisy = (frame + rng.integers(-3, 4, frame.shape)).clip(0, 255).astype(np.uint8)
        now = self.number / FPS
        sample = Sample(str(self.number), Glance("cam", noisy), 1, now, now, quality, "bad")
        return self.perceive(sample)

    def watch(self, seconds, frame=SHOP):
        return [self.see(frame) for _ in range(round(seconds * FPS))]

    def with_somebody(self, x, count=1):
        """The network finds them, and the picture shows them."""
        frame = SHOP.copy()
        frame[200:320, x : x + 50] = 20
        self.network.boxes = [[x, 200, x + 50, 320]] * count
        return frame


def test_switched_off_every_picture_is_looked_at():
    shop = Shop(Duty())
    views = shop.watch(2)
    assert shop.network.asked == len(views)
    assert not any(view.held for view in views)


def test_an_empty_shop_is_held_and_says_so():
    shop = Shop()
    views = shop.watch(10)
    assert shop.network.asked < len(views) / 5
    assert sum(view.held for view in views) == len(views) - shop.network.asked
    assert all(view.quality is Quality.GOOD for view in views)
    times = [view.monotonic for view in views]
    assert times == sorted(set(times))


def test_who_stands_still_stays_under_the_same_id():
    shop = Shop()
    frame = shop.with_somebody(300)
    views = shop.watch(20, frame)
    held = [view for view in views if view.held]
    assert len(held) > len(views) / 2
    ids = {track.id for view in views[3:] for track in view.tracks}
    assert len(ids) == 1
    assert all(len(view.tracks) == 1 for view in held)


def test_who_comes_in_is_looked_at_at_once():
    shop = Shop()
    shop.watch(5)
    asked = shop.network.asked
    view = shop.see(shop.with_somebody(300))
    assert shop.network.asked == asked + 1
    assert not view.held
    assert len(view.tracks) == 1


def test_one_flicker_is_no_person_however_long_nothing_moves():
    """A hit that nobody looked for again confirms nobody."""
    shop = Shop()
    shop.watch(5)
    shop.network.boxes = [[300, 200, 350, 320]]
    while not (view := shop.see()).tracks:
        pass  # until the beat finds it
    shop.network.boxes = []
    assert not any(track.confirmed for v in [view, *shop.watch(5)] for track in v.tracks)


def test_somebody_the_beat_no_longer_finds_is_gone_in_time():
    """Gone without a motion that was seen: the next full runs find out, not the hold."""
    shop = Shop()
    frame = shop.with_somebody(300)
    shop.watch(5, frame)
    shop.network.boxes = []
    views = shop.watch(ON.beat_s + Tracking().lost_s + 0.5, frame)
    assert views[-1].tracks == ()


def test_after_a_bad_view_nothing_of_before_holds():
    shop = Shop()
    shop.watch(5, shop.with_somebody(300))
    bad = shop.see(quality=Quality.BAD)
    assert (bad.quality, bad.tracks, bad.held) == (Quality.BAD, (), False)
    asked = shop.network.asked
    assert not shop.see().held
    assert shop.network.asked == asked + 1


def test_a_network_that_fails_is_no_view_that_could_hold():
    network = Network(failure=RuntimeFailure("npu", "hangs"))
    eyes = Eyes([CAMERA], network, Tracking(), ON)
    for number in range(1, 31):
        now, frame = number / FPS, SHOP.copy()
        frame[0, 0] = number
        view = eyes(Sample(str(number), Glance("cam", frame), number, now, now))
        assert (view.quality, view.reason) == (Quality.BAD, "model: npu: hangs")
    assert network.asked == 30
    assert eyes.failure == "npu: hangs"


@pytest.mark.parametrize("depth", [2, 3])
def test_with_several_under_way_views_come_in_order_and_hold_the_same(depth):
    """Begun ahead, finished in order: the holds are those of their own time."""
    shop, ahead, views = Shop(), [], []
    frame = shop.with_somebody(300)
    for number in range(1, 151):
        now = number / FPS
        noisy = frame.copy()
        noisy[0, :, 0] = number
        sample = Sample(str(number), Glance("cam", noisy), number, now, now)
        ahead.append(shop.perceive.begin(sample))
        if len(ahead) == depth:
            views.append(ahead.pop(0)())
    views += [finish() for finish in ahead]
    assert [view.monotonic for view in views] == [number / FPS for number in range(1, 151)]
    assert any(view.held for view in views)
    assert len({track.id for view in views[5:] for track in view.tracks}) == 1


def test_settings_that_would_lose_people_are_refused():
    good = Settings(camera=(CAMERA,))
    with pytest.raises(ValueError, match=r"duty.beat_s must be below tracking.lost_s"):
        replace(good, duty=replace(ON, beat_s=2.0))
    with pytest.raises(ValueError, match=r"cooling.least_fps below .* blinds it"):
        replace(good, cooling=Cooling(least_fps=2.0))
    with pytest.raises(ValueError, match=r"longer than from picture to picture"):
        replace(good, tracking=Tracking(tentative_s=0.2))
