"""What cameras, clocks and engineers can give that is wrong: said, marked, not counted."""

import itertools
import math
import sqlite3
from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps import open_retail
from apps.retail_analytics import ledger
from apps.retail_analytics.camera import CameraSettings, MaskSettings
from apps.retail_analytics.config import Privacy, Tracking
from apps.retail_analytics.domain import Crossing, Decision, Glance
from apps.retail_analytics.intervals import CameraIntervals
from apps.retail_analytics.ledger import IntervalRefused
from apps.retail_analytics.masks import Masks
from apps.retail_analytics.perceive import Perceive
from apps.retail_analytics.tracking import MotionTracker
from common.errors import ConfigError
from common.inference.images import PAD_GREY, Detections
from common.ports import Sample
from common.quality import Quality

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC
K = 3

# ------------------------------------------------------ drawings, as app.toml brings them

BOW = [[10, 10], [200, 200], [200, 10], [10, 200]]
FLAT = [[10, 10], [100, 10], [200, 10]]
OUTSIDE = [[10, 10], [700, 10], [10, 200]]
SQUARE_M = [[0, 0], [4, 0], [4, 3], [0, 3]]


def app_toml(folder, drawn):
    path = folder / "app.toml"
    path.write_text(f'[[camera]]\nname = "door"\n{drawn}\n')
    return path


def polygon(kind, points):
    return f'[[camera.{kind}]]\nname = "it"\npolygon = {points}'


def homography(picture, floor=SQUARE_M):
    return f"[camera.homography]\npicture_px = {picture}\nfloor_m = {floor}"


@pytest.mark.parametrize("kind", ["mask", "zone"])
@pytest.mark.parametrize(
    ("points", "why"),
    [
        (OUTSIDE, r"\(700, 10\) is outside the picture of 640×480 px"),
        (BOW, "crosses itself"),
        (FLAT, "no area"),
        ([[10, 10], [20, 20]], "needs 3 or more"),
        ([], "needs 3 or more"),
        ([[10, 10, 1], [20, 10, 1], [20, 20, 1]], r"every point is \[x, y\]"),
        ("[[nan, 0], [1, 0], [1, 9]]", "outside|finite|number"),
        ("[[inf, 0], [1, 0], [1, 9]]", "outside|finite|number"),
        ([[10, 10], ["a", 10], [20, 20]], "polygon"),
        ([[-1, 10], [20, 10], [20, 20]], "outside the picture"),
    ],
)
def test_a_wrong_mask_or_zone_is_one_line_that_names_it(tmp_path, kind, points, why):
    path = app_toml(tmp_path, polygon(kind, points))
    with pytest.raises(ConfigError, match=why) as refused:
        open_retail.load(path, [])
    assert "\n" not in str(refused.value)
    assert "app.toml" in str(refused.value)


@pytest.mark.parametrize(
    ("drawn", "why"),
    [
        (homography([[0, 0], [100, 0], [200, 0], [300, 0]]), "in one row"),
        (homography([[5, 5], [5, 5], [5, 5], [5, 5]]), "in one row"),
        (homography([[0, 0], [100, 0], [100, 100]]), "four or more"),
        (homography([[0, 0], [640, 0], [640, 480], [0, 480]], [[0, 0]] * 4), "in one row"),
        (homography([[0, 0], [640, 480], [640, 0], [0, 480]]), "horizon"),
    ],
)
def test_a_homography_that_maps_nothing_is_one_line(tmp_path, drawn, why):
    with pytest.raises(ConfigError, match=why) as refused:
        open_retail.load(app_toml(tmp_path, drawn), [])
    assert "\n" not in str(refused.value)


def test_a_line_behind_the_horizon_is_refused(tmp_path):
    near_only = homography([[200, 300], [440, 300], [640, 480], [0, 480]])
    line = '[[camera.line]]\nname = "far"\npoints = [[10, 10], [600, 10]]'
    with pytest.raises(ConfigError, match="horizon"):
        open_retail.load(app_toml(tmp_path, f"{line}\n{near_only}"), [])


SPECIAL = [0.0, 640.0, 480.0, math.inf, math.nan]
coordinates = st.floats(-50, 700) | st.sampled_from(SPECIAL)


@given(st.lists(st.tuples(coordinates, coordinates), max_size=7))
def test_any_mask_is_refused_or_covers_only_its_own_box(points):
    try:
        camera = CameraSettings("cam", mask=(MaskSettings("it", tuple(points)),))
    except ValueError:
        return
    frame = np.zeros((480, 640, 3), np.uint8)
    assert Masks(camera).burn(frame) == ""
    covered = np.argwhere(frame[:, :, 0] == PAD_GREY)
    assert len(covered)
    x, y = zip(*points, strict=True)
    assert covered[:, 1].min() >= math.floor(min(x)) - 1
    assert covered[:, 1].max() <= math.ceil(max(x)) + 1
    assert covered[:, 0].min() >= math.floor(min(y)) - 1
    assert covered[:, 0].max() <= math.ceil(max(y)) + 1


# ----------------------------------------------------------- pictures that are none of ours


class Seen:
    """A detector that remembers whether it was shown anything."""

    def __init__(self):
        self.shown = 0

    def begin(self, *_):
        self.shown += 1
        nobody = np.zeros((0, 4), np.float32)
        return lambda: Detections(nobody, np.zeros(0, np.float32), np.zeros(0, np.int64))

    def detect(self, *shown):
        return self.begin(*shown)()


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((480, 640, 4), np.uint8),
        ((480, 640, 1), np.uint8),
        ((480, 640, 3), np.uint16),
        ((480, 640, 3), np.float32),
        ((640, 480, 3), np.uint8),
        ((240, 320, 3), np.uint8),
        ((1, 1, 3), np.uint8),
        ((0, 0, 3), np.uint8),
        ((3, 480, 640), np.uint8),
        ((480,), np.uint8),
    ],
)
def test_a_picture_of_another_form_is_not_looked_at_and_wiped(shape, kind):
    network, frame = Seen(), np.full(shape, 77, kind)
    view = Perceive(CameraSettings("cam"), network, Tracking())(
        Sample("1", Glance("cam", frame), 1, 1.0, 1.0)
    )
    assert (view.quality, view.tracks) == (Quality.BAD, ())
    assert view.reason.startswith("size")
    assert network.shown == 0
    assert not (frame == 77).any()


def test_a_picture_in_a_wider_buffer_is_a_picture():
    """Some drivers hand out a part of their own memory."""
    wide = np.random.default_rng(1).integers(0, 255, (480, 700, 3), dtype=np.uint8)
    network = Seen()
    view = Perceive(CameraSettings("cam"), network, Tracking())(
        Sample("1", Glance("cam", wide[:, 20:660]), 1, 1.0, 1.0)
    )
    assert (view.quality, network.shown) == (Quality.GOOD, 1)


def test_grey_pictures_are_pictures():
    grey = cv2.cvtColor(
        np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8),
        cv2.COLOR_BGR2GRAY,
    )
    network = Seen()
    view = Perceive(CameraSettings("cam"), network, Tracking())(
        Sample("1", Glance("cam", grey), 1, 1.0, 1.0)
    )
    assert (view.quality, network.shown) == (Quality.GOOD, 1)


# ----------------------------------------------- pictures that come when they like


@given(
    st.lists(
        st.tuples(st.floats(0.001, 30.0), st.booleans(), st.floats(-80, 80)),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from([0.5, 1.7]),
)
@example([(5.0, True, 0.0), (27.943193442142462, True, 0.0)], 0.5)
@example([(0.066, True, 0.0)] * 5 + [(20.0, True, 0.0), (9.0, True, 0.0)] * 3, 0.5)
def test_irregular_pictures_never_make_an_uncertainty_negative(seen, person_m):
    """One was: after gaps under load, the tracker's costs were no numbers, and views failed."""
    tracker, now = MotionTracker(Tracking(), person_m), 0.0
    for step, there, away in seen:
        now += step
        box = np.array([[300.0 + away, 200.0, 340.0 + away, 300.0]])[: int(there)]
        tracker.update(box, np.full(len(box), 0.9), now)
        for one in tracker._people:
            assert one.place_var > 0
            assert one.speed_var >= 0
            assert one.covariance**2 <= one.place_var * one.speed_var * (1 + 1e-9)


# ------------------------------------------- any day: clocks that jump, blindness, restarts

STEP_S = 5.0
days = st.lists(
    st.one_of(
        st.tuples(st.just("watch"), st.integers(1, 200), st.integers(0, 3)),
        st.tuples(st.just("blind"), st.integers(1, 200), st.just(0)),
        st.tuples(st.just("clock"), st.integers(-4000, 4000), st.just(0)),
        st.tuples(st.just("restart"), st.integers(0, 900), st.just(0)),
        st.tuples(st.just("power failure"), st.integers(0, 900), st.just(0)),
    ),
    max_size=12,
)


class Day:
    """One camera and its ledger; what really crossed is known."""

    def __init__(self):
        self.rules = Privacy(interval_min=15, k=K, merge_up_to_min=60)
        self.kept = sqlite3.connect(":memory:")
        ledger.create(self.kept)
        self.wall, self.now, self.crossed, self.tracks = NOON + 100.0, 0.0, 0, itertools.count()
        self.start()

    def start(self):
        until = ledger.closed_until(self.kept, "cam", self.wall)
        self.intervals = CameraIntervals("cam", ("door",), (), self.rules, until)

    def keep(self, closed):
        for record in closed:
            with suppress(IntervalRefused):  # as the recorder does: by a wrong clock twice
                ledger.put(self.kept, record)

    def live(self, seconds, people, *, usable=True):
        for _ in range(-(-seconds // int(STEP_S))):
            self.wall, self.now = self.wall + STEP_S, self.now + STEP_S
            crossings = tuple(
                Crossing("door", "in", next(self.tracks), self.now)
                for _ in range(people * usable)
            )
            self.crossed += len(crossings)
            decision = Decision(
                "cam", self.now, STEP_S, usable, "" if usable else "dark: 3",
                crossings, present={},
            )  # fmt: skip
            self.keep(self.intervals.add(decision, self.wall))

    def do(self, what, amount, people):
        if what in ("watch", "blind"):
            self.live(amount, people, usable=what == "watch")
        elif what == "clock":
            self.wall += amount
        else:
            if what == "restart":
                self.keep(self.intervals.finish())
            self.wall, self.now = self.wall + amount, self.now + amount
            self.start()

    def published(self):
        return ledger.read(self.kept, "cam", 0, 4_000_000_000)


@settings(max_examples=150)
@given(days)
@example([("watch", 200, 1), ("clock", -900, 0), ("watch", 200, 1), ("restart", 0, 0)] * 3)
@example([("watch", 200, 1), ("clock", 3600, 0), ("restart", 1, 0), ("clock", -3600, 0)] * 3)
def test_whatever_clock_and_power_do_nobody_is_counted_twice(day):
    """Every interval is kept once, aligned, in order; told counts never exceed the truth."""
    shop = Day()
    for what, amount, people in day:
        shop.do(what, amount, people)
    shop.keep(shop.intervals.finish())
    told = shop.published()
    starts = [record["interval_start"] for record in told]
    assert starts == sorted(set(starts))
    assert all(start % 900 == 0 for start in starts)
    counts = [record["lines"][0]["in"] for record in told]
    assert all(count is None or count == 0 or count >= K for count in counts)
    assert sum(count or 0 for count in counts) <= shop.crossed
    for record in told:
        if not record["usable"]:
            assert record["lines"][0]["in"] is None
        if record["quality"]["observed_s"] < 0.7 * 900 and record["usable"]:
            assert record["partial"]
