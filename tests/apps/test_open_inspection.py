"""What stands beside the inspection's line: inference for nearby systems."""

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from apps import open_inspection
from apps.defect_inspection.simulate import golden_board
from common.clock import HeldClock
from common.inference.decode import ImageRefused

TOML = Path(__file__).parents[2] / "apps" / "defect_inspection" / "app.toml"
BOARD = golden_board().frame


@pytest.fixture(scope="module")
def infer():
    settings = open_inspection.load(TOML, ["model.runtime=onnxruntime"])
    with ExitStack() as opened:
        parts = SimpleNamespace(clock=HeldClock())
        yield open_inspection._second_inspector(settings, TOML, parts, opened)


def test_a_board_gets_its_defects_as_often_as_it_is_asked_for(infer):
    first, second = infer(BOARD), infer(BOARD)
    assert first == second
    assert first["defects"]
    assert first["model"].startswith("pcb ")


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (np.zeros((640, 640), np.uint8), "black"),
        (np.full((640, 640), 255, np.uint8), "over-exposed"),
        (cv2.GaussianBlur(BOARD, (0, 0), 12), "out of focus"),
        (cv2.resize(BOARD, (160, 160)), "wrong size"),
    ],
)
def test_a_picture_that_cannot_be_judged_is_refused_and_not_empty(infer, picture, reason):
    with pytest.raises(ImageRefused, match=reason):
        infer(picture)
