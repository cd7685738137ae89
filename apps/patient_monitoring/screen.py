"""The nurse station's page of a ward: reads the gateway's file, sends commands, no more.

Two views of one page: the whole ward as tiles by urgency, and one patient. What lives is
redrawn from one reading of the file; what a person types into (`screen_commands`) stands
outside of it. It is no medical device, and says so where it is read.
"""

from pathlib import Path

import streamlit as st

from apps.patient_monitoring import (
    NOT_A_DEVICE,
    screen_commands,
    screen_course,
    screen_details,
    screen_patient,
    screen_tiles,
)
from apps.patient_monitoring.screen_bed import Bed, beds_of, occupied
from apps.patient_monitoring.screen_fields import chosen_bed
from apps.patient_monitoring.screen_report import KINDS, TRENDS, WardTally
from common.screen.alarm_details import add_details
from common.screen.alarm_list import Layout, draw_alarms, headline_html
from common.screen.alarms import Alarm, alarms_of
from common.screen.app_screen import AppScreen, model_of
from common.screen.bar import draw_bar
from common.screen.document import MISSING, Document, count
from common.screen.language import add_words, mark, tr
from common.screen.listening import Heard, hear
from common.screen.markup import Html, element
from common.screen.page import begin, live, live_every
from common.screen.plant import Plant, draw_corner, look_around
from common.screen.station_file import FILE, var_folder
from common.screen.station_page import silent_html, stations_of, wait_for_station
from common.screen.tiles import fact, notice
from common.screen.tiles import head as top

APP = "patient_monitoring"
ALARMS = 5
"""Alarms listed here; all of them are on their own page."""
COURSES_S = 10.0
DEVICE = mark("Reference software for simulation and research. Not a medical device.")
STYLE = Path(__file__).with_name("ward.css").read_text("utf-8")

add_words(Path(__file__).with_name("words"))
add_details(screen_details.detail)


def page() -> None:
    """The whole page, for the station chosen in the address or the first there is."""
    st.html(f"<style>{STYLE}</style>")
    names = [one.name for one in stations_of(look_around(var_folder()), APP)]
    top = st.container()
    name = draw_bar(names, screen_commands.draw if names else None)
    with top:
        if not names:
            wait_for_station(APP)
        elif bed := chosen_bed():
            _patient(var_folder() / name / FILE, bed)
        else:
            _ward(var_folder() / name / FILE)


def _begin(path: Path) -> tuple[Plant, Heard, list[Bed], tuple[Alarm, ...]]:
    plant = look_around(var_folder())
    draw_corner(plant)
    heard = next((one for one in plant.heard if one.path == path), None) or hear(path)
    now = heard.freshness.age_s + (heard.word.number("wall_time") or 0.0)
    beds = beds_of(heard.word, now, heard.freshness)
    st.html(head(heard, beds) if heard.word else silent_html(heard))
    return plant, heard, beds, alarms_of(heard.word, heard.name)


@live
def _ward(path: Path) -> None:
    """All beds."""
    plant, heard, beds, alarms = _begin(path)
    left, right = st.columns([0.72, 0.28], gap="small")
    with left:
        st.html(screen_tiles.strip_html(heard, beds))
        st.html(screen_tiles.beds_html(beds))
    with right:
        _alarms(heard, alarms)
        others = [one for one in stations_of(plant, APP) if one.name != heard.name]
        st.html(screen_tiles.others_html(others))
    st.html(foot(heard.word))


def _patient(path: Path, name: str) -> None:
    """One bed: what lives, and beside it the courses, which are read less often."""
    top, below = st.container(), st.container()
    with top:
        _bed(path, name)
    with below:
        _courses(path, name)


@live
def _bed(path: Path, name: str) -> None:
    _, heard, beds, alarms = _begin(path)
    bed = next((one for one in beds if one.name == name), None)
    if bed is None or not bed.patient:
        st.html(notice(tr("Bed {bed} is empty", bed=name)))
        return
    st.html(screen_patient.head_html(bed))
    left, middle, right = st.columns([0.42, 0.3, 0.28], gap="small")
    with left:
        st.html(screen_patient.parameters_html(bed))
        st.html(screen_patient.signs_html(bed))
    with middle:
        st.html(screen_patient.wrong_html(bed))
        st.html(screen_patient.second_line_html(bed))
        st.html(screen_patient.events_html(bed, screen_course.events(path)))
    with right:
        _alarms(heard, tuple(a for a in alarms if a.id.partition("/")[2] == name))


@live_every(COURSES_S)
def _courses(path: Path, name: str) -> None:
    word = hear(path).word
    bed = next((one for one in word.documents("beds") if one.text("bed") == name), None)
    if bed is not None and bed.text("patient"):
        st.html(screen_course.courses_html(path, bed.text("patient")))
    st.html(foot(word))


def _alarms(heard: Heard, alarms: tuple[Alarm, ...]) -> None:
    st.html(headline_html(alarms, heard.freshness.tag))
    draw_alarms(alarms, Layout("wd", ALARMS), stale=heard.freshness.stale)


def head(heard: Heard, beds: list[Bed]) -> Html:
    """The ward's state in numbers, for eyes across the room."""
    here = occupied(beds)
    late = sum((bed.due_in_s or 0.0) < 0 for bed in here)
    scores = [bed.at_least or 0 for bed in here if not bed.refusal]
    facts = (
        fact(tr("Beds"), f"{count(len(here))} / {count(len(beds))}"),
        fact(tr("NEWS2 ≥ 7"), count(sum(score >= 7 for score in scores))),
        fact(tr("NEWS2 5–6"), count(sum(5 <= score < 7 for score in scores))),
        fact(tr("Incomplete"), count(sum(not bed.complete for bed in here))),
        fact(tr("Observations late"), count(late)),
        fact(tr("Alarms paused"), count(sum(bed.paused_s is not None for bed in here))),
        fact(tr("Data age"), heard.freshness.text, grow=True),
    )
    device = element("div", tr(DEVICE), cls="wd-device")
    return top(state_html(heard), facts, heard.freshness, device)


def state_html(heard: Heard) -> Html:
    """The ward's name while it is watched; in its place that it is not."""
    if heard.freshness.stale:
        return element("div", heard.freshness.sentence.upper(), cls="ls-state ls-abnormal")
    ward = heard.word.at("ward")
    name = ward.text("name") or heard.name
    if heard.word.flag("healthy") is not True:
        why = ward.text("fault") or ", ".join(heard.word.texts("faults"))
        said = element("span", tr("NOT MONITORED"), element("div", why, cls="ls-sub"))
        return element("div", said, cls="ls-state ls-abnormal", title=why)
    return element("div", name, cls="ls-state")


def foot(word: Document) -> Html:
    """What this is not; then software and model, word for word."""
    model = word.at("model")
    ran = " on ".join(filter(None, (model.text("artefact"), model.text("device"))))
    said = (
        word.text("station"),
        f"software {word.text('software') or MISSING}",
        f"model {model_of(word)} {ran}".rstrip(),
    )
    about = element("span", " · ".join(filter(None, said)))
    return element("div", element("span", tr(NOT_A_DEVICE)), about, cls="ls-foot")


def state(word: Document) -> str:
    """Whether the ward is watched, and how many patients are at 7 or more."""
    if word.flag("healthy") is not True:
        return tr("NOT MONITORED")
    high = sum((bed.at_least or 0) >= 7 for bed in occupied(beds_of(word, 0.0)))
    return tr("{n} at 7 or more", n=high) if high else tr("monitored")


def subject(word: Document) -> str:
    """The ward and how many lie there."""
    ward = word.at("ward")
    many = count(ward.number("occupied"))
    return tr("{ward}: {n} patients", ward=ward.text("name"), n=many) if ward else ""


SCREEN = AppScreen(
    app=APP,
    title=mark("Patient monitoring"),
    page=page,
    state=state,
    subject=subject,
    trends=TRENDS,
    kind="signs",
    kinds=KINDS,
    tally=WardTally,
)

if __name__ == "__main__":
    begin("Patient monitoring")
    page()
