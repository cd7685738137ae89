"""The nurse station's page, run whole by Streamlit's own test runner against a real store."""

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps.patient_monitoring import (
    screen,
    screen_course,
    screen_fields,
    screen_patient,
    screen_words,
)
from apps.patient_monitoring.bed_alarms import definitions
from apps.patient_monitoring.census import Census
from apps.patient_monitoring.config import APP
from apps.patient_monitoring.domain import Patient
from apps.patient_monitoring.screen_bed import Bed
from common.alarms.definition import load_definitions
from common.report_html import figures
from common.reports import Span, read_report
from common.screen import language
from common.screen.alarm_details import detail_text
from common.screen.document import Document
from tests.apps.screens import press, run, sign_in, started, text

from .drawn_ward import bed, bed_alarm, empty, sick, ward, write_records

NAME = "ward-7"


def start(**query: str) -> AppTest:
    return started(screen.__file__, **query)


def tile(page: AppTest, name: str) -> str:
    """One bed's tile."""
    return (
        text(page).partition(f'data-key="bed-{name}"')[0].rpartition('<div class="ls-tile')[2]
        + text(page).partition(f'data-key="bed-{name}"')[2].partition('<div class="ls-tile')[0]
    )


def signed_in(**query: str) -> AppTest:
    return sign_in(start(**query))


def test_without_a_ward_it_says_so(var: Any) -> None:
    assert "No station yet" in text(start())


def test_a_gateway_that_has_said_nothing_shows_no_score(var: Any) -> None:
    var.station(NAME)
    shown = text(start())
    assert "it has not said anything yet" in shown
    assert "wd-score" not in shown


def test_it_says_that_it_is_no_medical_device(var: Any) -> None:
    var.station(NAME).say(**ward(bed("1")))
    assert text(start()).count("Not a medical device.") == 2
    german = text(start(lang="de"))
    assert german.count("Kein Medizinprodukt.") == 2
    language.use("en")


def test_the_beds_stand_by_urgency(var: Any) -> None:
    low = bed("4", priority="LOW", alarms=[bed_alarm("4", priority="LOW")])
    seen = bed_alarm("5", priority="LOW", state="ACKED", ack_user="maria")
    acked = bed("5", priority="LOW", score={"at_least": 9}, alarms=[seen])
    four = bed("2", score={"at_least": 4})
    var.station(NAME).say(**ward(bed("1"), four, sick("3"), low, acked, empty("6")))
    shown = text(start())
    order = [shown.index(f'data-key="bed-{n}"') for n in ("3", "4", "5", "2", "1")]
    assert order == sorted(order)
    assert "Empty beds: 6" in shown
    assert 'data-key="bed-6"' not in shown


def test_a_complete_score_is_a_number_and_an_incomplete_one_a_lower_bound(var: Any) -> None:
    var.station(NAME).say(**ward(bed("1", score={"at_least": 4}), sick("3")))
    page = start()
    assert "<b>4</b>" in tile(page, "1").replace(' class=""', "")
    assert "INCOMPLETE" not in tile(page, "1")
    worse = tile(page, "3")
    for part in ("wd-bound", "≥\u202f8", "INCOMPLETE", "RR 3", "SpO₂ 3", "BP ?", "▲"):
        assert part in worse, part


def test_what_was_never_scored_is_no_zero(var: Any) -> None:
    child = bed("2", refusal="NEWS2 is not for children under 16", age=9)
    var.station(NAME).say(**ward(bed("1", score=None) | {"score": None}, child))
    page = start()
    assert "NO SCORE" in tile(page, "1")
    assert "–</b>" in tile(page, "1")
    assert "NO NEWS2" in tile(page, "2")
    assert "children under 16" in tile(page, "2")


def test_the_oldest_input_the_next_observation_owner_and_timer(var: Any) -> None:
    late = bed("2", due_in_s=-75.0)
    seen = bed_alarm("4", priority="LOW", state="ACKED", ack_user="maria")
    mine = bed("4", priority="LOW", owner="maria", alarms=[seen])
    var.station(NAME).say(**ward(bed("1"), late, sick("3"), mine))
    page = start()
    assert "oldest 2\u202fh 15\u202fmin T" in tile(page, "1")
    assert "observe in 2\u202fh 1\u202fmin" in tile(page, "1")
    assert "observe: LATE 1\u202fmin" in tile(page, "2")
    assert "wd-late" in tile(page, "2")
    assert "LATE 3" in tile(page, "3")
    assert "nobody yet" in tile(page, "3")
    assert "with maria" in tile(page, "4")


def test_a_timer_that_runs(var: Any) -> None:
    alarms = [bed_alarm("1", respond_by=time.time() + 130.0)]
    var.station(NAME).say(**ward(bed("1", priority="MEDIUM", alarms=alarms)))
    shown = tile(start(), "1")
    assert "left · nobody yet" in shown
    assert "ls-triangle ls-p2" in shown


def test_a_pause_is_never_hidden(var: Any) -> None:
    var.station(NAME).say(**ward(bed("1", paused_until=time.time() + 150.0)))
    shown = text(start())
    assert "ALARMS PAUSED 2\u202fmin" in shown


def test_technical_trouble_has_a_strip_of_its_own(var: Any) -> None:
    var.station(NAME).say(
        **ward(sick("3"), refused={"unknown bed": 4, "not HL7": 2}, healthy=False,
               faults=["hl7: the port is taken"])
    )  # fmt: skip
    shown = text(start())
    assert "Bed 3: probe off" in shown
    assert "6 messages refused" in shown
    assert "NOT MONITORED" in shown
    assert "the port is taken" in shown


def test_nothing_technical_is_said_too(var: Any) -> None:
    var.station(NAME).say(**ward(bed("1")))
    assert "nothing is wrong with the monitoring" in text(start())


def test_a_silent_ward_is_not_said_to_be_well_monitored(var: Any) -> None:
    var.station(NAME).say(age_s=75.0, **ward(bed("1")))
    strip = text(start()).partition("wd-strip")[2].partition("</div>")[0]
    assert strip.startswith(" ls-stale")
    assert "station silent for 01:1" in strip


def test_silence_is_never_a_live_score(var: Any) -> None:
    var.station(NAME).say(age_s=75.0, **ward(bed("1"), sick("3")))
    shown = text(start())
    assert "STATION SILENT FOR 01:1" in shown
    assert shown.count(" old</div>") == 2
    assert "ls-flash" not in shown.partition("wd-beds")[2].partition("ls-alarms-head")[0]
    assert 'class="wd-strip wd-some ls-stale"' in shown
    assert "oldest 2\u202fh 16\u202fmin T" in shown  # 8100 s when it was said
    assert "observe: LATE 11\u202fmin" in shown  # 600 s


def test_other_wards_are_seen_and_their_silence(var: Any) -> None:
    var.station(NAME).say(**ward(bed("1")))
    var.station("ward-8").say(
        **ward(sick("3"), ward={"name": "ward-8"}), alarms=[var.alarm("bed_risk/3", 1)]
    )
    var.station("ward-9").say(age_s=90.0, **ward(bed("1"), ward={"name": "ward-9"}))
    shown = text(start(station=NAME)).partition("Other wards")[2]
    assert "1 at 7 or more" in shown
    assert "ls-square ls-p1" in shown
    assert "station silent for" in shown


def test_hostile_names_stay_text(var: Any) -> None:
    evil = "<img src=x onerror=alert(1)>"
    var.station(NAME).say(**ward(bed("1", initials=evil, technical=[evil])))
    shown = text(start())
    assert "<img src=x" not in shown
    assert "&lt;img src=x" in shown


@pytest.mark.parametrize("beds", [None, "x", [3], [{}], [{"bed": 1, "score": 7}]])
def test_a_document_of_another_shape_fails_nothing(var: Any, beds: Any) -> None:
    var.station(NAME).say(**ward(bed("1")) | {"beds": beds, "ward": 5, "refused": []})
    assert "ls-head" in text(start())


# ------------------------------------------------------------------ one patient


def test_a_patient_s_page(var: Any) -> None:
    station = var.station(NAME)
    station.say(**ward(bed("1"), sick("3")), alarms=[
        var.alarm("bed_risk/3", 1, text="Bed 3: NEWS2 calls for an assessment"),
        var.alarm("bed_risk/1", 2, text="Bed 1: NEWS2 calls for an assessment"),
    ])  # fmt: skip
    write_records(station)
    page = start(bed="3")
    shown = text(page)
    for part in (
        "≥\u202f8", "INCOMPLETE", "no complete score since", "high risk: emergency",
        "continuously", "27\u202f/min", "weak signal", "missing: not scored", "too old",
        "oxygen</td>", "8.1\u202f%, ABOVE its limit", "× 1.9", "over 6 h",
        "14.2\u202f/min above the hours before", "a text of a newer gateway", "UNUSUAL",
        "Technical", "probe off", "NEWS2 ≥\u202f8: high risk",
        "observed: ACVPU A, BP 118\u202fmmHg",
        "(anna)", "admitted to bed 3",
    ):  # fmt: skip
        assert part in shown, part
    assert "SBP 71" not in shown  # of who lay there before
    assert "Bed 1: NEWS2" not in shown
    assert [b.label for b in page.button if b.label == "Acknowledge"] == ["Acknowledge"]


def test_events_that_cannot_be_read_are_not_nothing(tmp_path: Path) -> None:
    (tmp_path / "station.sqlite").write_text("no store")
    why = screen_course.events(tmp_path / "station.sqlite")
    drawn = screen_patient.events_html(Bed(Document(bed("3")), 0.0), why)
    assert "cannot be read" in drawn
    assert "nothing yet" not in drawn


SILENT = ("wd-patient ls-alarmed ls-p1", "wd-table", "wd-box")


def test_a_patient_s_page_of_a_silent_ward_is_hatched_and_its_values_grow_older(
    var: Any,
) -> None:
    var.station(NAME).say(age_s=75.0, **ward(sick("3")))
    shown = text(start(bed="3"))
    for cls in SILENT:
        assert f'class="{cls} ls-stale"' in shown
        assert f'class="{cls}"' not in shown
    assert "<td>27\u202f/min</td><td>1\u202fmin</td>" in shown
    assert "<td>90\u202f%</td><td>1\u202fmin</td>" in shown  # 12 s when it was said


def test_how_old_is_not_said_by_a_clock_that_was_set_back(var: Any) -> None:
    var.station(NAME).say(age_s=-600.0, **ward(sick("3")))
    assert "<td>27\u202f/min</td><td>–</td>" in text(start(bed="3"))
    assert "oldest: –" in text(start())


def test_the_courses_of_a_patient_are_drawn(var: Any) -> None:
    station = var.station(NAME)
    station.say(**ward(sick("3")))
    write_records(station)
    shown = text(start(bed="3"))
    assert shown.count("data:image/svg") == 4
    assert "NEWS2, at least: last value 8" in shown
    assert "Oxygen saturation: no data" in shown


def test_a_bed_that_became_empty_shows_nobody(var: Any) -> None:
    var.station(NAME).say(**ward(bed("1"), empty("3")))
    shown = text(start(bed="3"))
    assert "Bed 3 is empty" in shown
    assert "wd-patient" not in shown


def test_a_bed_that_is_not_of_this_ward_opens_the_ward(var: Any) -> None:
    var.station(NAME).say(**ward(bed("1")))
    assert "wd-beds" in text(start(bed="99"))


def test_german(var: Any) -> None:
    alarms = [var.alarm("bed_risk/3", 1, text="Bed 3: NEWS2 calls for an assessment")]
    station = var.station(NAME)
    station.say(**ward(sick("3")), alarms=alarms)
    write_records(station)
    shown = text(start(bed="3", lang="de"))
    language.use("en")
    for part in (
        "UNVOLLST.", "Bett 3: NEWS2 verlangt eine Beurteilung", "hohes Risiko: Notfall",
        "Atmung", "Sensor ab", "Sepsisrisiko", "Atmung 27\u202f/min über 6 h",
    ):  # fmt: skip
        assert part in shown, part


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("gateway: the gateway stops", "Gateway: das Gateway hält an"),
        ("MON-3: another patient is admitted to bed 4",
         "MON-3: in Bett 4 ist ein anderer Patient aufgenommen"),
        ("MON-3: the clock is 90 s behind the gateway's, or this is so old; 60 s are taken",
         "MON-3: die Uhr geht 90 s nach, oder der Wert ist so alt; hingenommen werden 60 s"),
        ("3 wait for the hospital record (FHIR): nobody answers; 2 were refused for good by "
         "the hospital record (FHIR): see the dead letters",
         "3 warten auf: Patientenakte (FHIR): nobody answers; 2 endgültig abgelehnt von: "
         "Patientenakte (FHIR): siehe die unzustellbaren"),
    ],
)  # fmt: skip
def test_what_a_gateway_words_itself_is_german_too(detail: str, said: str) -> None:
    language.use("de")
    try:
        assert detail_text(Document({"detail": detail})) == said
    finally:
        language.use("en")


def test_every_move_of_the_census_has_words() -> None:
    ann, ben = Patient("p0001", "1"), Patient("p0002", "2")
    census = Census(("1", "2", "3"))
    moves = [*census.admit(ann, 0.0), *census.admit(ben, 0.0), *census.describe(ann)]
    moves += [*census.swap("p0001", "p0002", 0.0), *census.transfer("p0001", "3", 0.0)]
    moves += census.discharge("p0001", "3")
    assert {move.what for move in moves} == set(screen_words.MOVES)
    told = screen_words.event_text("move", Document({"action": "update", "by": "ADT/system"}))
    assert told == "orders or age changed (ADT)"


def test_an_action_of_a_newer_gateway_is_no_bare_number() -> None:
    told = screen_words.event_text("move", Document({"action": "{x}", "bed": "26"}))
    assert told == "something changed in bed 26"


RISK = {
    "bed": "3", "patient": "p0003", "kind": "risk", "what": ["RESPIRATION"], "news2": 7,
    "complete": False, "risk": "HIGH", "parts": {"RESPIRATION": 3, "SPO2": 2, "PULSE": 2},
}  # fmt: skip


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (RISK, "NEWS2 7 und mehr: Notfall. Jetzt mindestens 7 (Atmung 3, "
               "Sauerstoffsättigung 2, Puls 2). Ärztliches Team sofort"),
        (RISK | {"kind": "extreme", "what": ["APNOEA", "DESATURATION"]},
         "kein Atem, SpO2 extrem niedrig"),
        (RISK | {"kind": "technical", "what": ["SENSOR_OFF"]}, "Sensor ab"),
        (RISK | {"kind": "advice", "what": ["model"]}, "das Risiko des Modells ist hoch"),
        (RISK | {"kind": "technical", "what": ["REFUSED"]}, "as the station says it"),
        (RISK | {"risk": "of a newer gateway"}, "as the station says it"),
        (RISK | {"bed": ""}, "as the station says it"),
        ({}, "as the station says it"),
    ],
)  # fmt: skip
def test_an_alarm_s_detail_in_the_reader_s_language(about: Any, said: str) -> None:
    told = Document({"detail": "as the station says it", "about": about})
    assert detail_text(told) == "as the station says it"
    language.use("de")
    try:
        assert detail_text(told).startswith(said)
    finally:
        language.use("en")


def test_every_alarm_of_a_bed_is_german_to_the_last_word() -> None:
    english = load_definitions(APP / "alarms.toml")
    language.use("de")
    try:
        for alarm_id, one in definitions(("3",)).items():
            said = language.alarm_text(one.text, one.place)
            plain = english[alarm_id.partition("/")[0]].text
            assert plain not in said, alarm_id
            assert said.startswith("Bett 3: ") is bool(one.place), alarm_id
    finally:
        language.use("en")


# ------------------------------------------------------------------ commands


@pytest.fixture
def staffed(var: Any, api: Any) -> Any:
    """A ward behind a real API, with anna signed in later."""
    api.roles = dict.fromkeys(
        ("acknowledge", "enter", "order_scale2", "admit", "discharge", "transfer", "take",
         "hand_over", "pause", "resume"), "operator",
    )  # fmt: skip
    beds = (bed("1"), sick("3"), empty("6"))
    var.station(NAME).say(api_port=api.port, **ward(*beds))
    return api


def opened(page: AppTest) -> AppTest:
    """As if every form had just been opened."""
    beds = {
        "1": {"patient": "p0001", "initials": "AB", "alarms": []},
        "3": {"patient": "p0003", "initials": "AB", "alarms": ["bed_risk/3"]},
        "6": {"patient": "", "initials": "", "alarms": []},
    }
    page.session_state["ls-ward-beds"] = beds
    for name in screen_fields.CHOICES:
        page.session_state[name] = 1
    return run(page)


def test_an_observation_is_entered_for_who_was_seen_in_the_bed(staffed: Any) -> None:
    page = opened(signed_in(bed="3"))
    page.selectbox(key="ls-e-ACVPU-0").select("C")
    page.selectbox(key="ls-e-OXYGEN-0").select("oxygen")
    page.number_input(key="ls-e-SBP-0").set_value(92.0)
    press(page, "Enter")
    values = {"ACVPU": "C", "OXYGEN": "oxygen", "SBP": 92.0}
    assert staffed.got[-1] == (
        "enter", {"bed": "3", "patient": "p0003", "values": values}, "anna"
    )  # fmt: skip


def test_who_looks_at_the_whole_ward_has_chosen_no_bed(staffed: Any) -> None:
    """A bed that a form chooses by itself is another patient's at night."""
    page = opened(signed_in())
    for label in ("Enter", "Take, hand over", "Pause", "Order", "Admit", "Discharge", "Move"):
        assert "choose a bed or an alarm first" in text(press(page, label)), label
    assert staffed.got == []


def test_an_alarm_is_taken_or_handed_over(staffed: Any) -> None:
    page = opened(signed_in(bed="3"))
    press(page, "Take, hand over")
    assert staffed.got[-1][:2] == ("take", {"alarm_id": "bed_risk/3", "patient": "p0003"})
    page.text_input(key="ls-to-0").input("maria")
    page.text_input(key="ls-over-why-1").input("end of shift")
    press(page, "Take, hand over")
    wanted = {"alarm_id": "bed_risk/3", "patient": "p0003", "to": "maria"}
    assert staffed.got[-1][:2] == ("hand_over", wanted | {"reason": "end of shift"})


def test_a_pause_has_a_length_and_a_reason(staffed: Any) -> None:
    page = opened(signed_in(bed="1"))
    page.selectbox(key="ls-pause-s-0").select(120)
    page.text_input(key="ls-pause-why-0").input("washing")
    press(page, "Pause")
    seen = {"bed": "1", "patient": "p0001"}
    assert staffed.got[-1][:2] == ("pause", seen | {"seconds": 120, "reason": "washing"})
    press(page, "End the pause")
    assert staffed.got[-1][:2] == ("resume", seen)


def test_scale_2_names_who_ordered_it(staffed: Any) -> None:
    page = opened(signed_in(bed="3"))
    page.toggle(key="ls-scale-0").set_value(True)
    page.text_input(key="ls-clinician-0").input("Dr. Lee")
    page.text_input(key="ls-scale-why-0").input("hypercapnic failure")
    press(page, "Order")
    assert staffed.got[-1][:2] == ("order_scale2", {
        "bed": "3", "patient": "p0003", "on": True, "clinician": "Dr. Lee",
        "reason": "hypercapnic failure",
    })  # fmt: skip


def test_admit_discharge_and_move(staffed: Any) -> None:
    page = opened(signed_in(bed="3"))
    page.text_input(key="ls-mrn-0").input("SIM42")
    page.selectbox(key="ls-in-bed-1").select("6")
    press(page, "Admit")
    assert staffed.got[-1][1]["bed"] == "6"
    assert staffed.got[-1][1]["mrn"] == "SIM42"
    assert "age" not in staffed.got[-1][1]
    page.text_input(key="ls-out-why-0").input("home")
    press(page, "Discharge")
    wanted = {"bed": "3", "patient": "p0003", "reason": "home"}
    assert staffed.got[-1][:2] == ("discharge", wanted)
    page.selectbox(key="ls-move-to-1").select("6")
    press(page, "Move")
    assert staffed.got[-1][1]["from_bed"] == "3"
    assert staffed.got[-1][1]["to_bed"] == "6"


def test_without_signing_in_nothing_is_sent(staffed: Any) -> None:
    page = press(opened(start(bed="3")), "Enter")
    assert staffed.got == []
    assert "sign in first" in text(run(page))


# ------------------------------------------------------------------ for overview and reports


def test_a_report_says_tenths_of_hours_and_names_what_was_recorded(var: Any) -> None:
    station = var.station(NAME)
    station.say(**ward(sick("3")))
    write_records(station)
    now = time.time()
    report = read_report(station.file, Span(now - 86_400, now), screen.SCREEN)
    said = dict(figures(report, screen.SCREEN))
    assert said["Patient-hours at 7 or more"] == "0.1"  # 9 minutes
    assert set(said) >= {
        "records of signs", "alerts", "entries by hand", "admissions and moves"
    }  # fmt: skip


def test_what_the_overview_says() -> None:
    word = Document({"healthy": True, **ward(bed("1"), sick("3"))})
    assert screen.SCREEN.state(word) == "1 at 7 or more"
    assert screen.SCREEN.subject(word) == "ward-7: 2 patients"
    assert screen.SCREEN.state(Document({"healthy": False})) == "NOT MONITORED"
    assert screen.SCREEN.state(Document({"healthy": True})) == "monitored"
