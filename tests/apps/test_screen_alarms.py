"""The alarm page: the list, what is hidden, the forms, the filters and the history."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from common.screen.alarm_filter import Filter
from common.screen.alarms import alarms_of
from common.screen.document import Document
from tests.apps.screens import made, press, run, sign_in, started, text


def alarms_page() -> None:
    from common.screen.alarm_page import alarm_page  # noqa: PLC0415 - the script of the test
    from common.screen.page import begin  # noqa: PLC0415

    begin("Alarms")
    alarm_page()


def start() -> AppTest:
    return started(alarms_page)


def signed_in(name: str) -> AppTest:
    return sign_in(start(), name)


def test_no_alarm_is_said(var: Any) -> None:
    var.station("a").say()
    shown = text(start())
    assert "No alarm." in shown
    assert "shelved: 0" in shown


def test_alarms_of_all_stations_in_one_list_with_what_is_hidden_beside_it(var: Any) -> None:
    var.station("a").say(alarms=[var.alarm("late_verdicts", 3)])
    var.station("b").say(
        alarms=[var.alarm("line_stopped", 1)],
        hidden_alarms=[
            var.hidden("camera_failed", "SHELVED"),
            var.hidden("bad_pictures", "OUT_OF_SERVICE", permit="W-1188"),
            var.hidden("reject_bin", "SUPPRESSED_BY_DESIGN", by="logic"),
        ],
    )
    shown = text(start())
    assert shown.index("b: line stopped") < shown.index("a: late verdicts")
    for part in (
        "shelved: 1", "suppressed by design: 1", "out of service: 1", "permit W-1188",
        "the sensor is being changed", "by logic", "until",
    ):  # fmt: skip
        assert part in shown, part


def test_ids_that_look_alike_together_with_their_stations_are_two_alarms(var: Any) -> None:
    var.station("a").say(alarms=[var.alarm("b-c", 1), var.alarm("", 2)])
    var.station("a-b").say(alarms=[var.alarm("c", 1)])
    page = start()
    assert len([b for b in page.button if b.label == "Acknowledge"]) == 3


def test_a_silent_stations_alarms_are_hatched(var: Any) -> None:
    var.station("a").say(age_s=60.0, alarms=[var.alarm("x", 1)])
    assert "ls-alarm ls-p1 ls-stale" in text(start())


def test_acknowledging_goes_with_what_was_looked_at(var: Any, api: Any) -> None:
    var.station("a").say(api_port=api.port, alarms=[var.alarm("x", 1, revision=17)])
    press(signed_in("anna"), "Acknowledge")
    assert api.got == [("acknowledge", {"alarm_id": "x", "revision": 17}, "anna")]


def test_all_that_are_shown_are_acknowledged_with_one_command(var: Any, api: Any) -> None:
    alarms = [var.alarm("x", 1), var.alarm("y", 2, "RTNUN"), var.alarm("z", 2, "ACKED")]
    var.station("a").say(api_port=api.port, alarms=alarms)
    press(signed_in("anna"), "Acknowledge all shown (2) · operator")
    assert api.got == [("acknowledge", {"alarms": {"x": 3, "y": 3}}, "anna")]


def test_shelving_takes_a_reason_and_a_time(var: Any, api: Any) -> None:
    var.station("a").say(api_port=api.port, alarms=[var.alarm("x", 2)])
    page = press(signed_in("anna"), "More")
    assert "what it comes from" in text(page)
    page.selectbox(key="ls-seconds-1").set_value(3600.0)
    page.text_input(key="ls-reason-1").input("the sensor is being changed")
    press(page, "Shelve · operator")
    expected = {
        "alarm_id": "x", "revision": 3, "seconds": 3600.0, "one_shot": False,
        "reason": "the sensor is being changed",
    }  # fmt: skip
    assert api.got == [("shelve", expected, "anna")]


def test_only_times_that_the_alarm_allows_are_offered(var: Any) -> None:
    var.station("a").say(alarms=[var.alarm("x", 2, shelve_max_s=900.0)])
    page = press(start(), "More")
    assert page.selectbox(key="ls-seconds-1").options == ["15 minutes"]


def test_an_alarm_that_must_not_be_shelved_says_so(var: Any) -> None:
    var.station("a").say(alarms=[var.alarm("x", 1, shelve_max_s=0.0)])
    page = press(start(), "More")
    assert "This alarm must not be shelved." in [c.value for c in page.caption]


def test_unshelving(var: Any, api: Any) -> None:
    var.station("a").say(api_port=api.port, hidden_alarms=[var.hidden("x", "SHELVED")])
    page = press(signed_in("anna"), "More")
    press(page, "Unshelve · operator")
    assert api.got == [("unshelve", {"alarm_id": "x", "revision": 3}, "anna")]


def test_out_of_service_takes_an_engineer_a_permit_and_a_reason(var: Any, api: Any) -> None:
    var.station("a").say(api_port=api.port, alarms=[var.alarm("x", 2)])
    page = press(signed_in("anna"), "More")
    page.text_input(key="ls-permit-1").input("W-1188")
    page.text_input(key="ls-why-out-1").input("camera is exchanged")
    press(page, "Out of service · engineer")
    assert "Not allowed: remove_from_service takes the role engineer" in text(page)
    assert page.text_input(key="ls-permit-1").value == "W-1188"
    assert api.got == []


def test_an_engineer_takes_it_out_and_brings_it_back(var: Any, api: Any) -> None:
    station = var.station("a")
    station.say(api_port=api.port, alarms=[var.alarm("x", 2)])
    page = press(signed_in("eric"), "More")
    page.text_input(key="ls-permit-1").input("W-1188")
    page.text_input(key="ls-why-out-1").input("camera is exchanged")
    press(page, "Out of service · engineer")
    station.say(api_port=api.port, hidden_alarms=[var.hidden("x", "OUT_OF_SERVICE")])
    run(page)
    page.text_input(key="ls-done-2").input("exchanged and tested")
    press(page, "Return to service · engineer")
    assert [(name, arguments["reason"]) for name, arguments, _ in api.got] == [
        ("remove_from_service", "camera is exchanged"),
        ("return_to_service", "exchanged and tested"),
    ]


def test_the_forms_follow_the_alarm_that_was_chosen(var: Any) -> None:
    station = var.station("a")
    station.say(alarms=[var.alarm("x", 2)])
    page = press(start(), "More")
    assert [b.label for b in page.button if "Shelve ·" in b.label]
    station.say(hidden_alarms=[var.hidden("x", "SHELVED")])
    run(page)
    assert [b.label for b in page.button if "helve ·" in b.label] == ["Unshelve · operator"]
    station.say(hidden_alarms=[var.hidden("x", "SUPPRESSED_BY_DESIGN")])
    run(page)
    assert not [b.label for b in page.button if "helve ·" in b.label]


def test_a_comment_goes_with_the_acknowledgement(var: Any, api: Any) -> None:
    var.station("a").say(api_port=api.port, alarms=[var.alarm("x", 1)])
    page = press(signed_in("anna"), "More")
    page.text_input(key="ls-comment-1").input("on my way")
    press(page, "Acknowledge · operator")
    expected = {"alarm_id": "x", "revision": 3, "comment": "on my way"}
    assert api.got == [("acknowledge", expected, "anna")]


def test_a_chosen_alarm_that_is_normal_again_has_no_forms(var: Any) -> None:
    station = var.station("a")
    station.say(alarms=[var.alarm("x", 1)])
    page = press(start(), "More")
    station.say()
    run(page)
    assert "Press “More”" in text(page)
    assert not [b for b in page.button if b.label.startswith("Shelve")]


def test_many_alarms_come_in_pages(var: Any) -> None:
    alarms = [var.alarm(f"a{n:03}", 2, since=float(n)) for n in range(25)]
    var.station("a").say(alarms=alarms)
    page = start()
    assert "Page 1 of 3" in text(page)
    assert "25 to acknowledge" in text(page)
    assert "a: a000" in text(page)
    press(page, "▶")
    assert "Page 2 of 3" in text(page)
    assert "a: a000" not in text(page)
    press(page, "◀")
    assert "a: a000" in text(page)


def test_a_flood_of_a_thousand_is_counted_and_has_its_first_out_on_top(var: Any) -> None:
    alarms = [var.alarm(f"a{n:04}", 1, first_out="a0500", since=float(n)) for n in range(1000)]
    burden = {"flood_since": 1e9, "flood_count": 1000, "chattering": ["a1"], "stale": ["a2"]}
    texts = {"a1": "Door 1: chatters", "a2": "Lamp fails"}
    var.station("a").say(alarms=alarms, alarm_burden=burden, alarm_texts=texts)
    shown = text(start())
    for part in (
        "×1000", "1000 to acknowledge", "Page 1 of 100", "came first: begin here",
        "ALARM FLOOD at a since", "chattering at a: Door 1: chatters",
        "standing for over a day at a: Lamp fails",
    ):  # fmt: skip
        assert part in shown, part
    assert shown.index("a: a0500") < shown.index("a: a0000")


def test_texts_from_outside_stay_texts(var: Any) -> None:
    evil = "<img src=x onerror=alert(1)>"
    var.station("a").say(
        alarms=[var.alarm("x", 1, text=evil, cause=evil, detail=evil, response=evil)],
        hidden_alarms=[var.hidden("y", "SHELVED", by=evil, reason=evil, permit=evil)],
        alarm_burden={"chattering": [evil, "y"], "stale": [evil]},
        alarm_texts={"y": evil},
    )
    station = var.station("b")
    station.say()
    station.alarm_change("x", "UNACK", text=evil, by=evil, reason=evil, detail=evil)
    assert "<img src=x" not in text(press(start(), "More"))
    assert "<img src=x" not in text(run(history()))


# ------------------------------------------------------------------ the history


def history() -> AppTest:
    page = made(alarms_page)
    page.session_state["ls-f-show"] = "History"
    return page


def test_the_history_shows_who_and_why(var: Any) -> None:
    station = var.station("a")
    station.say()
    station.alarm_change("line_stopped", "UNACK", 60.0)
    station.alarm_change(
        "line_stopped", "SHELVED", 30.0, by="anna", action="shelve", reason="being repaired"
    )
    shown = text(run(history()))
    for part in ("2 changes", "line stopped", "shelved", "anna", "being repaired", "process"):
        assert part in shown, part
    assert shown.index("being repaired") < shown.index("process")  # the newest on top


def test_the_history_keeps_to_the_filter(var: Any) -> None:
    station = var.station("a")
    station.say()
    station.alarm_change("line_stopped", "UNACK", 60.0)
    station.alarm_change("camera_failed", "UNACK", 30.0, priority=1)
    station.alarm_change("camera_failed", "NORM", 9 * 3600.0)
    page = run(history())
    assert "2 changes" in text(page)
    page.text_input(key="ls-f-words").input("CAMERA")
    assert "1 changes" in text(run(page))
    page.selectbox(key="ls-f-span").set_value(24 * 3600.0)
    assert "2 changes" in text(run(page))
    page.multiselect(key="ls-f-state").set_value(["NORM"])
    assert "1 changes" in text(run(page))
    page.multiselect(key="ls-f-priority").set_value([1])
    assert "0 changes" in text(run(page))


def test_a_file_that_cannot_be_read_is_said_and_hides_no_other(var: Any) -> None:
    broken, well = var.station("broken"), var.station("well")
    broken.file.write_bytes(b"not a database" * 400)
    well.say()
    well.alarm_change("x", "UNACK")
    shown = text(run(history()))
    assert "broken" in shown
    assert "1 changes" in shown


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Filter(), True),
        (Filter(stations=("a",)), True),
        (Filter(stations=("b",)), False),
        (Filter(priorities=(2, 3)), True),
        (Filter(priorities=(1,)), False),
        (Filter(states=("UNACK",)), True),
        (Filter(states=("ACKED",)), False),
        (Filter(words="BIN  reject"), True),
        (Filter(words="bin camera"), False),
        (Filter(stations=("a",), priorities=(2,), states=("UNACK",), words="reject"), True),
    ],
)
def test_a_filter(wanted: Filter, takes: bool) -> None:
    alarm = {"id": "reject_bin", "priority": 2, "state": "UNACK", "text": "Reject bin full"}
    (found,) = alarms_of(Document({"station": "a", "alarms": [alarm]}))
    assert wanted.takes(found) is takes
