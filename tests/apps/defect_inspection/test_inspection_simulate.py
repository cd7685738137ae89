"""Drawn boards: a seed is a board, and the truth lies where the picture changed."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.defect_inspection.artwork import (
    BARE,
    BOARD_PX,
    CONDUCTOR,
    DEFECT_KINDS,
    MARGIN_PX,
    add_defects,
    draw_board,
)
from apps.defect_inspection.simulate import (
    SimulatedCamera,
    golden_board,
    make_board,
    photograph,
)
from common.errors import CameraError
from common.ports import Trigger

SEEDS = st.integers(0, 2**32)
BLUR = 4  # px: at the board's edge a box has no air around it
FEW = settings(max_examples=15, deadline=None)


def rng(seed=1):
    return np.random.default_rng(seed)


def changed_inside(board, drawn, box):
    left, top, right, bottom = map(int, box)
    return (board != drawn)[top:bottom, left:right].any()


@FEW
@given(SEEDS)
def test_a_board_is_black_and_white_and_follows_from_its_seed(seed):
    board = draw_board(rng(seed))
    assert board.shape == (BOARD_PX, BOARD_PX)
    assert set(np.unique(board)) <= {CONDUCTOR, BARE}
    assert np.array_equal(board, draw_board(rng(seed)))


@FEW
@given(SEEDS)
def test_defects_lie_where_the_board_changed_and_nowhere_else(seed):
    board = draw_board(rng(seed))
    drawn, defects = add_defects(board, rng(seed), list(DEFECT_KINDS))
    changed = board != drawn
    for defect in defects:
        assert changed_inside(board, drawn, defect.box)
        left, top, right, bottom = map(int, defect.box)
        changed[top:bottom, left:right] = False
    assert not changed.any()


@FEW
@given(SEEDS)
def test_a_box_has_some_air_and_stays_on_the_board(seed):
    board = draw_board(rng(seed))
    drawn, defects = add_defects(board, rng(seed), ["pinhole", "copper"])
    for defect in defects:
        left, top, right, bottom = map(int, defect.box)
        assert 0 <= left < right <= BOARD_PX
        assert 0 <= top < bottom <= BOARD_PX
        ys, xs = np.nonzero((board != drawn)[top:bottom, left:right])
        assert xs.min() in range(MARGIN_PX[0], MARGIN_PX[1]) or left == 0
        assert ys.min() in range(MARGIN_PX[0], MARGIN_PX[1]) or top == 0


@pytest.mark.parametrize("kind", DEFECT_KINDS)
def test_every_kind_can_be_drawn(kind):
    found = [add_defects(draw_board(rng(seed)), rng(seed), [kind])[1] for seed in range(10)]
    assert sum(map(len, found)) >= 8
    assert {defect.kind for defects in found for defect in defects} == {kind}


@pytest.mark.parametrize(
    ("kind", "ink"),
    [("open", BARE), ("mousebite", BARE), ("pinhole", BARE),
     ("short", CONDUCTOR), ("spur", CONDUCTOR), ("copper", CONDUCTOR)],
)  # fmt: skip
def test_a_kind_adds_or_takes_copper(kind, ink):
    for seed in range(5):
        board = draw_board(rng(seed))
        drawn, _ = add_defects(board, rng(seed), [kind])
        assert set(np.unique(drawn[board != drawn])) <= {ink}


def test_where_there_is_no_room_nothing_is_drawn():
    blank = np.full((BOARD_PX, BOARD_PX), BARE, np.uint8)
    drawn, defects = add_defects(blank, rng(), ["open", "short", "mousebite", "pinhole"])
    assert defects == []
    assert np.array_equal(drawn, blank)


def test_the_board_given_is_left_as_it_is():
    board = draw_board(rng())
    before = board.copy()
    add_defects(board, rng(), list(DEFECT_KINDS))
    assert np.array_equal(board, before)


def test_a_real_board_takes_defects_as_well(shared_data):
    """A defect-free picture of a camera, made black and white, as training uses it."""
    scans = sorted((shared_data / "defects" / "deeppcb" / "good").rglob("*.jpg"))
    if not scans:
        pytest.skip("no defect-free DeepPCB scan here")
    grey = cv2.imread(str(scans[0]), cv2.IMREAD_GRAYSCALE)
    board = cv2.threshold(grey, 127, 255, cv2.THRESH_BINARY)[1]
    drawn, defects = add_defects(board, rng(), list(DEFECT_KINDS))
    assert {defect.kind for defect in defects} >= {"open", "mousebite", "spur"}
    assert all(changed_inside(board, drawn, defect.box) for defect in defects)


def test_a_picture_like_board_takes_defects_as_well():
    """Not drawn by us: other widths, rounded by a lens and cut at a threshold."""
    board = np.full((480, 640), BARE, np.uint8)
    for at in range(40, 460, 60):
        cv2.line(board, (0, at), (640, at + 9), CONDUCTOR, 17)
        cv2.circle(board, (at, at), 22, CONDUCTOR, -1)
    board = cv2.threshold(cv2.GaussianBlur(board, (0, 0), 2), 127, 255, cv2.THRESH_BINARY)[1]
    drawn, defects = add_defects(board, rng(), list(DEFECT_KINDS))
    assert {defect.kind for defect in defects} == set(DEFECT_KINDS)
    assert all(changed_inside(board, drawn, defect.box) for defect in defects)


# --- before the camera ----------------------------------------------------------------


@FEW
@given(SEEDS, st.booleans())
def test_a_board_before_the_camera_follows_from_its_seed(seed, defective):
    one, other = (make_board(rng(seed), defective) for _ in range(2))
    assert np.array_equal(one.frame, other.frame)
    assert one.defects == other.defects
    assert (one.frame.shape, one.frame.dtype) == ((640, 640), np.uint8)
    assert bool(one.defects) is defective
    assert len(one.defects) <= 3


SHIFT = 6  # px, the most a board lies off its place


@FEW
@given(SEEDS)
def test_the_truth_moves_with_the_board(seed):
    """A defect is found at its place in the picture although the board is shifted there."""
    board, defects = add_defects(draw_board(rng(seed)), rng(seed), ["copper"])
    clean = photograph(draw_board(rng(seed)), rng(seed), [])[0]
    frame, seen = photograph(board, rng(seed), defects)
    differs = cv2.absdiff(frame, clean) > 40
    for defect in seen:
        left, top, right, bottom = map(int, defect.box)
        reach = BLUR + SHIFT  # what leaves the frame is drawn out to its edge
        rows = slice(max(0, top - reach), bottom + reach)
        differs[rows, max(0, left - reach) : right + reach] = False
    assert len(seen) == len(defects)
    assert not differs.any()


def test_the_golden_board_has_every_kind():
    board = golden_board()
    assert {defect.kind for defect in board.defects} == set(DEFECT_KINDS)
    assert np.array_equal(board.frame, golden_board().frame)


@pytest.fixture(scope="module")
def line_camera():
    return SimulatedCamera(seed=7, defective_share=0.3, pool=4)


def test_a_parts_board_follows_from_its_id(line_camera):
    same = SimulatedCamera(seed=7, defective_share=0.3, pool=4)
    for part_id in (1, 2, 65_535):
        trigger = Trigger(part_id)
        assert line_camera.truth(trigger) == same.truth(trigger)
        assert np.array_equal(line_camera.capture(trigger), same.capture(trigger))


def test_no_two_parts_give_equal_frames(line_camera):
    frames = [line_camera.capture(Trigger(part_id)).tobytes() for part_id in range(1, 60)]
    assert len(set(frames)) == len(frames)


def test_the_share_of_defective_boards_is_kept(line_camera):
    bad = sum(bool(line_camera.truth(Trigger(part_id))) for part_id in range(1, 2001))
    assert bad / 2000 == pytest.approx(0.3, abs=0.05)


def test_a_challenge_piece_is_always_defective(line_camera):
    assert all(line_camera.truth(Trigger(n, challenge=True)) for n in range(1, 50))


@pytest.mark.parametrize(("share", "defective"), [(0.0, False), (1.0, True)])
def test_none_or_all(share, defective):
    camera = SimulatedCamera(seed=1, defective_share=share, pool=2)
    assert {bool(camera.truth(Trigger(n))) for n in range(1, 30)} == {defective}


def test_a_pulled_cable_is_an_error(line_camera):
    line_camera.broken = True
    with pytest.raises(CameraError, match="simulat"):
        line_camera.capture(Trigger(1))
    line_camera.broken = False
    line_camera.capture(Trigger(1))
