"""The guard refuses what cannot be judged and lets every usable frame through."""

import cv2
import numpy as np
import pytest

from apps.defect_inspection.artwork import draw_board
from apps.defect_inspection.simulate import photograph
from common.inference.guard import FrameGuard, FrameLimits, halved, sharpness
from common.quality import Quality

USUAL = FrameLimits()
BINARISED = FrameLimits(accept_blank=True, min_sharpness=0, detect_frozen=False)


def frames_of(seed, count):
    rng = np.random.default_rng(seed)
    return [photograph(draw_board(rng), rng, [])[0] for _ in range(count)]


FRAMES = frames_of(seed=11, count=25)
GOOD = FRAMES[0]


def reason(frame, limits=USUAL):
    quality, text = FrameGuard(limits).check(frame)
    assert (quality is Quality.BAD) == bool(text)
    assert quality in (Quality.BAD, Quality.GOOD)
    return text


@pytest.mark.parametrize("frame", FRAMES)
def test_photographed_boards_are_good(frame):
    assert reason(frame, FrameLimits(width=640, height=640, channels=1)) == ""


@pytest.mark.parametrize("noise", [0, 4])
@pytest.mark.parametrize("frame", FRAMES[:8])
def test_the_same_boards_out_of_focus_are_bad(frame, noise):
    rng = np.random.default_rng(1)
    soft = cv2.GaussianBlur(frame, (0, 0), 4) + rng.normal(0, noise, frame.shape)
    assert reason(soft.clip(0, 255).astype(np.uint8)).startswith("out of focus")


def test_the_default_limit_keeps_its_distance_from_both_sides():
    limit = FrameLimits().min_sharpness
    assert min(sharpness(halved(f)) for f in FRAMES) > 1.3 * limit
    assert max(sharpness(halved(cv2.GaussianBlur(f, (0, 0), 4))) for f in FRAMES) < limit / 1.3


def test_sparse_artwork_is_as_sharp_as_full_artwork():
    sparse = np.full((640, 640), 200, np.uint8)
    cv2.line(sparse, (100, 320), (500, 320), 30, 4)
    assert reason(cv2.GaussianBlur(sparse, (0, 0), 1.3)) == ""


@pytest.mark.parametrize(
    ("frame", "start"),
    [
        (np.zeros((640, 640), np.uint8), "black"),
        (np.full((640, 640), 255, np.uint8), "over-exposed"),
        (np.full((640, 640), 120, np.uint8), "no contrast"),
        (np.full((640, 640, 3), 120, np.uint8), "no contrast"),
        (GOOD.astype(np.float32), "wrong kind of frame: float32"),
        (GOOD.astype(np.uint16), "wrong kind of frame: uint16"),
        (None, "wrong kind of frame: NoneType"),
        (np.zeros((640, 640, 4), np.uint8), "wrong form of frame: 640×640×4"),
        (np.zeros((1, 1), np.uint8), "wrong form of frame: 1×1"),
        (np.zeros(0, np.uint8), "wrong form of frame"),
    ],
)
def test_each_reason_is_named(frame, start):
    assert reason(frame).startswith(start)


def test_noise_alone_is_no_contrast():
    rng = np.random.default_rng(2)
    covered = (60 + rng.normal(0, 4, (640, 640))).astype(np.uint8)
    assert reason(covered).startswith("no contrast")


def test_an_empty_back_light_with_fall_off_is_not_a_part():
    bright = np.linspace(150, 220, 640) + np.random.default_rng(3).normal(0, 3, (640, 640))
    assert reason(bright.astype(np.uint8)).startswith("out of focus")


@pytest.mark.parametrize("wrong", [{"width": 641}, {"height": 480}, {"channels": 3}])
def test_another_size_than_set_up_is_refused(wrong):
    assert reason(GOOD, FrameLimits(**wrong)).startswith("wrong size of frame: 640×640×1")


class TestFrozen:
    def test_the_same_picture_again_is_frozen(self):
        guard = FrameGuard(FrameLimits())
        assert guard.check(GOOD)[0] is Quality.GOOD
        assert guard.check(GOOD.copy())[1].startswith("frozen")
        assert guard.check(FRAMES[1])[0] is Quality.GOOD

    def test_one_pixel_of_noise_is_a_new_picture(self):
        guard, other = FrameGuard(FrameLimits()), GOOD.copy()
        other[17, 5] ^= 1  # in a row that the quick comparison leaves out
        guard.check(GOOD)
        assert guard.check(other)[0] is Quality.GOOD

    def test_a_camera_that_reuses_its_buffer_is_not_frozen(self):
        guard, buffer = FrameGuard(FrameLimits()), GOOD.copy()
        guard.check(buffer)
        buffer[:] = FRAMES[1]
        assert guard.check(buffer)[0] is Quality.GOOD

    def test_it_can_be_switched_off(self):
        guard = FrameGuard(FrameLimits(detect_frozen=False))
        assert [guard.check(GOOD)[0] for _ in range(2)] == [Quality.GOOD] * 2


class TestBinarised:
    @pytest.mark.parametrize("value", [255, 250, 128])
    def test_blank_pictures_pass(self, value):
        assert reason(np.full((640, 640), value, np.uint8), BINARISED) == ""

    def test_a_few_black_pixels_on_white_pass(self):
        frame = np.full((640, 640), 255, np.uint8)
        frame[100:104, 100:103] = 0
        assert reason(frame, BINARISED) == ""

    def test_a_black_one_does_not(self):
        assert reason(np.zeros((640, 640), np.uint8), BINARISED).startswith("black")


def test_limits_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="mean_low must be below"):
        FrameLimits(mean_low=200, mean_high=100)
