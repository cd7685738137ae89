"""The operator's page, run whole by Streamlit's own test runner against a real store."""

import socket
from dataclasses import asdict
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps.defect_inspection import screen
from tests.apps.conftest import PASSWORD
from tests.apps.screens import press, run, sign_in, started, text


def start(**query: str) -> AppTest:
    return started(screen.__file__, **query)


def signed_in(name: str = "anna", password: str = PASSWORD) -> AppTest:
    return sign_in(start(), name, password)


def test_without_a_station_it_says_so(var: Any) -> None:
    assert "No station yet" in text(start())


def test_a_station_that_has_said_nothing_is_not_a_healthy_one(var: Any) -> None:
    var.station()
    shown = text(start())
    assert "it has not said anything yet" in shown
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
    assert "STATION SILENT FOR 01:" in shown
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


@pytest.mark.parametrize(
    ("line", "known"),
    [({"state": 6}, True), ({"state": 11}, False), ({"plc_alive": False}, False)],
)
def test_a_line_that_does_not_execute_has_no_pace(
    var: Any, line: dict[str, Any], known: bool
) -> None:
    station = var.station()
    for number in range(25):
        station.part("pass", age_s=14.5 - number / 2)
    station.say(line=line)
    assert ("<b>– / min</b>" in text(start())) is not known


def test_alarms_give_colour_shape_number_and_what_to_do(var: Any) -> None:
    alarms = [var.alarm("line_stopped", 1), var.alarm("uplink_offline", 4, "ACKED")]
    var.station().say(alarms=alarms)
    page = start()
    shown = text(page)
    assert "ls-square ls-p1" in shown
    assert "what to do" in shown
    assert "ls-alarmed ls-p1" in shown
    assert [b.label for b in page.button if b.label.startswith("Ackn")] == ["Acknowledge"]


def test_more_alarms_than_fit_are_counted(var: Any) -> None:
    var.station().say(alarms=[var.alarm(f"a{n}", 2) for n in range(9)])
    page = start()
    assert "and 4 more, see Alarms" in text(page)
    assert "9 to acknowledge" in text(page)


def test_the_sound_is_off_until_someone_wants_it_and_says_so(var: Any) -> None:
    var.station().say(alarms=[var.alarm("line_stopped", 1)])
    page = start()
    assert "SOUND IS OFF" in text(page)
    assert "<audio" not in text(page)
    page.toggle[0].set_value(True)
    assert "<audio" in text(run(page))
    assert "SOUND IS OFF" not in text(page)


def test_an_acknowledged_alarm_is_silent(var: Any) -> None:
    var.station().say(alarms=[var.alarm("line_stopped", 1, "ACKED")])
    page = start()
    page.toggle[0].set_value(True)
    assert "<audio" not in text(run(page))


def test_a_command_needs_a_person(var: Any, api: Any) -> None:
    var.station().say(api_port=api.port, alarms=[var.alarm("line_stopped", 1)])
    page = press(start(), "Acknowledge")
    assert "sign in first" in text(page)
    assert api.got == []


def test_signing_in_and_acknowledging(var: Any, api: Any) -> None:
    var.station().say(api_port=api.port, alarms=[var.alarm("line_stopped", 1)])
    page = signed_in()
    assert "Signed in as anna (defect-inspection: operator)." in text(page)
    assert page.text_input(key="ls-password").value == ""
    press(page, "Acknowledge")
    expected = {"alarm_id": "line_stopped", "revision": 3}
    assert api.got == [("acknowledge", expected, "anna")]
    assert "Done: acknowledge carried out." in text(page)


def test_the_password_is_nowhere_afterwards(var: Any, api: Any) -> None:
    var.station().say(api_port=api.port)
    page = signed_in()
    held = asdict(page.session_state["ls_signed_in"])
    assert PASSWORD not in repr(page.session_state) + str(held)
    assert [act.action for act in api.trail] == ["login"]


def test_a_wrong_password_signs_nobody_in(var: Any, api: Any) -> None:
    var.station().say(api_port=api.port)
    page = signed_in(password="wrong")  # noqa: S106
    assert "Name or password wrong" in text(page)
    assert "not signed in" in text(page)


def test_signing_out_ends_the_session_at_the_station(var: Any, api: Any) -> None:
    var.station().say(api_port=api.port, alarms=[var.alarm("line_stopped", 1)])
    page = press(signed_in(), "Sign out")
    assert "not signed in" in text(page)
    assert [act.action for act in api.trail] == ["login", "logout"]


def test_overruling_a_verdict_with_a_reason(var: Any, api: Any) -> None:
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


def test_without_a_part_nothing_can_be_overruled(var: Any, api: Any) -> None:
    var.station().say(api_port=api.port)
    (button,) = [one for one in signed_in().button if one.label == "Overrule"]
    assert button.disabled


def test_resetting_the_line_with_a_reason(var: Any, api: Any) -> None:
    var.station().say(api_port=api.port)
    page = signed_in()
    page.text_input(key="ls-cause-0").input("the nozzle was blocked")
    press(page, "Reset the line")
    assert api.got == [("reset_line", {"reason": "the nozzle was blocked"}, "anna")]


def test_a_challenge_test_takes_an_engineer(var: Any, api: Any) -> None:
    var.station().say(api_port=api.port)
    page = press(signed_in(), "Start the challenge test")
    assert "Not allowed: challenge takes the role engineer, anna is operator." in text(page)


def test_a_challenge_test_takes_a_reason(var: Any, api: Any) -> None:
    var.station().say(api_port=api.port)
    page = press(signed_in("eric"), "Start the challenge test")
    assert "Not done: challenge takes a reason." in text(page)
    page.text_input(key="ls-test-why-0").input("start of the shift")
    press(page, "Start the challenge test")
    assert api.got == [("challenge", {"reason": "start of the shift"}, "eric")]


def test_what_was_typed_stays_when_a_command_fails(var: Any, api: Any) -> None:
    station = var.station()
    station.say(api_port=api.port)
    page = signed_in()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        station.say(api_port=closed.getsockname()[1])
        run(page)
        page.text_input(key="ls-cause-0").input("the nozzle was blocked")
        press(page, "Reset the line")
    assert "No connection to the station" in text(page)
    assert page.text_input(key="ls-cause-0").value == "the nozzle was blocked"


def test_the_station_in_the_address_is_shown(var: Any) -> None:
    var.station("line-a").say(line={"recipe": "boards of a"})
    var.station("line-b").say(line={"recipe": "boards of b"})
    page = start(station="line-b")
    assert "boards of b" in text(page)
    page.selectbox(key="station").set_value("line-a")
    assert "boards of a" in text(run(page))


def test_stations_of_other_apps_are_not_shown(var: Any) -> None:
    var.station("ward").say(app="patient_monitoring")
    assert "No station yet" in text(start())


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
