"""Who was told of alarms, on the alarm page; and stations of another version."""

import sqlite3
import time
from contextlib import closing
from typing import Any

from streamlit.testing.v1 import AppTest

from common import records
from common.screen.app_screen import OWN
from common.screen.listening import hear
from tests.apps.screens import made, press, run, text
from tests.apps.test_screen import start as overview
from tests.apps.test_screen_alarms import alarms_page, history, start

EVIL = "<img src=x onerror=alert(1)>"


def letter(**changes: Any) -> dict[str, Any]:
    return {
        "event_id": "e-1", "seq": 1, "channel": "email", "to": "shift@x.example",
        "alarms": ["line_stopped"], "count": 1, "priority": 1, "queued_at": time.time() - 60,
        "result": "queued", "reason": "", "closed_at": None, **changes,
    }  # fmt: skip


def told(**changes: Any) -> dict[str, Any]:
    return {
        "enabled": True, "trouble": "", "open": [], "last": [], "channels": {}, **changes,
    }  # fmt: skip


def keep(station: Any, *letters: dict[str, Any]) -> None:
    with closing(sqlite3.connect(station.file)) as connection:
        for body in letters:
            wall = body["closed_at"] or body["queued_at"]
            record = records.Record("notification", body["event_id"], wall, 0.0, "b", body)
            records.add(connection, record)
        connection.commit()


def messages() -> AppTest:
    page = made(alarms_page)
    page.session_state["ls-f-show"] = "Messages"
    return run(page)


def test_beside_a_chosen_alarm_stands_who_was_told(var: Any) -> None:
    receipt = letter(result="delivered", closed_at=time.time())
    var.station("a").say(
        alarms=[var.alarm("line_stopped", 1), var.alarm("camera_failed", 2)],
        notification=told(last=[receipt]),
    )
    page = press(start(), "More", 0)
    assert "shift@x.example, e-mail: delivered" in text(page)
    page = press(start(), "More", 1)
    assert "Nobody was told." in text(page)


def test_a_station_that_tells_nobody_says_nothing_of_it(var: Any) -> None:
    var.station("a").say(alarms=[var.alarm("line_stopped", 1)])
    assert "told" not in text(press(start(), "More", 0))


def test_that_nobody_can_be_told_stands_above_the_list(var: Any) -> None:
    away = {"state": "offline", "queued": 3, "reason": "mail.example: Connection refused"}
    var.station("a").say(notification=told(channels={"email": away}))
    var.station("b").say(notification=told(trouble="cannot be queued: disk full"))
    var.station("c").say(notification=told(enabled=False, trouble="old"))
    shown = text(start())
    assert "MESSAGES DO NOT LEAVE a: e-mail: mail.example: Connection refused" in shown
    assert "MESSAGES DO NOT LEAVE b: cannot be queued: disk full" in shown
    assert "LEAVE c" not in shown


def test_all_messages_with_their_results(var: Any) -> None:
    station = var.station("a")
    station.say()
    done = {"result": "delivered", "closed_at": time.time() - 30}
    refused = {"event_id": "e-2", "to": "nobody@x.example", "result": "refused"}
    many = {"alarms": ["a", "b", "c", "d"], "count": 1000}
    keep(
        station, letter(), letter(**done), letter(**refused, reason="550 no such user", **many)
    )
    page = messages()
    shown = text(page)
    assert "2 messages" in shown, "of each the last word only"
    for part in ("shift@x.example", "delivered", "REFUSED: 550 no such user", "a and 999 more"):
        assert part in shown, part
    page.text_input(key="ls-f-words").input("nobody")
    assert "1 messages" in text(run(page))
    page.text_input(key="ls-f-words").input("")
    page.multiselect(key="ls-f-priority").set_value([2])
    assert "0 messages" in text(run(page))


def test_messages_in_german(var: Any) -> None:
    station = var.station("a")
    station.say()
    keep(station, letter())
    page = made(alarms_page)
    page.session_state["ls-f-show"] = "Messages"
    page.query_params["lang"] = "de"
    shown = text(run(page))
    assert "wartet auf den Versand" in shown
    assert "Verständigt" in shown


def test_hostile_receipts_stay_texts_and_broken_ones_stop_no_page(var: Any) -> None:
    hostile = letter(to=EVIL, alarms=[EVIL], reason=EVIL, result=EVIL, channel=EVIL)
    broken = {"queued_at": "now", "closed_at": None, "event_id": "e-3", "alarms": 7}
    station = var.station("a")
    station.say(
        alarms=[var.alarm(EVIL, 1)],
        notification=told(last=[hostile, broken, "x"], trouble=EVIL, channels=7),
    )
    keep(station, hostile, {**broken, "queued_at": time.time()})
    for page in (press(start(), "More", 0), messages(), run(history())):
        assert EVIL not in text(page)


def test_a_file_of_newer_software_is_said_and_the_station_itself_is_asked(var: Any) -> None:
    station = var.station("a")
    station.say(software="lineside 99.0")
    with closing(sqlite3.connect(station.file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    heard = hear(station.file)
    assert heard.freshness.stale
    assert "it is of another version: schema 99, this screen knows" in heard.trouble
    assert "update the screens" in heard.trouble


def test_another_version_stands_in_the_stations_line(var: Any) -> None:
    var.station("new").say(software="lineside 99.0")
    var.station("same").say(software=OWN)
    shown = text(overview())
    assert shown.count("lineside 99.0, this screen: ") == 1
    assert f"{OWN}, this screen" not in shown
