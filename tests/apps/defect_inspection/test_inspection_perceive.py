"""The shipped model behind its contract: defects in mm, and no verdict on a bad frame."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from apps.defect_inspection.config import KindRule, Recipe
from apps.defect_inspection.domain import Shot
from apps.defect_inspection.golden import Golden, known_board
from apps.defect_inspection.perceive import Perceive, prepare, to_defects
from apps.defect_inspection.simulate import golden_board, make_board
from common.errors import BundleError, ConfigError, RuntimeFailure
from common.inference.bundle import Model
from common.inference.images import Detections, iou
from common.ports import Sample, Trigger
from common.quality import Quality

BOARD = golden_board()
WHITE = np.full((640, 640), 255, np.uint8)


@pytest.fixture
def perceive(choice, shipped, clock):
    """New for each test: its guards remember the frame before."""
    recipes = {int(key): recipe for key, recipe in shipped.recipes.items()}
    return Perceive(choice.model, recipes, clock)


def shot(frame, recipe_id=1, part_id=7, monotonic=0.0, **trigger):
    found = Shot(Trigger(part_id, recipe_id=recipe_id, **trigger), frame)
    return Sample(f"1/{part_id}", found, 1, 0.0, monotonic)


def overlaps(one, other):
    return float(iou(np.array([one], np.float32), np.array([other], np.float32))[0, 0])


# --- what it sees ---------------------------------------------------------------------


def test_defects_are_found_where_they_were_drawn(perceive):
    found = perceive(shot(BOARD.frame))
    assert (found.quality, found.reason) == (Quality.GOOD, "")
    sure = [defect for defect in found.defects if defect.score >= 0.4]
    best = (max(overlaps(d.box_px, true.box) for true in BOARD.defects) for d in sure)
    assert max(best) > 0.3  # how many are found is `lineside evaluate`'s business


def test_scores_boxes_and_sizes_are_in_range(perceive, shipped):
    recipe = shipped.recipe(1)
    scores = []
    for defect in perceive(shot(BOARD.frame)).defects:
        left, top, right, bottom = defect.box_px
        assert 0 <= left < right <= 640
        assert 0 <= top < bottom <= 640
        longer = max(right - left, bottom - top)
        assert defect.size_mm == pytest.approx(longer * recipe.mm_per_px)
        middle = ((left + right) / 2 * recipe.mm_per_px, (top + bottom) / 2 * recipe.mm_per_px)
        assert defect.centre_mm == pytest.approx(middle)
        assert recipe.default.hold_score <= defect.score <= 1
        scores.append(defect.score)
    assert scores == sorted(scores, reverse=True)


def test_sizes_in_mm():
    boxes = np.array([[10, 20, 58, 44], [0, 0, 24, 96]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.8], np.float32), np.array([1, 0]))
    wide, tall = to_defects(found, ("open", "short"), 1 / 48)
    assert (wide.kind, wide.size_mm) == ("short", 1.0)
    assert wide.centre_mm == pytest.approx((34 / 48, 32 / 48))
    assert (tall.kind, tall.size_mm) == ("open", 2.0)


def test_the_age_counts_from_the_trigger_and_the_trigger_goes_along(perceive, clock):
    clock.sleep(10.0)
    found = perceive(shot(WHITE, part_id=9, monotonic=9.875, challenge=True))
    assert (found.part_id, found.age_ms, found.challenge) == (9, 125.0, True)


def test_a_kind_with_a_lower_hold_score_is_looked_for_as_low(perceive, shipped):
    recipe = shipped.recipe(1)
    kinds = {"short": KindRule(0.01, 0.4)}
    assert len(perceive.inspect(BOARD.frame, replace(recipe, kinds=kinds))) > len(
        perceive.inspect(BOARD.frame, recipe)
    )


# --- what it refuses to judge ---------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (np.zeros((640, 640), np.uint8), "black"),
        (WHITE, "over-exposed"),
        (np.full((640, 640), 128, np.uint8), "no contrast"),
        (cv2.GaussianBlur(BOARD.frame, (0, 0), 8), "out of focus"),
        (BOARD.frame[:480], "wrong size"),
        (cv2.resize(BOARD.frame, (1280, 1280)), "wrong size"),
        (BOARD.frame.astype(np.uint16) * 256, "wrong kind"),
        (BOARD.frame.astype(np.float32), "wrong kind"),
        (cv2.cvtColor(BOARD.frame, cv2.COLOR_GRAY2BGR), "wrong size"),
        (np.zeros((0, 640), np.uint8), "wrong form"),
        (np.dstack([BOARD.frame] * 4), "wrong form"),
    ],
    ids=[
        "black", "white", "grey", "blurred", "cut", "large", "16-bit", "float", "colour",
        "empty", "4 channels",
    ],
)  # fmt: skip
def test_a_bad_frame_is_bad_with_a_reason_and_has_no_defects(perceive, frame, reason):
    found = perceive(shot(frame))
    assert found.quality is Quality.BAD
    assert found.reason.startswith(reason)
    assert found.defects == ()


def test_a_frozen_camera_stays_frozen_when_the_product_changes(choice, shipped, clock):
    recipe = shipped.recipe(1)
    perceive = Perceive(choice.model, {1: recipe, 3: recipe}, clock)
    assert perceive(shot(BOARD.frame)).quality is Quality.GOOD
    assert perceive(shot(BOARD.frame, recipe_id=3)).reason.startswith("frozen")


def test_a_frozen_camera_is_noticed_and_the_next_new_frame_is_good_again(perceive):
    other = make_board(np.random.default_rng(5), defective=False).frame
    frames = (BOARD.frame, BOARD.frame, BOARD.frame.copy(), other)
    qualities = [perceive(shot(frame)).quality for frame in frames]
    assert qualities == [Quality.GOOD, Quality.BAD, Quality.BAD, Quality.GOOD]


def test_an_unknown_recipe_is_no_reason_to_guess(perceive):
    found = perceive(shot(BOARD.frame, recipe_id=9))
    assert (found.quality, found.reason) == (Quality.BAD, "recipe not known")
    assert found.recipe_id == 9
    assert found.defects == ()


def test_scans_may_be_white_and_in_colour(perceive):
    for frame in (WHITE, np.dstack([WHITE] * 3)):
        assert perceive(shot(frame, recipe_id=2)).quality is Quality.GOOD


def test_binarising_makes_black_and_white_of_grey_and_colour():
    recipe = Recipe("grey", binarise=True)
    grey = prepare(BOARD.frame, recipe)
    colour = prepare(cv2.cvtColor(BOARD.frame, cv2.COLOR_GRAY2BGR), recipe)
    assert set(np.unique(grey)) == {0, 255}
    assert np.array_equal(grey, colour)
    assert prepare(BOARD.frame, Recipe("raw", binarise=False)) is BOARD.frame


@pytest.mark.parametrize("layout", ["NCHW, RGB, 0-1", "NHWC, grey, 0-1", ""])
def test_a_network_that_wants_another_picture_is_refused(choice, shipped, clock, layout):
    model = choice.model
    wanted = replace(model.card.inputs[0], layout=layout)  # the shipped one takes one plane
    other = Model(replace(model.card, inputs=(wanted,)), model.artefact, model.runtime)
    with pytest.raises(BundleError, match="this app shows pictures as NCHW, grey, 0-1"):
        Perceive(other, {1: shipped.recipe(1)}, clock)


def test_a_failed_inference_is_raised_not_empty(perceive, choice, monkeypatch):
    def nan(arrays):
        return {"output0": np.full((1, 10, 8400), np.nan, np.float32)}

    monkeypatch.setattr(choice.model.runtime, "run", nan)
    with pytest.raises(RuntimeFailure):
        perceive(shot(BOARD.frame))


# --- the known board ------------------------------------------------------------------


@pytest.fixture
def golden(perceive, shipped):
    return Golden(perceive, *known_board(shipped))


def test_the_known_board_gives_the_same_answer_each_time(golden):
    golden.check()
    golden.check()


def test_another_answer_than_at_start_is_a_failure(golden, perceive, monkeypatch):
    monkeypatch.setattr(perceive, "inspect", lambda *_: ())
    with pytest.raises(RuntimeFailure, match="another answer"):
        golden.check()


def test_a_board_on_which_nothing_is_found_proves_nothing(perceive, shipped):
    with pytest.raises(RuntimeFailure, match="no defect on the known board"):
        Golden(perceive, WHITE, shipped.recipe(2), [])


def test_a_network_that_finds_only_some_kinds_is_refused(perceive, shipped):
    frame, recipe, kinds = known_board(shipped)
    with pytest.raises(
        RuntimeFailure, match="which has copper, mousebite, open, open, pinhole"
    ):
        Golden(perceive, frame, recipe, sorted([*kinds, "open"]))


def test_kinds_that_the_network_does_not_know_are_not_asked_of_it(perceive, shipped):
    frame, recipe, kinds = known_board(shipped)
    Golden(perceive, frame, recipe, [*kinds, "scratch"]).check()


def test_the_known_board_may_be_a_picture_of_ones_own(shipped, tmp_path):
    path = tmp_path / "golden.png"
    cv2.imwrite(str(path), BOARD.frame)
    station = replace(shipped.station, golden=str(path))
    frame, recipe, kinds = known_board(replace(shipped, station=station))
    assert np.array_equal(frame, BOARD.frame)
    assert kinds == []
    assert recipe is shipped.recipe(1)


def test_a_known_board_of_another_kind_of_picture_is_one_clear_line(shipped, tmp_path):
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), BOARD.frame.astype(np.uint16))
    station = replace(shipped.station, golden=str(path))
    with pytest.raises(ConfigError, match=r"station\.golden = .*deep\.png.*16"):
        known_board(replace(shipped, station=station))


def test_a_known_board_that_cannot_be_read_is_one_clear_line(shipped, tmp_path):
    station = replace(shipped.station, golden=str(tmp_path / "nothing.png"))
    with pytest.raises(ConfigError, match=r"station\.golden = .*nothing\.png.*No such file"):
        known_board(replace(shipped, station=station))
