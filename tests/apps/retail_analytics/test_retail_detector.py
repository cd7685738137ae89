"""What is done beside the network is done fast, and gives what the slow, plain way gives."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.retail_analytics.camera import ViewLimits
from apps.retail_analytics.decoding import Options, yolox
from apps.retail_analytics.detector import Fitter, InputForm
from apps.retail_analytics.sight import SMALL, Sight

SIDES = st.integers(16, 900)


def plainly(rows, options, threshold):
    """YOLOX's boxes cell by cell, as its authors describe them."""
    boxes, number = [], 0
    for stride in options.strides:
        for y in range(int(options.height // stride)):
            for x in range(int(options.width // stride)):
                row = rows[number]
                number += 1
                if row[4] * row[5] >= threshold:
                    middle = (row[0] + x) * stride, (row[1] + y) * stride
                    half = np.exp(row[2]) * stride / 2, np.exp(row[3]) * stride / 2
                    boxes.append([
                        middle[0] - half[0], middle[1] - half[1],
                        middle[0] + half[0], middle[1] + half[1],
                    ])  # fmt: skip
    return np.array(boxes, np.float32).reshape(-1, 4)


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_yolox_boxes_lie_where_their_cells_are(high, wide, seed):
    random = np.random.default_rng(seed)
    strides = (8.0, 16.0, 32.0)
    tensors = {"boxes": ("out", {"strides": strides})}
    options = Options(32 * high, 32 * wide, 1, tensors)
    cells = sum(int(options.height // s) * int(options.width // s) for s in strides)
    rows = random.uniform(-1, 1, (cells, 6)).astype(np.float32)
    rows[:, 4:] = np.abs(rows[:, 4:])
    raw = yolox({"out": rows[None]}, options, 0.3)
    wanted = plainly(rows, options, np.float32(0.3))
    assert raw.boxes == pytest.approx(wanted, abs=1e-3)
    assert (raw.scores >= np.float32(0.3)).all()


@given(SIDES, SIDES, st.sampled_from(["top-left", "centred", "stretched"]))
@settings(deadline=None, max_examples=40)
def test_boxes_come_back_into_the_picture_they_were_found_in(height, width, fit):
    fitter = Fitter(InputForm(96, 128, False, False, 1.0, fit, "float32"))
    back = fitter.write(np.full((height, width, 3), 7, np.uint8))
    y, x = np.nonzero(fitter.tensor[0, 1] == 7)
    shown = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32)
    left, top, right, bottom = back(shown)[0]
    slack = 1.01 * max(width / (x.max() + 1 - x.min()), height / (y.max() + 1 - y.min()))
    assert (left, top) == pytest.approx((0, 0), abs=slack)
    assert (right, bottom) == pytest.approx((width, height), abs=slack)
    outside = back(np.array([[-500, -500, 5000, 5000]], np.float32))[0]
    assert outside.tolist() == [0, 0, width, height]
    assert outside.dtype == np.float32


@pytest.mark.parametrize("size", [(480, 640), (432, 768), (1080, 1920), (120, 160), (90, 100)])
@pytest.mark.parametrize("grey", [False, True])
def test_a_camera_of_any_size_that_is_turned_is_noticed(size, grey):
    random = np.random.default_rng(2)
    coarse = random.integers(0, 255, (9, 12), np.uint8)
    frame = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST)
    frame = frame if grey else np.dstack([frame] * 3)
    turned = np.roll(frame, round(5 * size[1] / SMALL[0]), axis=1)
    sight = Sight(ViewLimits(moved_px=2.5))

    def seen(picture, start, count):
        reasons = []
        for index in range(count):
            noise = random.integers(-3, 4, picture.shape)
            noisy = (picture + noise).clip(0, 255).astype(np.uint8)
            reasons.append(sight.check(noisy, start + index / 5))
        return reasons

    assert set(seen(frame, 0.0, 40)) == {""}
    assert seen(turned, 8.0, 25)[-1].startswith("moved")
