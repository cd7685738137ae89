"""The figures against cases worked by hand, and folders as a user brings them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.retail_analytics import evaluate, simulate
from apps.retail_analytics.config import APP, Counting, Settings
from apps.retail_analytics.domain import Crossing
from apps.retail_analytics.evaluation import library, mot, score
from apps.retail_analytics.evaluation.detections import Faults, detections
from apps.retail_analytics.evaluation.mot import Frame
from apps.retail_analytics.evaluation.recordings import read_all
from apps.retail_analytics.evaluation.stays import true_stays
from apps.retail_analytics.evaluation.truth import Passing, crossings_of, read_folder, read_mot
from apps.retail_analytics.geometry import Line
from common.config import load
from common.errors import ConfigError

SETTINGS = load(Settings, APP / "app.toml")
DOOR = Line("door", (0.0, 240.0), (640.0, 240.0))
SCENE = '[[line]]\nname = "door"\npoints = [[0, 240], [640, 240]]\n'
ZONE = '[[zone]]\nname = "shelf"\npolygon = [[0, 300], [640, 300], [640, 479], [0, 479]]\n'
BOX = (0.0, 0.0, 10.0, 20.0)


def frame(real, found):
    """Each: number → x of a 10×20 box."""
    ids = [np.array(list(one), np.int64) for one in (real, found)]
    boxes = [
        np.array([[x, 0, x + 10, 20] for x in one.values()], float).reshape(-1, 4)
        for one in (real, found)
    ]
    return Frame(ids[0], boxes[0], ids[1], boxes[1])


def test_perfect_tracking_is_1_throughout():
    figures = mot.figures([frame({1: 0, 2: 50}, {8: 0, 9: 50})] * 5)
    assert [figures[key] for key in ("mota", "idf1", "hota")] == pytest.approx([1.0, 1.0, 1.0])


def test_a_switch_in_the_middle_by_hand():
    """One person, 4 views, found each time; the number changes after 2.

    MOTA = 1 − 1/4. IDF1 = 2·2/(4 + 4). DetA = 1; each track covers 2 of 4 views, so each
    hit's association is 2/(4 + 2 − 2) = 0.5 and HOTA = √(1 · 0.5) at every threshold.
    """
    figures = mot.figures([frame({1: 0}, {7: 0})] * 2 + [frame({1: 0}, {8: 0})] * 2)
    assert figures["mota"] == pytest.approx(0.75)
    assert figures["id_switches"] == 1
    assert figures["idf1"] == pytest.approx(0.5)
    assert figures["hota"] == pytest.approx(np.sqrt(0.5))


def test_misses_and_false_boxes_by_hand():
    """4 views of one person: 3 found, 1 false box elsewhere in the fourth.

    MOTA = (3 − 1)/4. IDF1 = 2·3/(4 + 4). DetA = 3/5; A = 3/(4 + 4 − 3) where the false box
    bears the same number. HOTA = √(3/5 · 3/5).
    """
    figures = mot.figures([frame({1: 0}, {7: 0})] * 3 + [frame({1: 0}, {7: 300})])
    assert figures["mota"] == pytest.approx(0.5)
    assert figures["idf1"] == pytest.approx(0.75)
    assert figures["hota"] == pytest.approx(0.6)


def test_a_shifted_box_counts_at_low_thresholds_only():
    """Shifted by half its width, IoU = 1/3: found at 0.05 … 0.30, six of 19 thresholds."""
    figures = mot.figures([frame({1: 0}, {7: 5})] * 4)
    assert figures["mota"] == pytest.approx(-1.0)
    assert figures["idf1"] == 0.0
    assert figures["hota"] == pytest.approx(6 / 19)


def test_a_picture_without_any_track_does_not_cut_a_track_off():
    """As TrackEval has it: track 7 is kept before and after, though 8 then fits better."""
    both = frame({1: 0}, {7: 1, 8: 0})
    figures = mot.figures([frame({1: 0}, {7: 0}), frame({1: 0}, {}), both])
    assert figures["id_switches"] == 0
    assert figures["mota"] == pytest.approx((2 - 1) / 3)


def test_nobody_found_and_nobody_there():
    assert mot.figures([frame({1: 0}, {})] * 3)["hota"] == 0.0
    assert mot.figures([frame({}, {1: 0})] * 3)["mota"] == pytest.approx(-3.0)
    assert mot.figures([])["idf1"] == 0.0


def event(direction, time):
    return Crossing("door", direction, 1, time)


def test_counts_by_hand():
    truth = [event("in", t) for t in (1.0, 5.0, 9.0)] + [event("out", 20.0)]
    found = [event("in", 1.4), event("in", 5.0), event("in", 5.2), event("out", 23.0)]
    figures = score.counting(found, truth, [DOOR])
    assert figures["lines"]["door"]["in"] == {"count": 3, "truth": 3, "matched": 2}
    assert figures["lines"]["door"]["out"] == {"count": 1, "truth": 1, "matched": 0}
    assert figures["crossing_precision"] == 0.5
    assert figures["crossing_recall"] == 0.5
    assert (figures["wape"], figures["bias"]) == (0.0, 0.0)


def test_nothing_to_count_is_no_figure():
    figures = score.counting([], [], [DOOR])
    assert figures["crossing_recall"] is None
    assert figures["wape"] is None


def test_wilsons_interval():
    assert score.wilson(95, 100) == pytest.approx((0.8882, 0.9785), abs=1e-3)


def walkers(frames=60):
    """MOT lines of two people: one in, one out."""
    lines = []
    for index in range(frames):
        for number, foot in ((1, 140 + 4 * index), (2, 380 - 4 * index)):
            lines.append(f"{index + 1},{number},{150 * number},{foot - 120},40,120,1,1,1")
    return "\n".join(lines)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scene.toml").write_text(SCENE + ZONE)
    (tmp_path / "gt.txt").write_text(walkers())
    return tmp_path


def test_a_folder_of_tracks_alone(folder):
    figures = evaluate.run(SETTINGS, folder, folder, None)
    assert figures["detections"] == "simulated"
    assert figures["lines"]["door"]["in"]["truth"] == 1
    assert figures["lines"]["door"]["out"] == {"count": 1, "truth": 1, "matched": 1}
    assert figures["crossing_recall"] == 1.0
    assert 0.5 < figures["hota"] <= 1.0


def test_a_folder_of_folders_is_pooled(folder, tmp_path_factory):
    parent = tmp_path_factory.mktemp("all")
    for name in ("a", "b"):
        inner = parent / name
        inner.mkdir()
        for file in folder.iterdir():
            (inner / file.name).write_bytes(file.read_bytes())
    figures = evaluate.run(SETTINGS, parent, parent, None)
    assert figures["crossings"] == 4
    assert set(figures["recordings"]) == {"a", "b"}


def test_in_is_towards_the_positive_cross_product(folder):
    recording = read_folder(folder)
    ways = {crossing.track: crossing.direction for crossing in recording.crossings}
    (x1, y1), (x2, y2) = (0, 240), (640, 240)
    positive = (x2 - x1) * (300 - y1) - (y2 - y1) * (0 - x1) > 0
    assert ways == {1: "in" if positive else "out", 2: "out" if positive else "in"}


def test_crossings_csv_is_truth_too(folder):
    (folder / "gt.txt").unlink()
    (folder / "crossings.csv").write_text("line,direction,time_s\ndoor,in,1.0\n")
    with pytest.raises(ConfigError, match="neither"):
        read_folder(folder)
    (folder / "clip.mp4").write_bytes(b"no clip")
    assert read_folder(folder).crossings == (Crossing("door", "in", -1, 1.0),)
    with pytest.raises(ConfigError, match="model"):
        evaluate.evaluate(SETTINGS, [read_folder(folder)], None)


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("scene.toml", "[[line]]\nname = 1", "line"),
        ("scene.toml", "", r"needs at least one \[\[line\]\] .* or \[\[zone\]\]"),
        ("scene.toml", '[[line]]\nname="a"\npoints=[[0,0],[0,0]]', "no length"),
        (
            "scene.toml",
            SCENE + '[[zone]]\nname="z"\npolygon=[[0,0],[9,9],[9,0],[0,9]]',
            "itself",
        ),
        ("gt.txt", "1,2,three", "no table"),
        ("gt.txt", "1,2,3", "needs 6"),
        ("gt.txt", "0,1,1,1,1,1", "count from 1"),
        ("gt.txt", "1,1,1,1,nan,1", "no number"),
        ("gt.txt", "", "holds nobody"),
        ("gt.txt", "1,1,0,0,9,9,1,0,1", r"holds nobody: .* class is 1"),
        ("gt.txt", "1,1,0,0,9,9\n1,1,3,0,9,9", "line 2: 1 is in frame 1 twice"),
        ("gt.txt", "1700000000,1,0,0,9,9", "line 1: frames .*to 1000000"),
        ("crossings.csv", "line,direction,time_s\ndoor,up,1", "directions in and out"),
        ("crossings.csv", "a,b\n1,2", "needs line"),
        ("crossings.csv", "", "needs line"),
        ("crossings.csv", "line,direction,time_s\ndoor,in", "line 2: needs line"),
        ("crossings.csv", "line,direction,time_s\ndoor,in,1,67", "line 2: needs line"),
        ("crossings.csv", "line,direction,time_s\ndoor,in,nan", "line 2: .* no time"),
        ("crossings.csv", "line,direction,time_s\ndoor,in,inf", "line 2: .* no time"),
        ("crossings.csv", "line,direction,time_s\ndoor,in,-1", "line 2: .* no time"),
        ("scene.toml", SCENE + SCENE, "two lines named door"),
        ("scene.toml", SCENE + ZONE + ZONE, "two zones named shelf"),
    ],
)
def test_wrong_folders_are_one_clear_line(folder, file, text, why):
    if file == "crossings.csv":
        (folder / "gt.txt").unlink()
        (folder / "clip.mp4").write_bytes(b"")
    (folder / file).write_text(text)
    with pytest.raises(ConfigError, match=why) as refused:
        read_folder(folder)
    assert "\n" not in str(refused.value)


def test_ignored_rows_of_mot_are_left_out(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_text(
        "1,1,0,0,9,9,1,1,1\n1,2,0,0,9,9,0,1,1\n1,3,0,0,9,9,1,7,1\n3,1,0,0,9,9,-1,-1,-1"
    )
    views = read_mot(path)
    assert [ids.tolist() for ids, _ in views] == [[1], [], [1]]


def test_ten_columns_hold_a_place_on_the_floor_and_no_class(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_text("1,1,0,0,9,9,1,5.3,2.1,0\n1,2,0,0,9,9,1,-1,-1,-1\n1,3,0,0,9,9,0,1,1,0")
    assert [ids.tolist() for ids, _ in read_mot(path)] == [[1, 2]]


def test_crossings_are_read_as_people_write_them(folder):
    (folder / "gt.txt").unlink()
    (folder / "clip.mp4").write_bytes(b"")
    rows = "\ufeffTime_s , note,Direction, Line\r\n1.0,a, IN ,door\r\n2.5,,Out,door\r\n\r\n"
    (folder / "crossings.csv").write_text(rows)
    found = [(c.line, c.direction, c.monotonic) for c in read_folder(folder).crossings]
    assert found == [("door", "in", 1.0), ("door", "out", 2.5)]


def test_a_scene_may_have_zones_alone(folder):
    (folder / "scene.toml").write_text(ZONE)
    figures = evaluate.run(SETTINGS, folder, folder, None)
    assert (figures["lines"], figures["crossing_recall"]) == ({}, None)
    assert figures["zones"]["shelf"]["length"]["truth"] > 0
    assert figures["hota"] > 0.5


def test_recordings_in_folders_of_one_name_are_all_counted(folder, tmp_path_factory):
    parent = tmp_path_factory.mktemp("days")
    for name in ("monday/cam", "tuesday/cam", "wednesday"):
        inner = parent / name
        inner.mkdir(parents=True)
        for file in folder.iterdir():
            (inner / file.name).write_bytes(file.read_bytes())
    figures = evaluate.run(SETTINGS, parent, parent, None)
    assert figures["crossings"] == 6
    assert set(figures["recordings"]) == {"monday/cam", "tuesday/cam", "wednesday"}


def test_swaying_on_the_line_is_truth_only_without_a_band():
    feet = [200, 230, 238, 243, 238, 243, 260, 300]
    views = [(np.array([1]), np.array([[0.0, foot - 120.0, 40.0, foot]])) for foot in feet]
    assert len(crossings_of(views, 10.0, (DOOR,))) == 3
    assert [c.direction for c in crossings_of(views, 10.0, (DOOR,), band_m=0.15)] == ["in"]


def test_a_crossing_with_a_band_takes_as_long_as_leaving_it():
    """Of 120 px, 0.15 m are 10.6 px: the foot is in the band from 0.2 s to 0.5 s."""
    feet = [200, 225, 235, 238, 243, 247, 260, 300]
    views = [(np.array([1]), np.array([[0.0, foot - 120.0, 40.0, foot]])) for foot in feet]
    (passing,) = crossings_of(views, 10.0, (DOOR,), band_m=0.15)
    assert isinstance(passing, Passing)
    assert (passing.began, passing.ended) == pytest.approx((0.1, 0.6))
    assert passing.began < passing.monotonic < passing.ended


def test_a_time_within_a_passing_or_a_second_of_it_is_the_same_event():
    truth = [Passing("door", "in", 1, 5.0, 3.0, 9.0)]
    times = (1.9, 2.1, 3.0, 8.9, 9.9, 10.1)
    hits = [
        score.counting([event("in", time)], truth, [DOOR])["lines"]["door"]["in"]["matched"]
        for time in times
    ]
    assert hits == [0, 1, 1, 1, 1, 0]
    twice = score.counting([event("in", 4.0), event("in", 5.0)], truth, [DOOR])
    assert twice["lines"]["door"]["in"]["matched"] == 1


def test_made_detections_are_the_same_for_a_seed_and_imperfect(folder):
    views = read_folder(folder).views
    one, again = detections(views, 25.0, Faults()), detections(views, 25.0, Faults())
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(one, again, strict=True))
    found = sum(len(boxes) for boxes, _ in one)
    assert found != sum(len(ids) for ids, _ in views)


def test_stays_of_the_truth_are_by_the_same_definition(folder):
    recording = read_folder(folder)
    stays, lengths = true_stays(recording, recording.zones[0], Counting())
    assert max(lengths) == 2 - 1
    assert stays == []  # 0.8 s inside is brushing past


@pytest.mark.skipif(bool(library.missing()), reason=f"not installed: {library.missing()}")
def test_the_librarys_directions_are_ours(folder):
    recording = read_folder(folder)
    clean = [(boxes, np.full(len(boxes), 0.95)) for _, boxes in recording.views]
    crossings, frames = library.run(recording, clean)
    assert sorted(c.direction for c in crossings) == ["in", "out"]
    ours = {(c.direction, round(c.monotonic)) for c in recording.crossings}
    assert {(c.direction, round(c.monotonic)) for c in crossings} == ours
    assert mot.figures(frames)["idf1"] > 0.9


def test_without_the_library_the_comparison_says_so(folder, monkeypatch):
    monkeypatch.setattr(library, "missing", lambda: "trackers")
    figures = evaluate.run(SETTINGS, folder, folder, None)
    assert figures["library"] == {"left_out": "not installed: trackers"}


def test_a_simulated_shop_from_above_is_counted():
    recording, truth = simulate.recording("above", 90.0, seed=5)
    figures = evaluate.one(SETTINGS, recording, None)
    assert len(truth.crossings) > 10
    assert figures["crossing_recall"] >= 0.95
    assert figures["crossing_precision"] >= 0.95


# ------------------------------------------------------------- real trajectories

TRACKS = Path(__file__).parents[4] / "shared" / "data" / "people" / "tracks"
REAL = ("edinburgh_01Aug", "eth_hotel", "juelich_bottleneck_040", "ucy_zara01")


@pytest.mark.parametrize("name", REAL)
def test_published_trajectories_are_read(name):
    if not (TRACKS / name).is_dir():
        pytest.skip(f"{name} is not here")
    (recording,) = evaluate.read_all(TRACKS / name)
    assert {line.name for line in recording.lines} == {"across", "along"}
    assert len(recording.crossings) > 100
    heights = np.concatenate([boxes[:, 3] - boxes[:, 1] for _, boxes in recording.views])
    assert 10 < heights.min() <= heights.max() < 300


def test_a_file_without_a_track_is_one_clear_line(tmp_path):
    (tmp_path / "tracks.Aug01.txt").write_text("% nobody came\n")
    with pytest.raises(ConfigError, match=r"tracks\.Aug01\.txt: holds no track"):
        evaluate.read_all(tmp_path)


STREET = [f"{10 * at} 1 {at} 0 {2 * at} 0 0 0" for at in range(12)]
"""Frame, person, x, z, y and speeds: somebody who walks."""


@pytest.fixture
def street(tmp_path):
    (tmp_path / "H.txt").write_text("0.02 0 0\n0 0.02 0\n0 0 1\n")
    (tmp_path / "obsmat.txt").write_text("\n".join(STREET))
    return tmp_path


def test_a_street_is_the_same_in_any_order_of_rows(street):
    found = read_all(street)
    (street / "obsmat.txt").write_text("\ufeff" + "\r\n".join(STREET[::-1]))
    (again,), (first,) = read_all(street), found
    assert again.crossings == first.crossings != ()
    assert all(
        np.array_equal(a[1], b[1]) for a, b in zip(again.views, first.views, strict=True)
    )


def test_what_is_drawn_over_a_street_is_all_taken(street):
    (street / "scene.toml").write_text(SCENE + ZONE)
    (recording,) = read_all(street)
    assert [line.name for line in recording.lines] == ["door"]
    assert [zone.name for zone in recording.zones] == ["shelf"]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "holds no row"),
        (["1 2 3"], "3 numbers in a row, needs 8"),
        ([*STREET, "nan 1 1 0 1 0 0 0"], "no number"),
        ([*STREET, "20 1 nan 0 1 0 0 0"], "no number"),
        ([*STREET, "1e9 1 1 0 1 0 0 0"], "more than 1000000 pictures"),
        (["1 1 1 0 1 0 0 0"], "nobody moves"),
        (["1 1 1 0 1 0 0 0", "11 1 1 0 1 0 0 0"], "nobody moves"),
    ],
)
def test_wrong_trajectories_are_one_clear_line(street, rows, why):
    (street / "obsmat.txt").write_text("\n".join(rows))
    with pytest.raises(ConfigError, match=f"obsmat.txt: .*{why}") as refused:
        read_all(street)
    assert "\n" not in str(refused.value)


def test_a_street_that_nothing_was_chosen_on_is_counted_across():
    if not (TRACKS / "ucy_zara01").is_dir():
        pytest.skip("ucy_zara01 is not here")
    (whole,) = evaluate.read_all(TRACKS / "ucy_zara01")
    views = whole.views[:2000]
    lines = tuple(line for line in whole.lines if line.name == "across")
    crossings = crossings_of(views, whole.fps, lines)
    part = replace(whole, views=views, lines=lines, crossings=crossings)
    figures = evaluate.one(SETTINGS, part, None)
    assert figures["crossings"] > 40
    assert figures["crossing_recall"] >= 0.98
    assert figures["crossing_precision"] >= 0.98
