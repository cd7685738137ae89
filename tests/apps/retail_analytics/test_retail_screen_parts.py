"""What the shop's page is made of, without a page: counts by time, drawings, the mosaic."""

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.retail_analytics import (
    screen_bars,
    screen_compare,
    screen_floor,
    screen_picture,
    screen_plan,
)
from apps.retail_analytics.mosaic import MOST_COLUMNS, MOST_ROWS, mosaic
from apps.retail_analytics.screen_days import (
    Day,
    Row,
    forecast_of,
    midnight,
    read_days,
    spans_of,
    weeks_before,
)
from apps.retail_analytics.screen_draft import (
    FLOOR,
    LINE,
    MASK,
    ZONE,
    Draft,
    Shape,
    as_text,
    command_of,
    draft_of,
    from_text,
    masked_share,
    wrong_with,
)
from apps.retail_analytics.screen_ledger import Slot, pieces_of, slots_of
from apps.retail_analytics.screen_parts import reason_text
from apps.retail_analytics.screen_privacy import markdown
from apps.retail_analytics.screen_report import TRENDS, ShopTally
from apps.retail_analytics.screen_zones import zones_html
from common import plot
from common.records import Record
from common.screen.document import Document
from tests.apps.conftest import StationFolder

from . import retail_shop as shop

NOON = 1_790_000_100.0 - 1_790_000_100.0 % 86_400 + 43_200
EVIL = "<img src=x onerror=alert(1)>"
WIDTH = shop.WIDTH


def documents(*bodies: dict[str, Any]) -> list[Document]:
    return [Document(body) for body in bodies]


def slots(*bodies: dict[str, Any], width: float = WIDTH, many: int = 8) -> list[Slot]:
    spans = [(NOON + n * width, NOON + (n + 1) * width) for n in range(many)]
    return slots_of(pieces_of(documents(*bodies), ()), spans)


# ------------------------------------------------------------------------------ the mosaic


def test_a_mosaic_is_means_of_blocks_of_the_pictures_shape() -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[:240, :, 2] = 200  # red above, in BGR
    frame[240:, 320:, 0] = 90
    cells = mosaic(frame)
    assert (len(cells), len(cells[0])) == (36, 48)
    assert cells[0][0] == [200, 0, 0]
    assert cells[-1][-1] == [0, 0, 90]
    assert cells[-1][0] == [0, 0, 0]
    mean = np.mean(cells, axis=(0, 1))
    assert mean == pytest.approx(frame.mean((0, 1))[::-1], abs=1.0)


@given(
    height=st.integers(1, 300), width=st.integers(1, 300), grey=st.booleans(),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_mosaic_never_has_more_cells_than_are_allowed(
    height: int, width: int, grey: bool, seed: int
) -> None:
    shape = (height, width) if grey else (height, width, 3)
    frame = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    cells = mosaic(frame)
    assert 1 <= len(cells) <= min(MOST_ROWS, height)
    assert 1 <= len(cells[0]) <= min(MOST_COLUMNS, width)
    assert all(len(row) == len(cells[0]) for row in cells)
    assert all(0 <= v <= 255 and isinstance(v, int) for row in cells for c in row for v in c)


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 4), np.float64), np.zeros((0, 4, 3), np.uint8), np.zeros(4, np.uint8)],
)
def test_a_mosaic_is_made_of_pictures_only(frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="8-bit"):
        mosaic(frame)


def test_a_fine_pattern_is_not_to_be_seen_in_a_mosaic() -> None:
    board = np.indices((480, 640)).sum(0) % 2 * 255
    cells = np.array(mosaic(cv2.cvtColor(board.astype(np.uint8), cv2.COLOR_GRAY2BGR)))
    assert np.ptp(cells) < 40


# ------------------------------------------------------------------------- counts by time


def test_a_told_count_a_zero_and_what_is_not_told_are_different_things() -> None:
    told, zero, hidden, dark, none = slots(
        shop.door(NOON, 23), shop.door(NOON + WIDTH, 0), shop.door(NOON + 2 * WIDTH, None),
        shop.blind(shop.door(NOON + 3 * WIDTH, None)),
    )[:5]  # fmt: skip
    assert (told.value, told.told, zero.value, zero.told) == (23, True, 0, True)
    assert (hidden.hidden, hidden.told, hidden.estimate) == (1, False, shop.K / 2)
    assert (dark.why, dark.told, dark.estimate) == ("dark", False, None)
    assert (none.empty, none.told, none.estimate) == (True, False, None)


def test_what_a_later_window_told_is_suppressed_no_more_and_spread_evenly() -> None:
    last = NOON + 2 * WIDTH
    found = slots(
        shop.door(NOON, None), shop.door(NOON + WIDTH, None), shop.door(last, 24, NOON)
    )[:4]
    assert [slot.value for slot in found] == [8, 8, 8, 0]
    assert all(slot.merged and slot.told for slot in found[:3])


def test_several_doors_make_one_sum_and_a_hidden_one_makes_it_a_lower_bound() -> None:
    other = shop.door(NOON, None) | {"camera": "side"}
    (slot, *_) = slots(shop.door(NOON, 31), other)
    assert (slot.value, slot.hidden, slot.told) == (31, 1, False)
    only = pieces_of(documents(shop.door(NOON, 31), other), (("door", "door"),))
    assert [piece.count for piece in only] == [31]


counts = st.lists(st.one_of(st.none(), st.integers(10, 99)), min_size=1, max_size=16)


@given(told=counts, width=st.sampled_from([900.0, 1800.0, 3600.0, 14_400.0]))
def test_no_person_is_lost_or_doubled_by_any_width(
    told: list[int | None], width: float
) -> None:
    bodies = [shop.door(NOON + n * WIDTH, count) for n, count in enumerate(told)]
    found = slots(*bodies, width=width, many=16)
    assert sum(slot.value for slot in found) == pytest.approx(sum(c or 0 for c in told))
    assert sum(slot.hidden for slot in found) == pytest.approx(told.count(None))


@pytest.mark.parametrize(
    "odd",
    [{"interval_end": "soon"}, {"interval_end": NOON - 1}, {"lines": "?"}, {"lines": [3]},
     {"interval_start": None}, {"interval_end": NOON + 1e9}],
)  # fmt: skip
def test_an_interval_of_another_shape_says_nothing(odd: dict[str, Any]) -> None:
    assert all(slot.empty for slot in slots(shop.door(NOON, 20) | odd))


def test_a_window_cannot_reach_back_further_than_an_hour() -> None:
    found = slots(shop.door(NOON + WIDTH, 20, NOON - 86_400.0))
    assert [slot.value for slot in found[:3]] == [0, 20, 0]


def test_a_forecast_is_the_mean_of_past_weeks_and_none_without_any() -> None:
    week = [Slot(0, 900, 20, seen=900), Slot(900, 1800, 10, seen=900), Slot(1800, 2700)]
    other = [Slot(0, 900, 30, seen=900), Slot(900, 1800, 0, 2, 10, seen=900), Slot(1800, 2700)]
    blind = [Slot(0, 900, why="dark")] * 3
    found = forecast_of([week, other, blind])
    assert found.values == (25, 10, None)
    assert found.weeks == 2
    assert forecast_of([blind]).weeks == 0
    assert forecast_of([]).values == ()


def test_a_part_of_a_time_is_no_forecast_of_the_whole() -> None:
    cut, whole = slots(shop.door(NOON, 0) | {"partial": True}, shop.door(NOON + WIDTH, 20))[:2]
    assert (cut.told, cut.estimate) == (True, None)
    assert forecast_of([[cut, whole]]).values == (None, 20)


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
def test_the_same_time_a_week_before_is_the_same_on_the_wall() -> None:
    after = datetime(2026, 10, 27, 9, 15).timestamp()  # the clocks went back on the 25th
    (before,) = weeks_before([after], 1)
    assert datetime.fromtimestamp(before) == datetime(2026, 10, 20, 9, 15)
    assert after - before == 7 * 86_400 + 3600
    day = datetime(2026, 10, 25, 12).timestamp()
    assert midnight(day, -1) - midnight(day) == 25 * 3600
    assert len(spans_of(midnight(day), midnight(day, -1), 3600)) == 25


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(("month", "day", "twice"), [(10, 25, 40), (3, 29, 0), (6, 7, 20)])
def test_hours_stand_below_their_names_on_days_that_the_clocks_change(
    tmp_path: Path, month: int, day: int, twice: int
) -> None:
    """A day of 25 hours has two within one name, a day of 23 none in another."""
    place, noon = (
        shop.ShopFolder(StationFolder(tmp_path / "shop-1")),
        datetime(2026, month, day, 12),
    )
    start = midnight(noon.timestamp())
    for hour in range(26):
        place.publish(shop.door(start + hour * 3600, 20))
    rows = read_days(place.folder.file, (), midnight(noon.timestamp(), -7), 15)
    found = screen_compare.hours_html(rows, rows[0].start + 90_000)
    assert found.count("<td") == 15 * 26
    told = next(row for row in rows if row.start == start)
    assert [slot.value for slot in told.hours] == [20, 20, twice, *[20] * 21]
    assert told.total.value == sum(slot.value for slot in told.hours)


def test_a_day_is_compared_where_both_are_known() -> None:
    past = [[Slot(0, 900, 20, seen=900), Slot(900, 1800, 40, seen=900)]]
    day = Day((Slot(0, 900, 30, seen=900), Slot(900, 1800)), forecast_of(past))
    assert day.compared == (30, 20)
    assert Day((Slot(0, 900),), forecast_of([])).compared is None


# ------------------------------------------------------------------------- bars and hours


def test_every_bar_says_what_it_is() -> None:
    texts = {
        screen_bars.slot_text(Slot(NOON, NOON + 900, 20, seen=900)): "20 in",
        screen_bars.slot_text(Slot(NOON, NOON + 900, 0, 1, 10, seen=900)): "fewer than 10",
        screen_bars.slot_text(Slot(NOON, NOON + 900, why="dark")): "not observed: dark",
        screen_bars.slot_text(Slot(NOON, NOON + 900, partial=True, seen=900)): "partial",
        screen_bars.slot_text(Slot(NOON, NOON + 900)): "nothing published",
    }
    assert all(part in text for text, part in texts.items())
    hidden, dark = Slot(NOON, NOON + 900, 0, 1, 10, seen=900), Slot(0, 1, why="dark")
    drawn = screen_bars.bars_html(Day((hidden, dark)), NOON)
    assert "rt-hidden" in drawn
    assert "no history yet" in drawn


def test_a_sum_with_something_missing_is_a_lower_bound() -> None:
    assert screen_compare.sum_text(Slot(0, 1, 20, seen=1)) == "20"
    assert screen_compare.sum_text(Slot(0, 1, 20, 1, seen=1)) == "≥\u202f20"
    assert screen_compare.sum_text(Slot(0, 1, 0, 1, seen=1)) == "S"
    assert screen_compare.sum_text(Slot(0, 1, why="dark")) == "?"
    assert screen_compare.sum_text(Slot(0, 1)) == "–"


def test_a_day_stands_beside_the_same_weekday_of_the_week_before() -> None:
    def row(value: float) -> Row:
        hours = tuple(Slot(h, h + 1, value, seen=1) for h in range(24))
        return Row(0.0, hours, Slot(0, 24, 24 * value, seen=24))

    rows = [row(30 if day == 0 else 20) for day in range(9)]
    found = screen_compare.hours_html(rows, 100.0)
    assert found.count("+50\u202f%") == 1
    assert found.count("<td>–</td>") == 7  # no week before the last week


def test_stays_that_are_not_told_say_why() -> None:
    told = zones_html(documents(shop.floor(NOON)))
    assert "48\u202fs" in told
    assert "≈\u202f18 served" in told
    assert "suppressed: fewer than 10 people" in told
    dark = zones_html(documents(shop.blind(shop.floor(NOON))))
    assert dark.count("not observed: dark") == 3
    assert "48\u202fs" not in dark
    assert "No interval was published today." in zones_html([])


def test_why_an_interval_says_nothing_is_always_said() -> None:
    cut = shop.blind(shop.floor(NOON)) | {"partial": True}
    cut["quality"] = cut["quality"] | {"reasons": {}}
    assert zones_html(documents(cut)).count("not observed: too short a part") == 3
    assert reason_text("clock") == "wrong clock"


def test_reports_count_what_was_told_and_what_was_not() -> None:
    tally = ShopTally()
    bodies = (shop.door(NOON, 20), shop.door(NOON + 900, None), shop.blind(shop.door(NOON, 1)))
    found = [Record("interval", "door", 1.0, 1.0, "b", body) for body in bodies]
    for record in found:
        tally.add(record)
    said = dict(tally.said())
    assert said["Entered, told"] == "20"
    assert said["Counts suppressed or told later"] == "2"
    assert said["Intervals not usable"] == "1 (33\u202f%)"
    assert said["Why not observed"] == "dark 1"
    assert dict(ShopTally().said())["Entered, told"] == "–"  # nothing told is no zero
    courses = [[trend.value(record) for record in found] for trend in TRENDS]
    assert courses[0] == [20, None, None]
    assert courses[2] == [99.0, 99.0, pytest.approx(9.9)]


# -------------------------------------------------------------------------------- drawings


def drawn(name: str = "floor") -> Draft:
    cameras = {one["name"]: one for one in shop.WORD["setup"]["cameras"]}
    return draft_of(Document(cameras[name]), 3)


def test_a_drawing_that_is_in_force_can_be_applied_and_is_what_it_was() -> None:
    for name in ("door", "floor"):
        draft = drawn(name)
        assert wrong_with(draft) == ""
        said = command_of(draft, "why")
        was = next(c for c in shop.WORD["setup"]["cameras"] if c["name"] == name)
        for part in ("lines", "zones", "masks", "homography"):
            assert said[part] == was[part]
        assert (said["camera"], said["reason"], said["version"]) == (name, "why", 3)


@pytest.mark.parametrize(
    ("at", "changes", "wrong"),
    [
        (0, {"points": ((0.0, 0.0), (700.0, 0.0), (0.0, 9.0))}, "outside the picture"),
        (0, {"points": ((0.0, 0.0), (9.0, 9.0), (9.0, 0.0), (0.0, 9.0))}, "crosses itself"),
        (0, {"points": ((0.0, 0.0), (9.0, 9.0), (18.0, 18.0))}, "area"),
        (0, {"points": ((0.0, 0.0), (9.0, 9.0))}, "corners"),
        (0, {"name": ""}, "no name"),
        (1, {"till": "nowhere"}, "nowhere"),
        (1, {"till": ""}, "till"),
        (0, {"name": "till"}, "twice"),
        (4, {"points": ((0.0, 0.0),) * 4}, "one row"),
        (4, {"floor_m": ((0.0, 0.0),)}, "in metres"),
    ],
)
def test_what_the_station_would_refuse_is_said_before(
    at: int, changes: dict[str, Any], wrong: str
) -> None:
    from dataclasses import replace  # noqa: PLC0415

    draft = drawn()
    assert wrong in wrong_with(draft.with_shape(at, replace(draft.shapes[at], **changes)))


def test_a_line_without_length_is_refused() -> None:
    draft = Draft("door", 640, 480, shapes=(Shape(LINE, "a", ((9.0, 9.0), (9.0, 9.0))),))
    assert "no length" in wrong_with(draft)


@given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 9999)), max_size=20))
def test_points_stay_what_they_are_as_text(some: list[tuple[int, int]]) -> None:
    points = tuple((float(x), float(y)) for x, y in some)
    assert from_text(as_text(points)) == points


@given(st.text(max_size=200))
def test_any_text_is_points_or_one_clear_line(text: str) -> None:
    said = ""
    try:
        found = from_text(text)
    except ValueError as error:
        said, found = str(error), ()
    assert not said or "not two numbers" in said or "too many" in said
    assert all(len(point) == 2 for point in found)


@pytest.mark.parametrize("text", ["nan nan", "inf 3", "1e99, 2", "1", "1 2 3", "a b"])
def test_what_no_picture_has_is_no_point(text: str) -> None:
    with pytest.raises(ValueError, match=r"row 1: .* is not two numbers"):
        from_text(text)


def test_rows_may_have_commas_semicolons_or_blanks() -> None:
    assert from_text("1, 2\n\n3;4\n 5 6 ") == ((1, 2), (3, 4), (5, 6))


def test_masks_cover_a_share_of_the_picture() -> None:
    half = Shape(MASK, "m", ((0.0, 0.0), (640.0, 0.0), (640.0, 240.0), (0.0, 240.0)))
    assert masked_share(Draft("a", 640, 480, shapes=(half,))) == pytest.approx(0.5, abs=0.02)
    assert masked_share(Draft("a", 640, 480, shapes=(half, half))) == pytest.approx(
        0.5, abs=0.02
    )
    assert masked_share(Draft("a", 640, 480)) == 0.0


def test_in_stands_on_the_positive_side_of_a_line() -> None:
    shapes = (Shape(LINE, "door", ((100.0, 200.0), (300.0, 200.0))),)
    found = screen_picture.svg(Draft("a", 640, 480, shapes=shapes), (), 0)
    below, above = (_height(found, word) for word in ("in", "out"))
    assert below > 200 > above  # going down is in: y grows, (x2−x1)(y−y1) > 0


def _height(picture: str, word: str) -> float:
    return float(re.findall(rf'y="([\d.]+)"[^>]*>{word}</text>', picture)[0])


def test_a_mosaic_is_drawn_as_rectangles_under_the_drawing() -> None:
    colours = screen_picture.colours_of([[[255, 0, 0], [0, 0, 300]], [[1, 2, 3], [-5, 9, 9]]])
    assert colours == (("#ff0000", "#0000ff"), ("#010203", "#000909"))
    found = screen_picture.svg(drawn(), colours, 0)
    assert found.count('fill="#ff0000"') == 1
    assert found.index("#ff0000") < found.index("mask street")
    assert "<image" not in found


@pytest.mark.parametrize(
    "cells", [None, "x", [], [[]], [["#fff"]], [[[1, 2, 3]], [[1, 2, 3], [4, 5, 6]]], [3]]
)
def test_a_mosaic_of_another_shape_is_none(cells: object) -> None:
    assert screen_picture.colours_of(cells) == ()


def test_metres_are_drawn_where_the_floor_is_known_and_nowhere_else() -> None:
    known = screen_picture.svg(drawn(), (), 0)
    assert known.count("stroke-opacity") > 10
    assert "2: 3, 5 m" in known
    assert "stroke-opacity" not in screen_picture.svg(drawn("door"), (), 0)


def test_what_is_named_from_outside_stays_text_in_pictures() -> None:
    shapes = tuple(
        Shape(kind, EVIL, ((10.0, 10.0), (90.0, 10.0), (50.0, 90.0)), queue=True, till=EVIL)
        for kind in (LINE, ZONE, MASK, FLOOR)
    )
    picture = screen_picture.svg(Draft(EVIL, 640, 480, shapes=shapes), (), 0)
    camera = {"name": EVIL, "zones": [{"name": EVIL, "polygon": [[0, 0], [9, 0], [9, 9]]}]}
    plan = screen_plan.svg(screen_floor.plan_of(Document(camera), []), plot.LIGHT)
    assert "<img" not in picture + plan
    assert "&lt;img" in picture
    assert "&lt;img" in plan


# ------------------------------------------------------------------- the floor, the paper


def test_the_floor_is_the_sum_of_what_was_told_of_it() -> None:
    setup = Document(shop.WORD["setup"]["cameras"][1])
    heat = {"cell": 0.5, "unit": "m", "cells": [[1, 1, 60], [2, 1, 30], [9, "x", 1], [1]]}
    other = heat | {"cell": 0.25}
    bodies = [shop.floor(NOON + n * WIDTH, heat=h) for n, h in enumerate((other, heat, heat))]
    plan = screen_floor.plan_of(setup, documents(*bodies))
    assert plan.seconds == {(1, 1): 120, (2, 1): 60}
    assert (plan.unit, plan.k, len(plan.outlines)) == ("m", 10, 3)
    found = screen_plan.svg(plan, plot.DARK)
    assert found.count("fill-opacity") == 2
    assert "strongest 2.0 person-min" in found
    assert "fewer than 10 people" in found


def test_a_floor_without_metres_is_drawn_in_px_with_its_line() -> None:
    plan = screen_floor.plan_of(Document(shop.WORD["setup"]["cameras"][0]), [])
    assert (plan.unit, plan.seconds) == ("px", {})
    assert plan.outlines[0].inward == (0.0, -1.0)  # the door's line runs to the left
    assert "nothing of the floor was told yet" in screen_plan.svg(plan, plot.LIGHT)


def test_a_floor_that_cannot_be_is_no_error() -> None:
    camera = {"name": "a", "homography": {"picture_px": [[0, 0]] * 4, "floor_m": [[0, 0]] * 4}}
    plan = screen_floor.plan_of(Document(camera), [])
    assert "<svg" in screen_plan.svg(plan, plot.LIGHT)
    assert "<svg" in screen_plan.svg(screen_floor.plan_of(Document(), []), plot.LIGHT)


def test_a_statement_is_shown_as_text_only() -> None:
    text = (
        f"# Title\n\nA line\nand more {EVIL}\n\n* one\n- two\n\n|a|b|\n|---|---|\n|1|{EVIL}|\n"
    )
    found = "".join(markdown(text))
    assert "<h2>Title</h2>" in found
    assert "<li>one</li><li>two</li>" in found
    assert "<p>A line and more &lt;img" in found
    assert found.count("<td>") == 2
    assert "<img" not in found
