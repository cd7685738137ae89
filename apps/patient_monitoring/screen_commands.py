"""What a person types into on a ward's page: observations, hand-over, pauses.

It stands outside of the refreshing part, so that no refresh takes a word away.
"""

from collections.abc import Callable

import streamlit as st

from apps.patient_monitoring import screen_admissions
from apps.patient_monitoring.screen_fields import (
    BED,
    WHY,
    bed_field,
    choice,
    chosen_bed,
    list_beds,
    listed,
    seen,
    send,
    who,
)
from apps.patient_monitoring.screen_words import ACVPU, OXYGEN, SIGNS
from common.screen.forms import key, value
from common.screen.language import mark, tr
from common.screen.listening import hear
from common.screen.station_file import FILE, var_folder

NUMBERS = ("RR", "SPO2", "SBP", "DBP", "HR", "TEMP")
LETTERS = "ACVPU"
PAUSES = {60: mark("1 minute"), 120: mark("2 minutes"), 180: mark("3 minutes")}


def draw(station: str) -> None:
    """The own buttons of this page, in the bar at its foot."""
    _choose_bed(station)
    _popover(tr("Observe · operator"), "ls-enter", station, _enter)
    _popover(tr("Hand over · operator"), "ls-care", station, _care)
    _popover(tr("Patient · operator"), "ls-person", station, screen_admissions.draw)


def _choose_bed(station: str) -> None:
    word = hear(var_folder() / station / FILE).word
    names = [bed.text("bed") for bed in word.documents("beds")]
    wanted = st.query_params.get("bed", "")
    if BED not in st.session_state:
        st.session_state[BED] = wanted
    if st.session_state[BED] not in ("", *names):
        st.session_state[BED] = ""
    st.selectbox(
        tr("Bed"), ["", *names], key=BED, label_visibility="collapsed", width=150,
        format_func=lambda name: tr("Bed {bed}", bed=name) if name else tr("Whole ward"),
        on_change=_keep_bed,
    )  # fmt: skip


def _keep_bed() -> None:
    """In the address, so that the page can be kept."""
    bed = chosen_bed()
    if bed:
        st.query_params["bed"] = bed
    else:
        st.query_params.pop("bed", None)


def _popover(label: str, key: str, station: str, body: Callable[[str], None]) -> None:
    with st.popover(label, key=key, on_change=list_beds, args=(station,)):
        body(station)


# ------------------------------------------------------------------ observations


def _enter(station: str) -> None:
    with st.form("ls-enter-form", border=False):
        bed_field("ls-enter-bed")
        left, right = st.columns(2)
        with left:
            st.selectbox(
                tr("Consciousness"), ["", *LETTERS], key=key("ls-e-ACVPU"),
                format_func=lambda s: tr(ACVPU[LETTERS.index(s)]) if s else "–",
            )  # fmt: skip
        with right:
            st.selectbox(
                tr("Air or oxygen"), ["", *OXYGEN], key=key("ls-e-OXYGEN"),
                format_func=lambda s: tr(s) if s else "–",
            )  # fmt: skip
        for place, name in enumerate(NUMBERS):
            with (left, right)[place % 2]:
                title, unit, digits = SIGNS[name]
                st.number_input(
                    f"{tr(title)}, {unit}", value=None, step=0.1 if digits else 1.0,
                    format=f"%.{digits}f", key=key(f"ls-e-{name}"),
                )  # fmt: skip
        st.caption(tr("What is left empty is not entered; nothing is taken as normal."))
        st.form_submit_button(tr("Enter"), on_click=_entered, args=(station,))


def _entered(station: str) -> None:
    fields = {name: f"ls-e-{name}" for name in ("ACVPU", "OXYGEN", *NUMBERS)}
    given = {name: value(key) for name, key in fields.items()}
    values = {name: value for name, value in given.items() if value not in (None, "")}
    send(station, "enter", {**who("ls-enter-bed"), "values": values}, *fields.values())


# ------------------------------------------------------------------ hand over, pause


def _care(station: str) -> None:
    over, pause = st.tabs([tr("Take, hand over"), tr("Pause")])
    with over, st.form("ls-over-form", border=False):
        beds = {alarm: bed for bed, of in listed().items() for alarm in of["alarms"]}
        choice(tr("Alarm"), "ls-alarm", {one: _alarm_text(one) for one in beds}, beds)
        st.text_input(tr("To (empty: to me)"), key=key("ls-to"), max_chars=60)
        st.text_input(tr(WHY), key=key("ls-over-why"), max_chars=500)
        st.form_submit_button(tr("Take, hand over"), on_click=_handed, args=(station,))
    with pause, st.form("ls-pause-form", border=False):
        bed_field("ls-pause-bed")
        st.selectbox(
            tr("For"), list(PAUSES), key=key("ls-pause-s"), format_func=lambda s: tr(PAUSES[s])
        )
        st.text_input(tr(WHY), key=key("ls-pause-why"), max_chars=500)
        st.caption(tr("High priority is never paused; a pause ends by itself."))
        with st.container(horizontal=True):
            st.form_submit_button(tr("Pause"), on_click=_paused, args=(station,))
            st.form_submit_button(tr("End the pause"), on_click=_resumed, args=(station,))


def _alarm_text(alarm: str) -> str:
    kind, _, bed = alarm.partition("/")
    return f"{tr('Bed {bed}', bed=bed)}: {tr(ALARMS.get(kind, kind))}"


ALARMS = {
    "bed_risk": mark("NEWS2"),
    "bed_extreme": mark("extreme sign"),
    "bed_technical": mark("technical"),
    "bed_advice": mark("advice"),
    "bed_identity": mark("another patient's signs"),
    "bed_clock": mark("the monitor's clock"),
}


def _handed(station: str) -> None:
    alarm_id, to = str(value("ls-alarm") or ""), str(value("ls-to") or "").strip()
    alarm = {"alarm_id": alarm_id, "patient": seen(alarm_id.partition("/")[2])}
    if to:
        more = {"to": to, "reason": value("ls-over-why")}
        send(station, "hand_over", alarm | more, "ls-to", "ls-over-why")
    else:
        send(station, "take", alarm, "ls-over-why")


def _paused(station: str) -> None:
    more = {"seconds": value("ls-pause-s"), "reason": value("ls-pause-why")}
    send(station, "pause", who("ls-pause-bed") | more, "ls-pause-why")


def _resumed(station: str) -> None:
    send(station, "resume", who("ls-pause-bed"), "ls-pause-why")
