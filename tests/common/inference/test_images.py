"""Picture arithmetic against plain reckoning: fitting, writing, decoding, binarising."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.defect_inspection.artwork import BARE, CONDUCTOR, DrawnDefect, draw_board
from apps.defect_inspection.simulate import photograph
from common.inference.images import (
    PAD_GREY,
    TensorWriter,
    area,
    binarise,
    decode_yolo,
    fit,
    iou,
    suppress,
)

RNG = np.random.default_rng(11)
SIDES = st.integers(1, 200)


def noise(*shape):
    return RNG.integers(0, 256, shape, np.uint8)


# ------------------------------------------------------------------ into the network


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from([(), (3,)]))
@settings(deadline=None)
def test_a_picture_of_any_size_fits_centred_on_grey(rows, columns, height, width, channels):
    fitted, how = fit(np.zeros((rows, columns, *channels), np.uint8), height, width)
    assert fitted.shape == (height, width, *channels)
    dark = (fitted.reshape(height, width, -1) == 0).all(2)
    used = dark.any(1).sum(), dark.any(0).sum()
    assert dark.sum() == used[0] * used[1]
    assert used == (max(1, round(rows * how.scale)), max(1, round(columns * how.scale)))
    assert used[0] == height or used[1] == width
    left, right = how.left, width - used[1] - how.left
    top, bottom = how.top, height - used[0] - how.top
    assert right - left in (0, 1)
    assert bottom - top in (0, 1)
    assert (fitted[~dark] == PAD_GREY).all()


@given(
    SIDES.filter(lambda side: side >= 16),
    SIDES.filter(lambda side: side >= 16),
    st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), min_size=1, max_size=5),
)
@settings(deadline=None)
def test_boxes_find_their_way_back(rows, columns, shares):
    how = fit(np.zeros((rows, columns), np.uint8), 96, 64)[1]
    boxes = np.array(shares, np.float32) * [columns, rows, columns, rows]
    shown = boxes * how.scale + [how.left, how.top, how.left, how.top]
    assert (shown >= 0).all()
    assert (shown <= np.array([64, 96, 64, 96]) + 0.5).all()  # half a px is rounding
    np.testing.assert_allclose(how.undo(shown.astype(np.float32)), boxes, atol=1e-3)


def test_a_mark_is_found_where_it_was():
    picture = np.full((300, 500), 255, np.uint8)
    picture[200:240, 100:160] = 0
    fitted, how = fit(picture, 640, 640)
    ys, xs = np.nonzero(fitted < 60)
    seen = np.float32([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]])
    np.testing.assert_allclose(how.undo(seen), [[100, 200, 160, 240]], atol=1.0)


def test_a_picture_that_fits_is_not_touched():
    picture = noise(64, 64)
    fitted, how = fit(picture, 64, 64)
    assert fitted is picture
    assert (how.scale, how.left, how.top) == (1.0, 0, 0)


@pytest.mark.parametrize("shape", [(40, 40), (40, 40, 3)])
def test_the_network_is_given_rgb_from_0_to_1(shape):
    picture = noise(*shape)
    writer = TensorWriter(3, 40, 40)
    writer.write(picture)
    rgb = np.dstack([picture] * 3) if picture.ndim == 2 else picture[:, :, ::-1]
    expected = rgb.transpose(2, 0, 1)[None].astype(np.float32) / 255
    assert writer.tensor.dtype == np.float32
    np.testing.assert_allclose(writer.tensor, expected, rtol=1e-6)
    assert writer.tensor.max() <= 1


@pytest.mark.parametrize("shape", [(30, 50), (30, 50, 3), (70, 20), (1, 90)])
def test_a_fitted_picture_is_written_as_plain_steps_would(shape):
    picture = noise(*shape)
    writer = TensorWriter(3, 40, 40)
    writer.write(picture)
    fitted = fit(picture, 40, 40)[0]
    rgb = np.dstack([fitted] * 3) if fitted.ndim == 2 else fitted[:, :, ::-1]
    np.testing.assert_allclose(writer.tensor[0], rgb.transpose(2, 0, 1) / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(30, 50), (30, 50, 3), (40, 40)])
def test_a_network_of_one_plane_is_given_grey(shape):
    picture = noise(*shape)
    writer = TensorWriter(1, 40, 40)
    writer.write(picture)
    grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    np.testing.assert_allclose(writer.tensor[0, 0], fit(grey, 40, 40)[0] / 255, atol=1e-6)


def test_nothing_of_the_picture_before_stays_in_the_tensor():
    writer, fresh = TensorWriter(3, 40, 40), TensorWriter(3, 40, 40)
    writer.write(noise(40, 40, 3))
    last = noise(10, 40)
    writer.write(last)
    fresh.write(last)
    assert np.array_equal(writer.tensor, fresh.tensor)


# ------------------------------------------------------------------ out of the network

CORNERS = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(0, 20)] * 2)
WHOLE = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 20)] * 2)
FOUND = st.tuples(WHOLE, st.integers(1, 8), st.integers(0, 2))


def naive_iou(one, other):
    """Unit squares counted one by one."""
    cells = [
        {(x, y) for x in range(int(b[0]), int(b[2])) for y in range(int(b[1]), int(b[3]))}
        for b in (one, other)
    ]
    together = len(cells[0] | cells[1])
    return np.float32(len(cells[0] & cells[1])) / np.float32(max(together, 1))


def naive_suppress(boxes, scores, classes, overlap):
    kept = []
    for index in sorted(range(len(boxes)), key=lambda index: -scores[index]):
        if not any(
            classes[index] == classes[other]
            and naive_iou(boxes[index], boxes[other]) > np.float32(overlap)
            for other in kept
        ):
            kept.append(index)
    return kept


@given(st.lists(FOUND, max_size=12), st.sampled_from([0.0, 0.25, 0.45, 0.5, 0.95]))
@settings(deadline=None)
def test_suppression_keeps_what_a_naive_one_keeps(rows, overlap):
    corners = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    boxes = np.hstack([corners[:, :2], corners[:, :2] + corners[:, 2:]])
    scores = np.array([row[1] for row in rows], np.float32) / 8
    classes = np.array([row[2] for row in rows], np.int64)
    kept = suppress(boxes, scores, classes, overlap)
    assert kept.dtype == np.int64
    assert kept.tolist() == naive_suppress(boxes, scores, classes, overlap)


@given(CORNERS, CORNERS)
def test_overlap_is_symmetric_and_counts_squares(one, other):
    boxes = [np.float32([[x, y, x + w, y + h]]) for x, y, w, h in (one, other)]
    overlap = iou(*boxes)
    assert overlap.shape == (1, 1)
    assert overlap[0, 0] == iou(*boxes[::-1])[0, 0] == naive_iou(boxes[0][0], boxes[1][0])
    assert area(boxes[0])[0] == one[2] * one[3]


def test_boxes_that_only_touch_do_not_overlap():
    left, right = np.float32([[0, 0, 10, 10]]), np.float32([[10, 0, 20, 10]])
    assert iou(left, right)[0, 0] == 0
    assert iou(left, np.zeros((0, 4), np.float32)).shape == (1, 0)


def raw_output(*anchors, classes=2):
    """Ultralytics' layout from (centre x, centre y, width, height, scores…) rows."""
    rows = np.array(anchors, np.float32).reshape(-1, 4 + classes)
    return rows.T[None]


def test_an_output_decoded_by_hand():
    output = raw_output(
        (50, 40, 20, 10, 0.1, 0.7),  # class 1 at 40 35 60 45
        (51, 40, 20, 10, 0.0, 0.8),  # the same defect, surer
        (50, 40, 20, 10, 0.6, 0.2),  # the same place, another class
        (10, 10, 8, 6, 0.25, 0.0),  # just at the threshold
        (90, 90, 8, 6, 0.24, 0.2),  # under it
    )
    found = decode_yolo(output, 0.25, 0.45)
    assert found.boxes.tolist() == [[41, 35, 61, 45], [40, 35, 60, 45], [6, 7, 14, 13]]
    assert found.scores.tolist() == pytest.approx([0.8, 0.6, 0.25])
    assert found.classes.tolist() == [1, 0, 0]
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)
    assert found.classes.dtype == np.int64


def test_nothing_over_the_threshold_is_an_empty_result_of_the_right_shape():
    found = decode_yolo(raw_output((1, 1, 1, 1, 0.1, 0.1)), 0.25, 0.45)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == found.classes.shape == (0,)


def test_at_most_so_many_boxes_are_kept_the_best():
    output = raw_output(*((20 * n, 5, 8, 8, 0.3 + n / 100, 0) for n in range(30)))
    found = decode_yolo(output, 0.25, 0.45, limit=5)
    assert found.scores.tolist() == pytest.approx([0.59, 0.58, 0.57, 0.56, 0.55])


# ------------------------------------------------------------------ black and white


def wrong_share(board, seen, margin=2):
    """Share of pixels that came out wrong, those within `margin` of an edge left aside."""
    kernel = np.ones((2 * margin + 1,) * 2, np.uint8)
    sure = cv2.erode(board, kernel) == cv2.dilate(board, kernel)
    return float((seen != board)[sure].mean())


@pytest.mark.parametrize("seed", range(8))
def test_a_drawn_board_comes_back_as_it_was_drawn(seed):
    rng = np.random.default_rng(seed)
    board = draw_board(rng)
    frame, marks = photograph(board, rng, [DrawnDefect("open", (300, 300, 310, 310))])
    left, top = (int(v) for v in marks[0].box[:2])  # how far the board was moved
    moved = np.roll(board, (top - 300, left - 300), (0, 1))
    inner = slice(16, -16), slice(16, -16)
    assert wrong_share(moved[inner], binarise(frame)[inner]) < 1e-3


def board_with(left, top, right, bottom):
    """A bare board with a pour there and thin tracks elsewhere."""
    board = np.full((640, 640), BARE, np.uint8)
    for x in range(20, 640, 40):
        board[:, x : x + 5] = CONDUCTOR
    board[top - 10 : bottom + 10, left - 10 : right + 10] = BARE
    board[top:bottom, left:right] = CONDUCTOR
    return board


def lit(board, light, dark=30, bright=190, noise=3):
    frame = (dark + board / 255 * (bright - dark)) * light
    frame = frame + np.random.default_rng(1).normal(0, noise, board.shape)
    return cv2.GaussianBlur(frame.clip(0, 255).astype(np.uint8), (0, 0), 0.8)


X, Y = np.meshgrid(np.linspace(-1, 1, 640), np.linspace(-1, 1, 640))
LIGHTS = {
    "even": np.ones((640, 640)),
    "from the left": 1 + 0.3 * X,
    "1 : 3 across": 1 + 0.5 * X,  # about the most it stands; one threshold does not
    "from a corner": 1 + 0.2 * X + 0.2 * Y,
    "bright middle": 1.1 - 0.25 * (X * X + Y * Y),
}


@pytest.mark.parametrize("light", LIGHTS.values(), ids=LIGHTS)
@pytest.mark.parametrize(
    "at", [(120, 120, 520, 520), (200, 60, 600, 460), (230, 230, 630, 630)]
)
def test_a_pour_of_400_px_stays_whole_under_uneven_light(light, at):
    board = board_with(*at)
    assert wrong_share(board, binarise(lit(board, light))) < 1e-4


def test_one_threshold_alone_would_not_do():
    board = board_with(120, 120, 520, 520)
    frame = lit(board, LIGHTS["1 : 3 across"])
    plain = cv2.threshold(frame, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    assert wrong_share(board, plain) > 0.1


@pytest.mark.parametrize("light", LIGHTS.values(), ids=LIGHTS)
def test_a_pinhole_and_a_spot_are_seen_under_uneven_light(light):
    board = board_with(120, 120, 520, 520)
    cv2.circle(board, (320, 320), 4, BARE, -1)  # in the middle of the pour
    cv2.circle(board, (70, 570), 4, CONDUCTOR, -1)
    seen = binarise(lit(board, light))
    assert seen[320, 320] == BARE
    assert seen[570, 70] == CONDUCTOR


def test_only_black_and_white_come_out_and_the_frame_is_left_as_it_was():
    frame = noise(100, 120)
    before = frame.copy()
    assert set(np.unique(binarise(frame))) <= {0, 255}
    assert np.array_equal(frame, before)


@pytest.mark.parametrize("shape", [(4, 4), (7, 300), (16, 16), (33, 650)])
def test_small_and_odd_frames_are_binarised_too(shape):
    frame = np.full(shape, 200, np.uint8)
    frame[:, : shape[1] // 2] = 30
    assert binarise(frame).shape == shape
