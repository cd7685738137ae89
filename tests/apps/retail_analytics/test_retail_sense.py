"""Pictures in memory: masked first, two seconds at most, the oldest given up and counted."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.retail_analytics.camera import CameraSettings, MaskSettings
from apps.retail_analytics.config import SenseRules
from apps.retail_analytics.domain import Glance
from apps.retail_analytics.ring import LONGEST_S, Ring
from apps.retail_analytics.sense import Pace, Sense
from apps.retail_analytics.watcher import Watcher
from common.clock import HeldClock
from common.inference.images import PAD_GREY
from common.ports import Sample
from common.quality import Quality
from tests.apps.retail_analytics.retail_rig import FakeCamera, picture

LEFT = MaskSettings("left", ((0.0, 0.0), (320.0, 0.0), (320.0, 480.0), (0.0, 480.0)))


def sample(at, frame=0):
    shown = None if frame is None else picture(frame)[:8, :8]
    return Sample(f"cam/{at}", Glance("cam", shown), 1, at, at)


class Eyes:
    """Two cameras and the step that takes from them."""

    def __init__(self, mask=(), **rules):
        self.clock, news = HeldClock(), threading.Event()
        self.cameras = {name: FakeCamera(name) for name in ("a", "b")}
        settings = [CameraSettings(name, mask=mask) for name in self.cameras]
        made = SenseRules(**rules)
        watchers = [Watcher(self.cameras[s.name], s, made, self.clock, news) for s in settings]
        self.sense = Sense(watchers, made, self.clock, news)
        self.clock.sleep(0.1)

    def show(self, name, number=0, frame=None):
        self.cameras[name].frames.append(picture(number) if frame is None else frame)
        return self.sense.watchers[name].step()


# -------------------------------------------------------------------------------- ring


@given(st.lists(st.floats(0.0, 1.5), min_size=1, max_size=60), st.floats(0.1, 9.0))
def test_no_picture_lives_longer_than_two_seconds_and_none_is_lost_uncounted(steps, seconds):
    ring, now, taken = Ring(seconds), 0.0, 0
    for put, step in enumerate(steps, start=1):
        now += step
        ring.put(sample(now))
        waiting = len(ring._waiting)
        assert all(now - one.monotonic <= min(seconds, LONGEST_S) for one in ring._waiting)
        if put % 3 == 0 and ring.take() is not None:
            taken += 1
            waiting -= 1
        assert put == taken + waiting + ring.dropped


def test_the_newest_picture_is_forgotten_too():
    ring = Ring(1.0)
    ring.put(sample(5.0))
    ring.take()
    assert ring.newest(6.9) is not None
    assert ring.newest(7.1) is None


def test_what_is_given_up_is_counted_and_a_missing_picture_is_none():
    ring = Ring(1.0)
    ring.put(sample(0.0))
    ring.put(sample(0.1, frame=None))
    ring.put(sample(3.0))
    assert ring.dropped == 1


# ----------------------------------------------------------------------------- watcher


def test_masks_are_in_the_pixels_before_the_ring_has_them():
    eyes, frame = Eyes(mask=(LEFT,)), picture(1)
    eyes.show("a", frame=frame)
    held = eyes.sense.watchers["a"].ring.newest(eyes.clock.monotonic())
    assert held is frame  # no copy without masks is left behind
    assert (held[:, :320] == PAD_GREY).all()


def test_a_picture_that_cannot_be_written_to_is_masked_in_a_copy():
    eyes, frame = Eyes(mask=(LEFT,)), picture(1)
    frame.flags.writeable = False
    eyes.show("a", frame=frame)
    held = eyes.sense.watchers["a"].ring.newest(eyes.clock.monotonic())
    assert (held[:, :320] == PAD_GREY).all()


def test_a_new_set_up_leaves_no_picture_with_the_old_masks():
    eyes = Eyes()
    eyes.show("a", 1)
    watcher = eyes.sense.watchers["a"]
    watcher.change(CameraSettings("a", mask=(LEFT,)))
    assert watcher.ring.newest(eyes.clock.monotonic()) is None
    assert eyes.sense(0.0) is None
    eyes.show("a", 2)
    assert (watcher.ring.newest(eyes.clock.monotonic())[:, :320] == PAD_GREY).all()


def test_pictures_are_paced_and_lateness_does_not_pile_up():
    eyes = Eyes()
    rest = eyes.show("a")
    assert rest == pytest.approx(0.0)  # the first is due at once
    rests = []
    for _ in range(10):
        eyes.clock.sleep(rest + 0.01)
        rest = eyes.show("a")
        rests.append(rest)
    assert all(0.0 <= rest <= 1 / 15 for rest in rests)
    eyes.clock.sleep(60.0)
    eyes.show("a")
    assert eyes.show("a") <= 1 / 15  # not nine hundred pictures to catch up on


def test_a_spared_device_is_asked_less_often():
    eyes = Eyes()
    watcher = eyes.sense.watchers["a"]
    watcher.slowdown = 3.0
    eyes.show("a")
    eyes.clock.sleep(0.001)
    assert eyes.show("a") > 2 / 15


def test_a_camera_that_fails_is_a_glance_without_a_picture():
    eyes = Eyes()
    eyes.cameras["a"].away = "unplugged"
    assert eyes.sense.watchers["a"].step() > 0.1
    glance = eyes.sense(0.0)
    assert glance.data.frame is None
    assert glance.quality is Quality.BAD
    assert glance.reason == "gone: fake a: unplugged"


# ------------------------------------------------------------------------------- sense


def test_the_picture_that_waited_longest_comes_first():
    eyes = Eyes()
    for name in ("b", "a", "b"):
        eyes.show(name)
        eyes.clock.sleep(0.01)
    assert [eyes.sense(0.0).data.camera for _ in range(3)] == ["b", "a", "b"]
    assert eyes.sense(0.0) is None


def test_time_of_a_camera_never_goes_back():
    eyes = Eyes(silent_s=0.5)
    eyes.show("a")
    taken = eyes.sense.watchers["a"].ring.take()
    eyes.clock.sleep(0.7)
    silent = [eyes.sense(0.0) for _ in range(2)]
    assert {one.data.camera for one in silent} == {"a", "b"}
    eyes.sense.watchers["a"].ring.put(taken)
    assert eyes.sense(0.0) is None  # its time counts as not observed already
    assert eyes.sense.late == 1


def test_a_silent_camera_is_told_once_in_its_time():
    eyes = Eyes(silent_s=1.0)
    for _ in range(30):
        eyes.clock.sleep(0.1)
        eyes.show("b")
        glances = [eyes.sense(0.0) for _ in range(2)]
        gone = [g for g in glances if g is not None and g.data.camera == "a"]
        assert all(g.reason == "gone: nothing for 1 s" for g in gone)
    assert eyes.sense.age_s("a") is None
    assert eyes.sense.age_s("b") == pytest.approx(0.0, abs=0.2)


@given(st.floats(0.5, 30.0), st.floats(1.0, 10.0))
def test_too_few_pictures_are_told_and_enough_are_not(fps, least):
    pace, now = Pace(least), 0.0
    for _ in range(round(12 * fps) + 2):
        now += 1 / fps
        said = pace.too_slow(now)
    if now > 9.0 and fps < 0.9 * least:
        assert said.startswith("slow: ")
    if fps > 1.1 * least:
        assert said == ""


def test_waiting_ends_when_a_picture_comes():
    eyes = Eyes()
    timer = threading.Timer(0.05, eyes.show, ("a",))
    timer.start()
    found = eyes.sense(5.0)
    timer.join()
    assert found.data.camera == "a"


def test_a_frame_of_no_picture_is_refused_not_looked_at():
    eyes = Eyes()
    eyes.show("a", frame=np.zeros((480, 640, 3), np.float32))
    assert eyes.sense(0.0).reason.startswith("size: not a picture of 8-bit values")
