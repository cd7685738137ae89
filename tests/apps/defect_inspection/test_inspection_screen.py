"""The operator's page, run whole by Streamlit's own test runner against a real store."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from apps.defect_inspection import screen
from common.clock import SystemClock
from common.screen.commands import Credential
from common.service import ApiServer, build_api
from common.users import User, Users

PASSWORD = "correct-horse"  # noqa: S105 - of a user that lives as long as a test


def start() -> AppTest:
    page = AppTest.from_file(screen.__file__, default_timeout=50)
    return run(page)


def run(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def text(page: AppTest) -> str:
    """What is drawn, without the style sheet."""
    return " ".join(b.value for b in page.html if not b.value.startswith("<style>"))


def signed_in(name: str = "anna", since: float = 0.0) -> AppTest:
    page = AppTest.from_file(screen.__file__, default_timeout=50)
    page.session_state["ls_credential"] = Credential(name, PASSWORD)
    page.session_state["ls_credential_used"] = time.monotonic() - since
    return run(page)


def press(page: AppTest, label: str) -> AppTest:
    button = next(b for b in page.button if b.label == label)
    button.click()
    return run(page)


class Asked:
    """A station behind its real API that remembers what it was asked."""

    roles = {  # noqa: RUF012
        "acknowledge": "operator",
        "reset_alarm": "operator",
        "reset_line": "operator",
        "overrule": "operator",
        "challenge": "engineer",
    }

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any], str]] = []
        self.port = 0

    def snapshot(self) -> dict[str, Any]:
        return {}

    def metrics(self) -> bytes:
        return b""

    def command(self, name: str, arguments: dict[str, Any], user: User) -> "Future[Any]":
        self.got.append((name, arguments, user.name))
        future: Future[Any] = Future()
        future.set_result(f"{name} carried out")
        return future


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Asked]:
    asked = Asked()
    users = Users(tmp_path / "users.json", SystemClock())
    users.add("anna", "operator", PASSWORD)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        asked.port = probe.getsockname()[1]
    server = ApiServer(build_api(asked, users), asked.port)
    server.start()
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{asked.port}/health", trust_env=False)
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    yield asked
    server.stop()


def test_without_a_station_it_says_so(var: Any) -> None:
    assert "No inspection station yet" in text(start())


def test_a_station_that_has_said_nothing_is_not_a_healthy_one(var: Any) -> None:
    var.station()
    shown = text(start())
    assert "has not said anything yet" in shown
    assert "Execute" not in shown


def test_a_running_line(var: Any) -> None:
    station = var.station()
    for number in range(25):
        station.part("reject" if number % 10 == 0 else "pass", age_s=12.5 - number / 2)
    station.say()
    shown = text(start())
    for part in (
        "▶", "Execute", "Bare board, back-lit", "250\u202fmm/s", "12.0\u202f%", "1 of 5",
        "1\u202f345 / 1\u202f345", "both alive", "52\u202fms", "has room", "No alarms",
        "MQTT online", "lineside 0.1.0", "openvino/int8 on CPU", "not signed in",
        "A vision reject is a quality function, not a safety function.", "data:image/png",
    ):  # fmt: skip
        assert part in shown, part
    assert "ls-stale" not in shown
    assert "ls-alarmed" not in shown


def test_silence_is_never_a_live_number(var: Any) -> None:
    station = var.station()
    station.part("pass")
    station.say(age_s=75.0)
    shown = text(start())
    assert "STATION SILENT FOR 01:1" in shown
    assert "Execute" not in shown
    tiles = shown.count('class="ls-tile')
    assert tiles == 16  # strip, eleven tiles, three defects, Pareto
    assert shown.count(" old</div>") == tiles


def test_a_dead_plc_is_not_an_executing_line(var: Any) -> None:
    var.station().say(line={"plc_alive": False})
    shown = text(start())
    assert "was Execute" in shown
    assert "ls-runs" not in shown
    assert "–\u202fmm/s" in shown


def test_alarms_give_colour_shape_number_and_what_to_do(var: Any) -> None:
    alarms = [var.alarm("line_stopped", 1), var.alarm("uplink_offline", 4, "ACKED")]
    var.station().say(alarms=alarms)
    page = start()
    shown = text(page)
    assert "ls-square ls-p1" in shown
    assert "what to do" in shown
    assert "ls-alarmed ls-p1" in shown
    assert [b.label for b in page.button if "Ackn" in b.label] == ["Acknowledge · operator"]


def test_the_sound_is_off_until_someone_wants_it_and_says_so(var: Any) -> None:
    var.station().say(alarms=[var.alarm("line_stopped", 1)])
    page = start()
    assert "SOUND IS OFF: an alarm is not heard" in text(page)
    assert "<audio" not in text(page)
    page.toggle[0].set_value(True)
    assert "<audio" in text(run(page))
    assert "SOUND IS OFF" not in text(page)


def test_an_acknowledged_alarm_is_silent(var: Any) -> None:
    var.station().say(alarms=[var.alarm("line_stopped", 1, "ACKED")])
    page = start()
    page.toggle[0].set_value(True)
    assert "<audio" not in text(run(page))


def test_a_command_needs_a_person(var: Any, api: Asked) -> None:
    var.station().say(api_port=api.port, alarms=[var.alarm("line_stopped", 1)])
    page = press(start(), "Acknowledge · operator")
    assert "sign in first" in text(page)
    assert api.got == []


def test_signing_in_and_acknowledging(var: Any, api: Asked) -> None:
    var.station().say(api_port=api.port, alarms=[var.alarm("line_stopped", 1)])
    page = start()
    page.text_input(key="ls-name").input("anna")
    page.text_input(key="ls-password").input(PASSWORD)
    press(page, "Sign in")
    assert "Signed in as anna, operator." in text(page)
    assert page.text_input(key="ls-password").value == ""
    press(page, "Acknowledge · operator")
    assert api.got == [("acknowledge", {"alarm_id": "line_stopped"}, "anna")]
    assert "Done: acknowledge carried out." in text(page)


def test_a_wrong_password_is_not_kept(var: Any, api: Asked) -> None:
    var.station().say(api_port=api.port)
    page = start()
    page.text_input(key="ls-name").input("anna")
    page.text_input(key="ls-password").input("wrong")
    press(page, "Sign in")
    assert "Name or password wrong" in text(page)
    assert "ls_credential" not in page.session_state


def test_a_credential_is_forgotten_when_nobody_uses_it(var: Any, api: Asked) -> None:
    var.station().say(api_port=api.port, alarms=[var.alarm("line_stopped", 1)])
    page = signed_in(since=901.0)
    assert "not signed in" in text(page)
    assert "ls_credential" not in page.session_state


def test_overruling_a_verdict_with_a_reason(var: Any, api: Asked) -> None:
    station = var.station()
    seqs = [station.part("pass"), station.part("reject")]
    station.say(api_port=api.port)
    page = signed_in()
    page.session_state["ls-parts"] = {seqs[1]: "part 2", seqs[0]: "part 1"}
    run(page)
    page.selectbox(key="ls-part").set_value(seqs[0])
    page.radio(key="ls-label").set_value("defective")
    page.text_input(key="ls-why-0").input("a scratch")
    press(page, "Overrule")
    expected = {"record_seq": seqs[0], "label": "defective", "reason": "a scratch"}
    assert api.got == [("overrule", expected, "anna")]
    assert page.text_input(key="ls-why-1").value == ""


def test_resetting_the_line_with_a_reason(var: Any, api: Asked) -> None:
    var.station().say(api_port=api.port)
    page = signed_in()
    page.text_input(key="ls-cause-0").input("the nozzle was blocked")
    press(page, "Reset the line")
    assert api.got == [("reset_line", {"reason": "the nozzle was blocked"}, "anna")]


def test_a_challenge_test_takes_an_engineer(var: Any, api: Asked) -> None:
    var.station().say(api_port=api.port)
    page = press(signed_in(), "Start the challenge test")
    assert "Not allowed: challenge takes the role engineer, anna is operator." in text(page)


def test_what_was_typed_stays_when_a_command_fails(var: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        var.station().say(api_port=closed.getsockname()[1])
        page = signed_in()
        page.text_input(key="ls-cause-0").input("the nozzle was blocked")
        press(page, "Reset the line")
    assert "No connection to the station" in text(page)
    assert page.text_input(key="ls-cause-0").value == "the nozzle was blocked"


def test_the_station_in_the_address_is_shown(var: Any) -> None:
    var.station("line-a").say(line={"recipe": "boards of a"})
    var.station("line-b").say(line={"recipe": "boards of b"})
    page = AppTest.from_file(screen.__file__, default_timeout=50)
    page.query_params["station"] = "line-b"
    assert "boards of b" in text(run(page))
    page.selectbox(key="station").set_value("line-a")
    assert "boards of a" in text(run(page))


def test_stations_of_other_apps_are_not_shown(var: Any) -> None:
    var.station("ward").say(app="patient_monitoring")
    assert "No inspection station yet" in text(start())


def test_a_broken_file_is_one_clear_line(var: Any) -> None:
    station = var.station()
    station.file.write_bytes(b"not a database" * 400)
    assert "cannot be read" in text(start())


def test_part_data_from_outside_stays_text(var: Any) -> None:
    station = var.station()
    evil = "<img src=x onerror=alert(1)>"
    station.part("reject", reasons=[evil], defects=[{"kind": evil, "score": 0.9}])
    station.say(
        line={"recipe": evil, "plc": evil},
        faults=[evil],
        alarms=[var.alarm("x", 1, text=evil, detail=evil, response=evil)],
    )
    assert "<img src=x" not in text(start())


def test_a_word_of_another_shape_does_not_stop_the_page(var: Any) -> None:
    station = var.station()
    station.say(line=[], counts="?", alarms={"a": 1}, link=3, model=None, host=[1])
    station.part("reject", defects=["?"], reasons=None)
    assert "Reject rate" in text(start())
    station.say_raw('{"app": "defect_inspection"}')
    assert "AGE UNKNOWN" in text(start()).upper()
