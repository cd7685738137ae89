"""Truth beside clips that are not ours to pass on; shops by their seed; people who lean."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from apps.retail_analytics import drawing, evaluate
from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import APP, Settings
from apps.retail_analytics.domain import STANDING_M
from apps.retail_analytics.evaluation import tables
from apps.retail_analytics.evaluation.recordings import read_all
from apps.retail_analytics.evaluation.scene import read_scene
from apps.retail_analytics.evaluation.truth import read_folder
from apps.retail_analytics.evaluation.watched import TRUTH, watched
from apps.retail_analytics.geometry import Floor
from common.config import load
from common.errors import ConfigError
from common.inference.images import Detections

SETTINGS = load(Settings, APP / "app.toml")
SCENE = 'clip = "walk.avi"\n[[line]]\nname = "door"\npoints = [[0, 150], [320, 150]]\n'
FPS = 15.0
SCENES = sorted(TRUTH.glob("*/scene.toml"))
SECONDS = {"one_by_one": 139.4, "retail_02": 20.1, "vtest": 79.5}


class Brightest:
    """Finds the one bright thing in a dark picture."""

    def detect(self, picture, threshold):
        rows, columns = np.nonzero(picture.mean(2) > 255 * threshold)
        if not len(rows):
            return Detections(
                np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int)
            )
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        return Detections(
            np.array([edges], np.float32), np.array([0.9], np.float32), np.zeros(1, int)
        )


@pytest.fixture
def clip(tmp_path):
    """A bright figure that walks down over y = 150 at frame 25, as a clip on disk."""
    path = tmp_path / "clips" / "walk.avi"
    path.parent.mkdir()
    file = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (320, 240))
    if not file.isOpened():
        pytest.skip("no MJPG encoder in this build of OpenCV")
    for frame in range(45):
        picture = np.zeros((240, 320, 3), np.uint8)
        foot = 100 + 2 * frame
        cv2.rectangle(picture, (150, foot - 80), (180, foot - 1), (255, 255, 255), -1)
        file.write(picture)
    file.release()
    return path


@pytest.fixture
def truth(tmp_path):
    folder = tmp_path / "truth" / "walk"
    folder.mkdir(parents=True)
    (folder / "scene.toml").write_text(SCENE)
    (folder / "crossings.csv").write_text(f"line,direction,time_s\ndoor,in,{25 / FPS:.2f}\n")
    return folder.parent


def test_truth_is_joined_to_a_clip_by_its_name(clip, truth):
    (recording,) = watched(clip.parent, truth)
    assert (recording.name, recording.clip) == ("walk", clip)
    assert watched(clip.parents[1], truth) == []


def test_a_clip_is_read_and_counted(clip, truth):
    (recording,) = watched(clip.parent, truth)
    figures = evaluate.one(SETTINGS, recording, Brightest())
    assert (figures["views"], figures["fps"]) == (45, FPS)
    assert figures["lines"]["door"]["in"] == {"count": 1, "truth": 1, "matched": 1}
    assert figures["mota"] is None
    assert figures["zones"] == {}


def test_a_clip_that_cannot_be_read_is_one_clear_line(clip, truth):
    clip.write_bytes(b"no clip")
    (recording,) = watched(clip.parent, truth)
    with pytest.raises(ConfigError, match="no clip that can be read"):
        evaluate.one(SETTINGS, recording, Brightest())


def test_a_folder_without_anything_known_says_what_is_looked_for(tmp_path):
    with pytest.raises(ConfigError, match=r"no scene\.toml, no shop\.toml"):
        read_all(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        read_all(tmp_path / "nowhere")


@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.parent.name)
def test_committed_truth_lies_within_its_clip(scene):
    recording = read_folder(scene.parent, scene.parent / read_scene(scene).clip)
    assert all(0 <= c.monotonic <= SECONDS[recording.name] for c in recording.crossings)
    assert {c.line for c in recording.crossings} == {line.name for line in recording.lines}


def test_committed_truth_is_enough_to_speak_of_and_holds_no_picture():
    rows = [
        len((scene.parent / "crossings.csv").read_text().splitlines()) - 1 for scene in SCENES
    ]
    assert sum(rows) >= 60
    kept = {path.suffix for path in TRUTH.rglob("*") if path.is_file()}
    assert kept == {".toml", ".csv", ".md"}


def test_a_shop_is_made_from_its_seed(tmp_path):
    (tmp_path / "shop.toml").write_text('view = "above"\nseed = 5\nseconds = 20.0\n')
    (recording,) = read_all(tmp_path)
    assert (len(recording.views), recording.fps) == (300, 15.0)
    (tmp_path / "shop.toml").write_text('view = "below"')
    with pytest.raises(ConfigError, match="view"):
        read_all(tmp_path)


# ------------------------------------------------------------ people who lean


def box_of(head, foot, wide=20.0):
    """The box around somebody whose head and feet are seen at these places."""
    left, right = sorted((head[0], foot[0]))
    return left - wide, head[1], right + wide, foot[1]


@pytest.mark.parametrize("x", [100.0, 320.0, 600.0])
def test_feet_are_found_where_bodies_point_at_the_nadir(x):
    nadir, foot = (400.0, 2000.0), (x, 400.0)
    up = 200.0 / (nadir[1] - foot[1])
    head = (foot[0] - up * (nadir[0] - foot[0]), foot[1] - 200.0)
    found = Floor(nadir=nadir).foot(box_of(head, foot))
    plain = Floor().foot(box_of(head, foot))
    assert abs(found[0] - foot[0]) <= abs(plain[0] - foot[0])
    assert found[0] == pytest.approx(foot[0], abs=2.0)
    assert found[1] == foot[1]


def test_without_a_nadir_feet_are_in_the_middle_of_the_lower_edge():
    assert Floor().foot((10.0, 0.0, 30.0, 90.0)) == (20.0, 90.0)


@pytest.mark.parametrize(
    ("point", "why"),
    [((1.0,), "is"), ((1.0, math.nan), "is"), ((1.0, 480.0), "below the picture")],
)
def test_a_nadir_that_cannot_be_is_refused(point, why):
    with pytest.raises(ValueError, match=why):
        drawing.nadir(point, 480)
    with pytest.raises(ValueError, match="nadir"):
        CameraSettings("a", nadir=point)


def test_a_nadir_is_for_feet_only():
    camera = CameraSettings("a", nadir=(320.0, 2000.0))
    assert camera.floor().nadir == (320.0, 2000.0)
    assert camera.person_m == STANDING_M
    with pytest.raises(ValueError, match="anchor"):
        CameraSettings("a", nadir=(320.0, 2000.0), anchor="centre")


# ------------------------------------------------------------------- the table


def test_the_table_says_what_is_missing_with_a_dash():
    figures = {
        "crossings": 63, "wape": 0.0476,
        "crossing_precision": 0.9531, "crossing_precision_interval": [0.871, 0.9839],
        "crossing_recall": None, "crossing_recall_interval": None,
        "library": {"left_out": "not installed: trackers"},
    }  # fmt: skip
    *_, row = tables.counts([("clips", figures)]).splitlines()
    assert row == "| clips | 63 | 0.953 (0.871 … 0.984) | – | 4.8 % | – | – |"


def test_lines_of_one_name_are_pooled_over_recordings(clip, truth):
    recordings = watched(clip.parent, truth) * 2
    recordings[1] = replace(recordings[1], name="again")
    figures = evaluate.evaluate(SETTINGS, recordings, Brightest())
    assert figures["by_line"]["door"]["counted"] == figures["counted"] == 2
    assert figures["by_detections"]["model"]["crossing_recall"] == 1.0
    assert set(figures["recordings"]) == {"walk", "again"}
