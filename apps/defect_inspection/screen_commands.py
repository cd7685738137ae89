"""What a person types into on an inspection's page: overrule, line reset, challenge test.

It stands outside of the refreshing part of the page and keeps its lists as they were when
it was opened, so that typing is never lost.
"""

import streamlit as st

from apps.defect_inspection import screen_parts
from common.screen import page
from common.screen.forms import key, send, value
from common.screen.language import mark, tr
from common.screen.station_file import (
    FILE,
    Row,
    StationUnreadable,
    read_station,
    var_folder,
)

CHOICES = 40
"""Parts offered for an overrule."""
LABELS = {
    "good": mark("good: it should have passed"),
    "defective": mark("defective: it must not pass"),
}


def draw(station: str) -> None:
    """The own buttons of this page, in the bar at its foot."""
    _overrule(station)
    _reset_line(station)
    _challenge(station)


def _overrule(station: str) -> None:
    name = tr("Overrule a verdict · operator")
    with st.popover(name, key="ls-overrule", on_change=_list_parts, args=(station,)):
        rows: dict[int, str] = st.session_state.get("ls-parts", {})
        with st.form("ls-overrule-form", border=False):
            st.selectbox(
                tr("Part"), list(rows), format_func=lambda s: rows.get(s, "–"), key="ls-part"
            )
            st.radio(
                tr("It is"), list(LABELS), format_func=lambda s: tr(LABELS[s]), key="ls-label"
            )
            st.text_input(tr("Reason"), key=key("ls-why"), max_chars=500)
            st.caption(tr("Kept as a label beside the verdict; what the PLC was told stays."))
            st.form_submit_button(
                tr("Overrule"), on_click=_overruled, args=(station,), disabled=not rows
            )


def _list_parts(station: str) -> None:
    """When it is opened: the parts to choose from, newest first."""
    page.speak()
    try:
        path = var_folder() / station / FILE
        rows: tuple[Row, ...] = read_station(path, "verdict", CHOICES).rows
    except StationUnreadable:
        rows = ()
    offered = {r.record.seq: screen_parts.describe(r) for r in rows[::-1]}
    st.session_state["ls-parts"] = offered
    if st.session_state.get("ls-part") not in offered:
        st.session_state["ls-part"] = next(iter(offered), None)


def _overruled(station: str) -> None:
    state = st.session_state
    arguments = {
        "record_seq": state["ls-part"],
        "label": state["ls-label"],
        "reason": value("ls-why"),
    }
    send(station, "overrule", arguments, "ls-why")


def _reset_line(station: str) -> None:
    with (
        st.popover(tr("Reset the line · operator"), key="ls-reset"),
        st.form("ls-reset-form", border=False),
    ):
        st.caption(tr("After a line stop: first find the cause upstream and correct it."))
        st.text_input(tr("What was the cause?"), key=key("ls-cause"), max_chars=500)
        st.form_submit_button(tr("Reset the line"), on_click=_line_reset, args=(station,))


def _line_reset(station: str) -> None:
    send(station, "reset_line", {"reason": value("ls-cause")}, "ls-cause")


def _challenge(station: str) -> None:
    with (
        st.popover(tr("Challenge test · engineer"), key="ls-challenge"),
        st.form("ls-challenge-form", border=False),
    ):
        st.caption(tr("Seeded bad pieces run through; all must be rejected and confirmed."))
        st.number_input(
            tr("Pieces"), 1, 100, value=None, key="ls-pieces",
            placeholder=tr("as the settings say"),
        )  # fmt: skip
        st.text_input(tr("Reason"), key=key("ls-test-why"), max_chars=500)
        label = tr("Start the challenge test")
        st.form_submit_button(label, on_click=_challenged, args=(station,))


def _challenged(station: str) -> None:
    pieces = st.session_state["ls-pieces"]
    arguments = {"reason": value("ls-test-why")}
    more = {"pieces": pieces} if pieces else {}
    send(station, "challenge", arguments | more, "ls-test-why")
