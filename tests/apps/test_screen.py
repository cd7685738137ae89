"""The overview: a line per station, the most urgent on top, nothing silent looks alive."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps import bench_station, screen
from apps.defect_inspection import screen as inspection
from apps.defect_inspection import station as inspection_station
from apps.patient_monitoring import station as ward_station
from apps.predictive_maintenance import upkeep
from common.screen import overview
from common.screen.document import Document
from common.screen.freshness import LATE_AFTER_S
from common.screen.language import use
from common.screen.listening import hear
from common.screen.plant import look_around
from common.store import StoreSettings
from tests.apps.screens import started, text


def start(**query: str) -> AppTest:
    return started(screen.__file__, **query)


@pytest.mark.parametrize(
    "every_s",
    [bench_station.SNAPSHOT_S, inspection_station.SNAPSHOT_S, upkeep.ALARMS_S,
     ward_station.SNAPSHOT_S],
)  # fmt: skip
def test_the_file_of_a_station_that_keeps_its_time_is_never_late(every_s: float) -> None:
    """A word is as old as the next one's making and its commit let it become."""
    assert every_s + StoreSettings().group_ms / 1000 + 0.5 <= LATE_AFTER_S


def test_without_stations_it_says_so(var: Any) -> None:
    assert "No station yet" in text(start())


def test_a_station_is_a_line_with_all_there_is_to_know(var: Any) -> None:
    var.station("press-1").say()
    shown = text(start())
    for part in (
        "press-1", "Defect inspection", "Execute", "Bare board, back-lit", "No alarms", "00:0",
        "MQTT online", "lineside 0.1.0", "pcb 1.0.0", "1 / 1",
    ):  # fmt: skip
        assert part in shown, part
    assert "ls-line ls-stale" not in shown


def test_a_narrow_screen_has_no_heads_so_an_age_bears_its_name_there(var: Any) -> None:
    var.station("press-1").say()
    assert '<span class="ls-narrow">Data age </span>00:0' in text(start())


def test_how_many_more_alarms_there_are_is_apart_from_the_text_that_may_be_cut(
    var: Any,
) -> None:
    var.station("a").say(alarms=[var.alarm("reject_bin", 2), var.alarm("line_stopped", 1)])
    assert "line stopped</span><b>+1</b>" in text(start())


def test_alarm_link_and_silence_are_seen_from_afar(var: Any) -> None:
    backlog = {"state": "offline", "queued": 1234, "oldest_age_s": 720.0, "dead": 2}
    var.station("a").say(
        alarms=[var.alarm("reject_bin", 2), var.alarm("line_stopped", 1)],
        hidden_alarms=[var.hidden("camera_failed", "SHELVED")],
        link={"mqtt": backlog},
    )
    var.station("b").say(age_s=75.0)
    shown = text(start())
    assert "ls-square ls-p1" in shown
    assert "line stopped" in shown
    assert "1\u202f234 queued, oldest 00:12:00" in shown
    assert "station silent for 01:1" in shown
    assert "1 shelved · 0 suppressed · 0 out of service" in shown
    assert "1 silent" in shown
    assert shown.count("ls-line ls-stale") == 1


def test_alarms_of_a_silent_station_do_not_look_live(var: Any) -> None:
    var.station("a").say(age_s=60.0, alarms=[var.alarm("x", 1)])
    var.station("b").say(alarms=[var.alarm("y", 2)])
    shown = text(start())
    assert shown.count("ls-alarm ls-p1 ls-stale ls-wide") == 1
    assert shown.count("ls-alarm ls-p2 ls-wide") == 1


def test_the_most_urgent_station_is_on_top(var: Any) -> None:
    var.station("a-well").say()
    var.station("b-low").say(alarms=[var.alarm("x", 3)])
    var.station("c-noted").say(alarms=[var.alarm("x", 1, "ACKED")])
    var.station("d-new").say(alarms=[var.alarm("x", 1)])
    var.station("e-ill").say(healthy=False)
    var.station("f-silent").say(age_s=60.0)
    shown = text(start())
    order = [f'data-station="{n}"' for n in
             ("f-silent", "d-new", "c-noted", "b-low", "e-ill", "a-well")]  # fmt: skip
    places = [shown.index(mark) for mark in order]
    assert places == sorted(places)


def test_an_alarm_flood_is_said(var: Any) -> None:
    burden = {"flood_since": 1e9, "flood_count": 1234, "chattering": [], "stale": []}
    var.station("a").say(alarm_burden=burden)
    assert "ALARM FLOOD: 1\u202f234 alarms" in text(start())


def test_one_broken_file_does_not_hide_the_others(var: Any) -> None:
    broken = var.station("broken")
    broken.file.write_bytes(b"not a database" * 400)
    var.station("silent-yet")
    var.station("well").say()
    shown = text(start())
    assert "broken: cannot be read" in shown
    assert "it has not said anything yet" in shown
    assert "Execute" in shown


def test_names_from_outside_stay_names(var: Any) -> None:
    evil = "<script>alert(1)</script>"
    var.station("x").say(
        model={"name": evil}, software=evil, app=evil, line={"recipe": evil},
        alarms=[var.alarm("a", 1, text=evil, detail=evil, response=evil, first_out=evil)],
        hidden_alarms=[var.hidden("h", "SHELVED", reason=evil, by=evil)],
        link={"mqtt": {"state": evil, "reason": evil}},
    )  # fmt: skip
    assert "<script>" not in text(start())


def test_an_app_without_a_page_still_has_its_line(var: Any) -> None:
    var.station("mill").say(app="milling", line=None)
    shown = text(start())
    assert "milling" in shown
    assert "working" in shown


def test_the_menu_names_the_apps_that_are_here(var: Any) -> None:
    every = {one.app for one in screen.SCREENS}
    assert screen.apps_here(look_around(var.folder)) == every
    var.station("a").say()
    assert screen.apps_here(look_around(var.folder)) == {"defect_inspection"}
    var.station("b")  # has not said yet what it is
    assert screen.apps_here(look_around(var.folder)) == every


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ({"line": {"state": 6}, "healthy": True}, "Execute"),
        ({"line": {"state": 2}, "healthy": False}, "Stopped, NOT WORKING"),
        ({"line": {"state": 6, "plc_alive": False}, "healthy": True}, "PLC SILENT"),
        ({"healthy": True}, "working"),
        ({}, "NOT WORKING"),
    ],
)
def test_states_of_a_line_in_words(word: dict[str, Any], said: str) -> None:
    assert inspection.state(Document(word)) == said


def test_a_line_knows_its_age(var: Any) -> None:
    station = var.station("x")
    station.say(age_s=10.0)
    heard = hear(station.file)
    assert heard.freshness.stale
    said = overview.state_text(heard, inspection.SCREEN)
    assert said.startswith("station silent for 00:1")


def test_german_by_the_address(var: Any) -> None:
    var.station("press-1").say(alarms=[var.alarm("camera_failed", 2)])
    page = start(lang="de")
    shown = text(page)
    for part in ("Stationen, die arbeiten", "1 zu quittieren", "Datenalter", "Fehlerprüfung"):
        assert part in shown
    assert {b.label for b in page.button} >= {"English", "Dunkel", "Quittieren"}
    use("en")


def test_the_language_can_be_switched(var: Any) -> None:
    var.station("press-1").say()
    page = start()
    next(b for b in page.button if b.label == "Deutsch").click()
    page.run()
    assert "Keine Alarme" in text(page)
    assert "de" in page.query_params["lang"]
    use("en")


@pytest.mark.parametrize("lang", ["xx", "../de", ""])
def test_a_language_that_is_not_there_is_english(var: Any, lang: str) -> None:
    var.station("press-1").say()
    assert "No alarms" in text(start(lang=lang))


def test_dark_and_light_can_be_switched_and_are_in_the_address(var: Any) -> None:
    var.station("press-1").say()
    page = start(theme="dark")
    script = next(b.value for b in page.html if b.value.startswith("<script>"))
    assert script.endswith('("Dark", "en");\n</script>')
    next(b for b in page.button if b.label == "Light").click()
    page.run()
    script = next(b.value for b in page.html if b.value.startswith("<script>"))
    assert script.endswith('("Light", "en");\n</script>')
    assert "light" in page.query_params["theme"]


def test_the_name_of_a_stations_folder_stays_text(var: Any) -> None:
    evil = "<img src=x onerror=alert(1)>"
    var.station(evil).say(alarms=[var.alarm("a", 1)])
    var.station("=1+1").say(age_s=60.0)
    shown = text(start())
    assert "<img src=x" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert "=1+1" in shown


@pytest.mark.parametrize("theme", ["<script>", "darkest", ""])
def test_a_theme_from_outside_never_gets_into_the_script(var: Any, theme: str) -> None:
    var.station("press-1").say()
    script = next(b.value for b in start(theme=theme).html if b.value.startswith("<script>"))
    assert script.endswith('("System", "en");\n</script>')


def test_acknowledging_from_the_overview(var: Any, api: Any) -> None:
    var.station("press-1").say(api_port=api.port, alarms=[var.alarm("line_stopped", 1)])
    page = start()
    page.text_input(key="ls-name").input("anna")
    page.text_input(key="ls-password").input("correct-horse")
    next(b for b in page.button if b.label == "Sign in").click()
    page.run()
    next(b for b in page.button if b.label == "Acknowledge").click()
    page.run()
    assert api.got == [("acknowledge", {"alarm_id": "line_stopped", "revision": 3}, "anna")]
