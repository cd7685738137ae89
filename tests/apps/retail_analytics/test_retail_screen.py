"""The shop's page, run whole by Streamlit's own test runner."""

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps.retail_analytics import screen, screen_fields, screen_setup
from apps.retail_analytics.mosaic import mosaic
from apps.retail_analytics.screen_days import midnight
from apps.retail_analytics.screen_ledger import read_intervals
from apps.retail_analytics.simulate import ShopCamera
from common.report_html import About, document
from common.reports import Span, read_report
from common.screen.background import background
from common.screen.document import Document
from common.screen.station_file import StationUnreadable
from tests.apps.screens import made, press, run, sign_in, started, text

from . import retail_shop as shop

EVIL = "<img src=x onerror=alert(1)>"
WIDTH = shop.WIDTH
SEED = 1
"""Of weeks in which the last morning is too quiet to be told."""


@pytest.fixture(autouse=True)
def afternoon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the hour is, the shop is open: clocks go on from six minutes past three."""
    real = time.time
    ahead = midnight(real()) + 15.1 * 3600 - real()
    monkeypatch.setattr(time, "time", lambda: real() + ahead)


@pytest.fixture
def place(var: Any) -> shop.ShopFolder:
    return shop.ShopFolder(var.station("shop-1"))


@pytest.fixture(autouse=True)
def nothing_read_before() -> None:
    """Days of another test's files are not those of this one."""
    background._entries.clear()


def start(**query: str) -> AppTest:
    return started(screen.__file__, **query)


def signed_in(name: str = "anna", **query: str) -> AppTest:
    return sign_in(start(**query), name)


def today(number: int) -> float:
    """When the interval began that closed `number` intervals ago, today or before."""
    now = time.time()
    return now - now % WIDTH - number * WIDTH


# ------------------------------------------------------------------------------------ now


def test_without_a_station_it_says_so(var: Any) -> None:
    assert "No station yet" in text(start())


def test_a_station_that_has_said_nothing_is_no_empty_shop(place: shop.ShopFolder) -> None:
    shown = text(start())
    assert "No data yet" in shown
    assert "No interval was published today." in shown
    assert "no history yet" in shown


def test_the_shop_at_a_glance(place: shop.ShopFolder) -> None:
    place.say()
    shown = text(start())
    for part in (
        "counting", "2 / 2", "10 people", "as shipped", "person 1.0.0", "simulated",
        "≈\u202f35", "of 40", "± 5 corrected", "emptied", "by the clock", "3 waiting",
        "no call; from 4 on", "wait about 1\u202fmin 20\u202fs<",
        "small counts wait up to 60 min",
        "no history yet: no forecast", "sees the shop", "99\u202f%", "15.0",
        "Counts people; recognises and records nobody.",
    ):  # fmt: skip
        assert part in shown, part
    assert "ls-stale" not in shown
    assert "ls-alarmed" not in shown
    assert "data:image/svg+xml" in shown, "the floor plan, and no other picture"
    assert shown.count("<img") == 1


def test_a_day_with_history_has_a_forecast_and_marks_what_is_not_told(
    place: shop.ShopFolder,
) -> None:
    now = time.time()
    place.weeks(3, now, seed=SEED)
    place.publish(*(shop.floor(now - now % WIDTH - n * WIDTH) for n in (1, 2)))
    place.say()
    shown = text(start())
    for part in (
        "from 3 weeks", "in 3 past weeks", "≥", "counts suppressed: too few people",
        "suppressed: fewer than 10 people", "rt-hidden", "expected ", "≈\u202f18 served",
        "10\u202f% gave up", "48\u202fs",
    ):  # fmt: skip
        assert part in shown, part


def test_a_called_queue_has_its_alarms_mark(place: shop.ShopFolder, var: Any) -> None:
    queue = copy.deepcopy(shop.WORD["queues"][0])
    queue |= {"called": True, "since": time.time() - 75, "length": 6}
    alarm = var.alarm("queue_long.floor", 2, text="floor: The queue is too long")
    place.say(queues=[queue], alarms=[alarm])
    shown = text(start())
    for part in ("CALL STAFF · 6 waiting", "called for 1\u202fmin 1", "ls-alarmed ls-p2"):
        assert part in shown, part


def test_a_count_by_eye_is_no_emptying(place: shop.ShopFolder) -> None:
    place.say(occupancy={"reset_by": "anna"})
    shown = text(start())
    assert "by anna" in shown
    assert "counted" in shown
    assert "emptied" not in shown


def test_what_is_not_known_is_no_zero(place: shop.ShopFolder) -> None:
    queue = shop.WORD["queues"][0] | {
        "length": None, "wait_s": None, "usable": False, "reason": "dark: mean grey 3",
    }  # fmt: skip
    place.say(
        occupancy={"inside": None, "usable": False, "reason": "dark: door", "reset": None},
        queues=[queue],
    )
    shown = text(start())
    for part in ("– waiting", "wait not known", "never emptied", "bad value", "dark"):
        assert part in shown, part
    assert "≈" not in shown
    assert "0 waiting" not in shown


@pytest.mark.parametrize(
    ("state", "word"),
    [("dark", "DARK"), ("blocked", "COVERED"), ("frozen", "FROZEN"), ("moved", "MOVED"),
     ("size", "OTHER PICTURE SIZE"), ("slow", "TOO FEW PICTURES"), ("gone", "NO PICTURE"),
     ("model", "NETWORK FAILS"), ("something new", "something new")],
)  # fmt: skip
def test_a_camera_that_sees_nothing_says_why(
    place: shop.ShopFolder, state: str, word: str
) -> None:
    place.state(state=state, reason=f"{state}: because", observed_pct=41.0, fps=None)
    shown = text(start())
    assert f"<b>{word}</b>" in shown
    assert f"{state}: because" in shown
    assert "1 / 2" in shown


def test_a_blocked_camera_is_no_empty_shop(place: shop.ShopFolder) -> None:
    dark = shop.blind(shop.door(today(1), None))
    place.publish(dark, shop.door(today(2), 20))
    cameras = copy.deepcopy(shop.WORD["cameras"])
    cameras[0] |= {"state": "dark", "reason": "dark: mean grey 3 of 255"}
    place.say(healthy=False, faults=["door: dark"], cameras=cameras)
    shown = text(start())
    assert "COUNTS IN PART" in shown
    assert "rt-blind" in shown
    assert "not observed: dark" in shown


def test_silence_is_never_a_live_number(place: shop.ShopFolder) -> None:
    place.say()
    place.folder.say(**shop.WORD, age_s=75.0)
    shown = text(start())
    assert "STATION SILENT FOR 01:1" in shown
    assert "counting" not in shown
    assert shown.count("ls-stale") >= 8
    assert shown.count(" old</div>") >= 7


def test_what_comes_from_outside_stays_text(place: shop.ShopFolder) -> None:
    cameras = [shop.WORD["cameras"][0] | {"name": EVIL, "state": EVIL, "reason": EVIL}]
    queues = [shop.WORD["queues"][0] | {"zone": EVIL, "till": EVIL}]
    drawn = copy.deepcopy(shop.WORD["setup"]["cameras"])
    drawn[0]["lines"][0]["name"] = EVIL
    occupancy = {"reset_by": EVIL, "reason": EVIL, "usable": False}
    place.say(cameras=cameras, queues=queues, setup={"cameras": drawn}, occupancy=occupancy)
    place.publish(shop.blind(shop.floor(today(1)), EVIL))
    shown = text(start())
    assert "<img src=x" not in shown
    assert "&lt;img src=x" in shown


@pytest.mark.parametrize("view", screen.VIEWS)
@pytest.mark.parametrize(
    "odd",
    [{"cameras": 3, "queues": {"a": 1}, "setup": [], "occupancy": "?", "interval": None},
     {"cameras": ["x", {}], "queues": [{}], "setup": {"cameras": [{}, 3]}, "privacy": 7,
      "interval": {"start": 5, "end": 4, "min": "x"}, "occupancy": {"limit": "many"}}],
)  # fmt: skip
def test_a_word_of_another_shape_stops_no_view(
    place: shop.ShopFolder, view: str, odd: dict[str, Any]
) -> None:
    place.folder.say(**shop.WORD | odd)
    start(view=view)


@pytest.mark.parametrize("view", screen.VIEWS)
def test_a_broken_file_is_one_clear_line(place: shop.ShopFolder, view: str) -> None:
    place.folder.file.write_bytes(b"not a database" * 400)
    shown = text(start(view=view))
    assert "cannot be read" in shown or "For engineers" in shown


def test_it_speaks_german(place: shop.ShopFolder) -> None:
    place.say()
    for view, part in (
        ("now", "Jetzt im Laden, von 40"), ("compare", "Tagessumme"),
        ("setup", "Für Techniker"), ("privacy", "Noch keine Erklärung"),
    ):  # fmt: skip
        assert part in text(start(lang="de", view=view))


# ------------------------------------------------------------------------ hours and days


def test_hours_and_days_stand_beside_each_other(place: shop.ShopFolder) -> None:
    place.say()
    place.publish(shop.door(today(2), 31), shop.door(today(1), None))
    page = start(view="compare")
    shown = text(page)
    assert "Day&#x27;s sum" in shown or "Day's sum" in shown
    assert "31" in shown
    assert "rt-hidden" in shown
    page.segmented_control(key="rt-direction").set_value("out")
    assert "31" in text(run(page))


# --------------------------------------------------------------------------- the statement


def test_the_statement_is_the_stations_own_and_a_file(place: shop.ShopFolder) -> None:
    place.say()
    place.statement()
    page = start(view="privacy")
    shown = text(page)
    assert "<h2>Privacy statement</h2>" in shown
    assert "<td>at most 2 s, in memory</td>" in shown
    assert [b.label for b in page.get("download_button")] == ["Statement as a file (Markdown)"]


def test_a_statement_that_is_missing_in_a_language_is_english(place: shop.ShopFolder) -> None:
    place.say()
    place.statement()
    assert "Privacy statement" in text(start(view="privacy", lang="de"))
    place.statement("# Erklärung", "de")
    assert "Erklärung" in text(start(view="privacy", lang="de"))


# ------------------------------------------------------------------------------ the set-up


@pytest.fixture
def station(api: Any, place: shop.ShopFolder) -> Any:
    """A station with an API that has a picture to be looked at."""
    frame = ShopCamera("corner").capture()
    cells = mosaic(frame)
    api.roles = {
        "setup.mosaic": "engineer", "setup.apply": "engineer", "occupancy.reset": "operator",
        "occupancy.correct": "operator",
    }  # fmt: skip
    api.results = {
        "setup.mosaic": {"camera": "door", "width": 640, "height": 480, "cells": cells},
        "setup.apply": {"version": 1, "text": "set-up 1 is in force"},
    }
    plain: Callable[..., Any] = api.command

    def command(name: str, arguments: dict[str, Any], user: Any) -> Any:
        from concurrent.futures import Future  # noqa: PLC0415

        plain(name, arguments, user)
        future: Future[Any] = Future()
        future.set_result(api.results.get(name, f"{name} carried out"))
        return future

    api.command = command
    place.say(api_port=api.port)
    return api


@pytest.mark.parametrize("name", ["", "anna"])
def test_the_set_up_is_for_engineers(station: Any, name: str) -> None:
    page = signed_in(name, view="setup") if name else start(view="setup")
    assert "Sign in below as an engineer" in text(page)
    assert not any(b.label == "Apply · engineer" for b in page.button)
    assert station.got == []


def test_an_engineer_sees_the_mosaic_and_the_station_is_told_why(station: Any) -> None:
    page = signed_in("eric", view="setup")
    page.text_input(key="rt-ask-why").input("drawing the door")
    press(page, "Show the mosaic")
    assert station.got == [
        ("setup.mosaic", {"camera": "door", "reason": "drawing the door"}, "eric")
    ]
    held = page.session_state[screen_setup.COLOURS]
    assert held[0] == ("shop-1", "door")
    assert (len(held[1]), len(held[1][0])) == (36, 48)
    assert "This drawing can be applied." in text(page)
    assert "The mosaic of door is shown." in text(page)


def test_a_mosaic_goes_with_the_engineer_who_signs_out(station: Any) -> None:
    page = signed_in("eric", view="setup")
    page.text_input(key="rt-ask-why").input("drawing the door")
    press(page, "Show the mosaic")
    assert screen_setup.COLOURS in page.session_state
    press(page, "Sign out")
    assert screen_setup.COLOURS not in page.session_state


def test_a_mosaic_is_forgotten_with_time_and_with_the_view(
    station: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = signed_in("eric", view="setup")
    page.text_input(key="rt-ask-why").input("drawing the door")
    press(page, "Show the mosaic")
    monkeypatch.setattr(screen_setup, "KEPT_S", 0.0)
    run(page)
    assert screen_setup.COLOURS not in page.session_state
    monkeypatch.setattr(screen_setup, "KEPT_S", 600.0)
    press(page, "Show the mosaic")
    assert screen_setup.COLOURS in page.session_state
    page.segmented_control(key="rt-view").set_value("now")
    run(page)
    assert screen_setup.COLOURS not in page.session_state
    page.segmented_control(key="rt-view").set_value("setup")
    run(page)
    assert screen_setup.COLOURS not in page.session_state


def test_a_refused_mosaic_is_one_clear_line(station: Any) -> None:
    page = signed_in("eric", view="setup")
    press(page, "Show the mosaic")  # without a reason
    assert "setup.mosaic takes a reason" in text(page)
    assert screen_setup.COLOURS not in page.session_state


def field(page: AppTest, kind: str, label: str) -> Any:
    return next(one for one in page.get(kind) if one.label == label)


POINTS = "Points in px, one “x, y” per row"


def test_a_line_is_moved_by_numbers_and_applied_with_a_reason(station: Any) -> None:
    page = signed_in("eric", view="setup")
    field(page, "text_area", POINTS).input("500, 200\n140, 200")
    run(page)
    page.text_input(key="rt-apply-why").input("the door was moved")
    press(page, "Apply · engineer")
    name, said, user = station.got[-1]
    assert (name, user) == ("setup.apply", "eric")
    assert said["lines"] == [{"name": "door", "points": [[500, 200], [140, 200]], "door": True}]
    assert (said["camera"], said["reason"]) == ("door", "the door was moved")
    assert said["version"] == 0
    assert "set-up 1 is in force" in text(page)
    drafts = page.session_state[screen_fields.DRAFTS]
    assert drafts[screen_fields.Key("shop-1", "door")].version == 1
    assert page.text_input(key="rt-apply-why").value == ""


def test_what_is_typed_and_applied_at_once_is_what_is_applied(station: Any) -> None:
    page = signed_in("eric", view="setup")
    field(page, "text_area", POINTS).input("500, 200\n140, 200")
    page.text_input(key="rt-apply-why").input("the door was moved")
    press(page, "Apply · engineer")
    assert station.got[-1][1]["lines"][0]["points"] == [[500, 200], [140, 200]]


def test_what_is_typed_wrong_and_applied_at_once_is_not_sent(station: Any) -> None:
    page = signed_in("eric", view="setup")
    field(page, "text_area", POINTS).input("500, 200\nfive, 5")
    page.text_input(key="rt-apply-why").input("the door was moved")
    press(page, "Apply · engineer")
    assert station.got == []
    assert "Not yet: row 2" in text(page)
    assert page.text_input(key="rt-apply-why").value == "the door was moved"


def test_a_button_that_comes_before_what_was_typed_wipes_nothing(station: Any) -> None:
    page = signed_in("eric", view="setup")
    field(page, "text_area", POINTS).input("500, 200\n140, 200")
    press(page, "New mask")  # the runner has it first; a browser sends it last
    page.selectbox(key=screen_fields.Key("shop-1", "door").name("shape")).set_value(0)
    run(page)
    assert field(page, "text_area", POINTS).value == "503, 240\n137, 240"


def test_a_drawing_that_cannot_be_is_said_so_and_not_sent(station: Any) -> None:
    page = signed_in("eric", view="setup")
    for wrong, why in (
        ("500, 200", "has 1 points, needs 2"), ("500, 200\n900, 200", "outside the picture"),
        ("5; 5\nfive, 5", "row 2"),
    ):  # fmt: skip
        field(page, "text_area", POINTS).input(wrong)
        run(page)
        assert why in text(page)
        apply = next(b for b in page.button if b.label == "Apply · engineer")
        assert apply.disabled
    assert station.got == []
    press(page, "Back to what is in force")
    assert "This drawing can be applied." in text(page)
    assert field(page, "text_area", POINTS).value == "503, 240\n137, 240"


def test_in_and_out_are_turned_round_and_a_point_is_taken_back(station: Any) -> None:
    page = signed_in("eric", view="setup")
    press(page, "Turn in and out round")
    assert field(page, "text_area", POINTS).value == "137, 240\n503, 240"
    press(page, "Take the last point back")
    assert field(page, "text_area", POINTS).value == "137, 240"
    assert "needs 2" in text(page)


def test_a_new_mask_is_drawn_point_by_point_and_removed(station: Any) -> None:
    page = signed_in("eric", view="setup")
    press(page, "New mask")
    assert "has 0 corners" in text(page)
    field(page, "text_area", POINTS).input("0 0\n640 0\n640 240\n0 240")
    run(page)
    assert "Masks cover 50.0\u202f% of the picture." in text(page)
    press(page, "Remove it")
    assert "Masks cover 0.0\u202f% of the picture." in text(page)


def test_a_queue_needs_its_till_and_a_zone_its_name(station: Any) -> None:
    page = signed_in("eric", view="setup")
    page.selectbox(key=screen_setup.CAMERA).set_value("floor")
    run(page)
    field(page, "checkbox", "It is a queue").check()
    run(page)
    assert "needs its till" in text(page)
    field(page, "selectbox", "Zone of its till").set_value("till")
    run(page)
    assert "This drawing can be applied." in text(page)
    field(page, "text_input", "Name").input(" ")
    run(page)
    assert "a Zone has no name" in text(page)


def test_the_floor_is_said_in_px_and_in_metres(station: Any) -> None:
    page = signed_in("eric", view="setup")
    page.selectbox(key=screen_setup.CAMERA).set_value("floor")
    run(page)
    field(page, "selectbox", "What is drawn").set_value(4)
    run(page)
    metres = field(page, "text_area", "The same points in metres")
    assert metres.value.splitlines()[2] == "8, 7"
    metres.input("0 0\n3 5\n8 7")
    run(page)
    assert "4 points in the picture and 3 in metres" in text(page)


def test_a_click_adds_a_point_inside_the_picture() -> None:
    assert clicked([[[1.5, 700, -5], [2, 20, 30]]]) == [(640.0, 0.0), (20.0, 30.0)]


def test_a_click_that_is_told_again_is_taken_once() -> None:
    assert clicked([[[1, 20, 30]], [[1, 20, 30], [2, 20, 30]]]) == [(20.0, 30.0)] * 2


def clicked(told: list[list[list[float]]]) -> list[tuple[float, float]]:
    """What clicks make of a zone without points: run in a page of its own."""

    def page() -> None:
        import streamlit as st  # noqa: PLC0415 - a script

        from apps.retail_analytics import screen_fields, screen_setup  # noqa: PLC0415
        from apps.retail_analytics.screen_draft import Draft, Shape  # noqa: PLC0415

        key = screen_fields.Key("shop-1", "door")
        screen_fields.put(key, Draft("door", 640, 480, shapes=(Shape("zone", "a"),)))
        for spots in (*st.session_state["told"], "nowhere", [[3, 4]]):
            st.session_state["clicked"] = {"spots": spots}
            screen_setup._clicked(key, "clicked")

    script = made(page)
    script.session_state["told"] = told
    run(script)
    drafts = script.session_state[screen_fields.DRAFTS]
    (draft,) = drafts.values()
    return list(draft.shapes[0].points)


def test_another_engineers_change_is_said(station: Any, place: shop.ShopFolder) -> None:
    page = signed_in("eric", view="setup")
    place.say(api_port=station.port, setup={"version": 4, "by": "eva"})
    assert "eva has changed the set-up meanwhile" in text(run(page))
    press(page, "Back to what is in force")
    assert "meanwhile" not in text(page)


# ----------------------------------------------------------------------------- who is inside


def test_an_operator_corrects_who_is_inside(station: Any) -> None:
    page = signed_in("anna")
    page.number_input(key="rt-inside-number").set_value(12)
    page.text_input(key="rt-correct-why-0").input("counted by eye")
    press(page, "Correct the sum")
    page.text_input(key="rt-reset-why-0").input("closed")
    press(page, "Nobody is inside")
    assert station.got == [
        ("occupancy.correct", {"inside": 12, "reason": "counted by eye"}, "anna"),
        ("occupancy.reset", {"reason": "closed"}, "anna"),
    ]
    assert page.text_input(key="rt-correct-why-1").value == ""


def test_who_is_not_signed_in_changes_nothing(station: Any) -> None:
    page = start()
    press(page, "Nobody is inside")
    assert "sign in first" in text(page)
    assert station.got == []


# --------------------------------------------------------------------------- for the others


def test_intervals_are_read_by_camera_and_time(place: shop.ShopFolder) -> None:
    bodies = [shop.door(today(n), 20 + n) for n in (4, 3, 2, 1)]
    place.publish(*bodies, shop.floor(today(2)), shop.floor(today(1)))
    path, end = place.folder.file, today(0)
    found = read_intervals(path, [(today(2), end)], frozenset({"door"}))
    assert [one.number("interval_start") for one in found] == [today(2), today(1)]
    assert len(read_intervals(path, [(today(2), end)])) == 4
    twice = read_intervals(path, [(today(4), today(3)), (today(2), today(1))])
    assert len(twice) == 3
    assert read_intervals(path, [(end, end + 900)]) == ()


def test_an_interval_that_cannot_be_read_is_one_clear_line(place: shop.ShopFolder) -> None:
    begin = today(1)
    row = ("door", begin, begin + WIDTH, "{no JSON")
    place.write(lambda c: c.execute("INSERT INTO retail_intervals VALUES (?, ?, ?, ?)", row))
    with pytest.raises(StationUnreadable, match="shop-1: cannot be read"):
        read_intervals(place.folder.file, [(begin, begin + WIDTH)])
    place.say()
    assert "shop-1: cannot be read" in text(start())


def test_a_shift_on_paper_says_what_was_told_and_what_was_not(place: shop.ShopFolder) -> None:
    place.say()
    place.publish(shop.door(today(2), 31), shop.blind(shop.door(today(1), None)))
    end = time.time()
    report = read_report(place.folder.file, Span(end - 7200, end), screen.SCREEN)
    paper = document(report, About(screen.SCREEN, Document(shop.WORD), end, "anna"))
    for part in ("Entered, told", "<dd>31</dd>", "Intervals not usable", "1 (50", "dark 1"):
        assert part in paper, part
    assert len(report.courses["entered"]) == 1
    assert len(report.courses["observed"]) == 2


def test_the_overview_says_what_matters() -> None:
    assert screen.state(Document(shop.WORD | {"healthy": True})) == "counting, ≈\u202f35 inside"
    assert screen.state(Document({"healthy": False})) == "NOT COUNTING"
    called = {"queues": [{"zone": "queue", "called": True}, {"zone": "other"}]}
    assert screen.subject(Document(called)) == "staff called to queue"
    assert screen.subject(Document(shop.WORD)) == ""
