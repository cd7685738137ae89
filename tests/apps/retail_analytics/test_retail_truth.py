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


@pytest.fixture
def shot(clip):
    """The same clip with its scene and truth in one folder, as an outsider brings it."""
    (clip.parent / "scene.toml").write_text(SCENE)
    (clip.parent / "crossings.csv").write_text("line,direction,time_s\ndoor,in,1.67\n")
    return clip.parent


def gt(frames, fps=FPS):
    """MOT lines of the bright figure."""
    feet = [round(100 + 2 * FPS * frame / fps) for frame in range(frames)]
    return "\n".join(f"{at},1,150,{foot - 80},31,80,1,1,1" for at, foot in enumerate(feet, 1))


def measured(folder):
    return evaluate.evaluate(SETTINGS, read_all(folder), Brightest())


def test_the_clip_that_the_scene_names_may_lie_beside_it(shot):
    figures = measured(shot)
    assert (figures["detections"], figures["crossing_recall"]) == ("model", 1.0)


def test_a_clip_of_another_name_is_not_passed_over(shot):
    """Else figures on detections made from the truth would be taken for the clip's."""
    (shot / "gt.txt").write_text(gt(45))
    (shot / "scene.toml").write_text(SCENE.replace('clip = "walk.avi"\n', ""))
    with pytest.raises(ConfigError, match=r"walk\.avi: .* clip\.mp4"):
        read_all(shot)
    (shot / "scene.toml").write_text(SCENE.replace("walk", "gone"))
    with pytest.raises(ConfigError, match=r"gone\.avi, .* is not there"):
        read_all(shot)


@pytest.mark.parametrize(("said", "fps"), [("", FPS), ("fps = 25\n", 25), ("fps = 30\n", 30)])
def test_the_pace_that_the_scene_says_holds(shot, said, fps):
    (shot / "scene.toml").write_text(said + SCENE)
    assert measured(shot)["fps"] == fps


@pytest.mark.parametrize(
    ("head", "door", "why"),
    [
        ("width = 640\nheight = 480\n", 150, r"320×240 px.* 640×480"),
        ("", 700, "line door lies outside"),
    ],
)
def test_a_scene_of_another_picture_is_refused(shot, head, door, why):
    (shot / "scene.toml").write_text(head + SCENE.replace("150", str(door)))
    with pytest.raises(ConfigError, match=why):
        measured(shot)


def test_a_truth_that_goes_on_after_the_clip_is_refused(shot):
    (shot / "crossings.csv").write_text("line,direction,time_s\ndoor,in,167\n")
    with pytest.raises(ConfigError, match=r"walk\.avi: ends after 3\.0 s, .* 167 s"):
        measured(shot)
    (shot / "gt.txt").write_text(gt(90, 2 * FPS))
    with pytest.raises(ConfigError, match=r"walk\.avi: has 45 pictures, .* frame 90"):
        measured(shot)


def test_a_few_true_frames_after_the_last_picture_are_left_out(shot):
    (shot / "gt.txt").write_text(gt(50))
    figures = measured(shot)
    assert (figures["views"], figures["lines"]["door"]["in"]["truth"]) == (45, 1)
    assert figures["mota"] > 0.9


class Uneven:
    """A clip whose second half is slower than its first."""

    def __init__(self, path):
        self.clip, self.count = Clip(path), 0

    def read(self):
        self.count += 1
        return self.clip.read()

    def get(self, what):
        slow = 1000 * (self.count - 1 + 3 * max(0, self.count - 20)) / FPS
        return slow if what == cv2.CAP_PROP_POS_MSEC else self.clip.get(what)

    def __getattr__(self, name):
        return getattr(self.clip, name)


Clip = cv2.VideoCapture


def test_times_of_crossings_need_pictures_that_come_evenly(shot, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Uneven)
    with pytest.raises(ConfigError, match=r"walk\.avi: .* come unevenly"):
        measured(shot)
    (shot / "gt.txt").write_text(gt(45))
    assert measured(shot)["crossing_recall"] == 1.0


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
