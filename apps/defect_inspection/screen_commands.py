"""What a person types into: sign in, overrule, line reset, challenge test, sound.

It stands outside of the refreshing part of the page and keeps its lists as they were when
it was opened, so that typing is never lost.
"""

from pathlib import Path

import streamlit as st

from apps.defect_inspection import screen_parts
from common.screen import session
from common.screen.station_file import Row, StationUnreadable, read_station

CHOICES = 40
"""Parts offered for an overrule."""
LABELS = {"good": "good: it should have passed", "defective": "defective: it must not pass"}


def draw(stations: list[Path]) -> Path:
    """The row of buttons; gives the station that the page is about."""
    with st.container(horizontal=True, vertical_alignment="center", key="ls-bar"):
        path = _choose(stations)
        _sign_in(path)
        _overrule(path)
        _reset_line(path)
        _challenge(path)
        st.toggle("Alarm sound", key="sound", bind="query-params")
    return path


def sound_is_on() -> bool:
    """Whether the person switched the sound on; off until then, and said to be."""
    return bool(st.session_state.get("sound"))


def port_of(path: Path) -> int | None:
    """Where the station's API listens, as the station says."""
    try:
        return read_station(path).snapshot.whole("api_port")
    except StationUnreadable:
        return None


def _choose(stations: list[Path]) -> Path:
    names = {path.parent.name: path for path in stations}
    wanted = st.query_params.get("station", "")
    if len(names) == 1:
        return stations[0]
    if "station" not in st.session_state and wanted in names:
        st.session_state["station"] = wanted
    name = st.selectbox("Station", list(names), key="station", label_visibility="collapsed")
    return names[name]


def _sign_in(path: Path) -> None:
    who = session.credential()
    with st.popover(f"Signed in: {who.name}" if who else "Sign in", key="ls-sign-in"):
        with st.form("ls-sign-in-form", clear_on_submit=True, border=False):
            st.text_input("Name", key="ls-name", autocomplete="off")
            st.text_input("Password", type="password", key="ls-password", autocomplete="off")
            st.form_submit_button("Sign in", on_click=_signed, args=(path,))
        if who:
            st.button("Sign out", key="ls-sign-out", on_click=session.sign_out)


def _signed(path: Path) -> None:
    state = st.session_state
    session.sign_in(port_of(path), state["ls-name"], state["ls-password"])
    state["ls-password"] = ""  # the credential has one place, and that is forgotten in time


def _overrule(path: Path) -> None:
    name = "Overrule a verdict · operator"
    with st.popover(name, key="ls-overrule", on_change=_list_parts, args=(path,)):
        rows: dict[int, str] = st.session_state.get("ls-parts", {})
        with st.form("ls-overrule-form", border=False):
            st.selectbox(
                "Part", list(rows), format_func=lambda s: rows.get(s, "–"), key="ls-part"
            )
            st.radio("It is", list(LABELS), format_func=LABELS.__getitem__, key="ls-label")
            st.text_input("Reason", key=_key("ls-why"), max_chars=500)
            st.caption("Kept as a label beside the verdict; what the PLC was told stays.")
            st.form_submit_button("Overrule", on_click=_overruled, args=(path,))


def _list_parts(path: Path) -> None:
    """When it is opened: the parts to choose from, newest first."""
    try:
        rows: tuple[Row, ...] = read_station(path, "verdict", CHOICES).rows
    except StationUnreadable:
        rows = ()
    offered = {r.record.seq: screen_parts.describe(r) for r in rows[::-1]}
    st.session_state["ls-parts"] = offered
    if st.session_state.get("ls-part") not in offered:
        st.session_state["ls-part"] = next(iter(offered), None)


def _overruled(path: Path) -> None:
    state = st.session_state
    arguments = {
        "record_seq": state["ls-part"],
        "label": state["ls-label"],
        "reason": state[_key("ls-why")],
    }
    if session.command(port_of(path), "overrule", arguments):
        _renew("ls-why")


def _reset_line(path: Path) -> None:
    with (
        st.popover("Reset the line · operator", key="ls-reset"),
        st.form("ls-reset-form", border=False),
    ):
        st.caption("After a line stop: first find the cause upstream and correct it.")
        st.text_input("What was the cause?", key=_key("ls-cause"), max_chars=500)
        st.form_submit_button("Reset the line", on_click=_line_reset, args=(path,))


def _line_reset(path: Path) -> None:
    arguments = {"reason": st.session_state[_key("ls-cause")]}
    if session.command(port_of(path), "reset_line", arguments):
        _renew("ls-cause")


def _challenge(path: Path) -> None:
    with (
        st.popover("Challenge test · engineer", key="ls-challenge"),
        st.form("ls-challenge-form", border=False),
    ):
        st.caption("Seeded bad pieces run through; all must be rejected and confirmed.")
        st.number_input(
            "Pieces", 1, 100, value=None, key="ls-pieces", placeholder="as the settings say"
        )
        st.form_submit_button("Start the challenge test", on_click=_challenged, args=(path,))


def _challenged(path: Path) -> None:
    pieces = st.session_state["ls-pieces"]
    session.command(port_of(path), "challenge", {"pieces": pieces} if pieces else {})


def _key(name: str) -> str:
    """The present key of a text field."""
    return f"{name}-{st.session_state.get(name, 0)}"


def _renew(name: str) -> None:
    """Empty a text field by taking another: a browser keeps what a focused one holds."""
    st.session_state[name] = st.session_state.get(name, 0) + 1
