"""The baseline's wizard: choose healthy time, see what was learned, take it into use, go back.

Learning changes nothing: what comes of it is a proposal, with the reasons to refuse it, until
an engineer takes it into use.
"""

from datetime import datetime

import streamlit as st

from apps.predictive_maintenance.screen_detail import baseline
from apps.predictive_maintenance.screen_forms import choose_shown, list_machines, named
from apps.predictive_maintenance.screen_history import read_history
from common.screen import session
from common.screen.commands import Answer
from common.screen.document import Document
from common.screen.forms import key, send, value
from common.screen.language import tr
from common.screen.listening import port_of
from common.screen.markup import element
from common.screen.page import live_every
from common.screen.station_file import FILE, StationUnreadable, var_folder

ASSET, SPANS = "pm-base-asset", "pm-base-spans"
"""Keys: the machine that is learned, and the times there are, as they were when opened."""
LOOK_S = 1.5
Span = tuple[float, float]


def draw(station: str) -> None:
    """The wizard's button and what it opens."""
    name = tr("Its own normal · engineer")
    with st.popover(name, key="pm-base", on_change=_opened, args=(station,)):
        machines = list_machines(station)
        asset = st.selectbox(
            tr("Machine"), list(machines), key=ASSET,
            format_func=lambda one: machines.get(one, one),
        )  # fmt: skip
        if not asset:
            st.caption(tr("This station has no machines."))
            return
        _choose(station, asset)
        _learned(station, asset)
        _accept(station, asset)
        _back(station, asset)


def _opened(station: str) -> None:
    """Look again at what time there is."""
    choose_shown(station, ASSET)
    st.session_state[SPANS] = {}


def _span(station: str, asset: str) -> Span | None:
    """From the first to the last steady record of a machine; None without two."""
    spans: dict[tuple[str, str], Span | None] = st.session_state.setdefault(SPANS, {})
    key = station, asset
    if spans.get(key) is None:
        try:
            spans[key] = read_history(var_folder() / station / FILE, asset).span
        except StationUnreadable:
            spans[key] = None
    return spans[key]


# ------------------------------------------------------------------- 1: choose the time


def _choose(station: str, asset: str) -> None:
    span = _span(station, asset)
    st.caption(tr("1. Choose time in which the machine was in order."))
    if span is None:
        st.caption(tr("There is no steady record of it yet."))
        return
    first, last = (datetime.fromtimestamp(at).astimezone() for at in span)
    st.slider(
        tr("Healthy time"), first, last, (first, last), format="MM-DD HH:mm",
        key=_time_key(asset, span),
    )  # fmt: skip
    st.button(tr("Learn"), key="pm-learn", on_click=_learn, args=(station, asset, span))


def _time_key(asset: str, span: Span) -> str:
    return f"pm-time-{asset}-{span[0]:.0f}-{span[1]:.0f}"


def _learn(station: str, asset: str, span: Span) -> None:
    start, end = st.session_state[_time_key(asset, span)]
    # The ends of the slider stand at whole steps: a second more keeps the last record in.
    said = {"asset": asset, "start": start.timestamp() - 1.0, "end": end.timestamp() + 1.0}
    if session.ask(station, port_of(station), "baseline_choose", said) is not None:
        text = tr("It has learned: look at the proposal, then take it into use.")
        session.say(Answer(True, text))


# ------------------------------------------------- 2: see what it learned, take it into use


@live_every(LOOK_S)
def _learned(station: str, asset: str) -> None:
    machine = machine_of(station, asset)
    st.html(baseline(machine) if machine else element("div"))


def machine_of(station: str, asset: str) -> Document:
    """One machine as the station last said; empty when it does not know it."""
    found = named(station).documents("machines")
    return next((one for one in found if one.text("asset") == asset), Document())


def _accept(station: str, asset: str) -> None:
    with st.form("pm-accept-form", border=False):
        st.caption(tr("2. Look at what was learned, then take it into use."))
        st.checkbox(tr("Although it was refused"), key="pm-despite")
        st.text_input(tr("Reason"), key=key("pm-accept-why"), max_chars=500)
        st.form_submit_button(
            tr("Take into use"), on_click=_accepted, args=(station, asset), key="pm-accept"
        )


def _accepted(station: str, asset: str) -> None:
    state = st.session_state
    said = {
        "asset": asset, "despite": state["pm-despite"], "reason": value("pm-accept-why"),
    }  # fmt: skip
    send(station, "baseline_accept", said, "pm-accept-why")


# ------------------------------------------------------------------------ 3: or go back


def _back(station: str, asset: str) -> None:
    versions = [int(n) for n in machine_of(station, asset).at("baseline").numbers("versions")]
    with st.form("pm-back-form", border=False):
        st.caption(tr("Or go back to an older one: every version is kept."))
        st.selectbox(tr("Version"), versions[::-1], key="pm-version")
        st.text_input(tr("Reason"), key=key("pm-back-why"), max_chars=500)
        st.form_submit_button(
            tr("Go back"), on_click=_gone_back, args=(station, asset), disabled=not versions
        )


def _gone_back(station: str, asset: str) -> None:
    state = st.session_state
    said = {
        "asset": asset, "version": state["pm-version"], "reason": value("pm-back-why"),
    }  # fmt: skip
    send(station, "baseline_back", said, "pm-back-why")
