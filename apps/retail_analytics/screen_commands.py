"""What an operator says of the shop: that it is empty, or how many are really inside.

It stands outside of the refreshing parts of the page, so that typing is never lost.
"""

import streamlit as st

from common.screen import session
from common.screen.language import tr
from common.screen.listening import port_of

MOST = 1_000_000


def draw(station: str) -> None:
    """The own button of this page, in the bar at its foot."""
    with st.popover(tr("Who is inside · operator"), key="rt-inside"):
        with st.form("rt-correct-form", border=False):
            st.caption(tr("Counted by eye: it takes the place of the sum, and is audited."))
            st.number_input(tr("People inside"), 0, MOST, 0, step=1, key="rt-inside-number")
            st.text_input(tr("Reason"), key=_field("rt-correct-why"), max_chars=500)
            st.form_submit_button(tr("Correct the sum"), on_click=_corrected, args=(station,))
        with st.form("rt-reset-form", border=False):
            st.caption(tr("The shop is empty: counting begins anew at nobody."))
            st.text_input(tr("Reason"), key=_field("rt-reset-why"), max_chars=500)
            st.form_submit_button(tr("Nobody is inside"), on_click=_reset, args=(station,))


def _corrected(station: str) -> None:
    state = st.session_state
    said = {
        "inside": int(state["rt-inside-number"]), "reason": state[_field("rt-correct-why")]
    }  # fmt: skip
    if session.command(station, port_of(station), "occupancy.correct", said):
        _empty("rt-correct-why")


def _reset(station: str) -> None:
    said = {"reason": st.session_state[_field("rt-reset-why")]}
    if session.command(station, port_of(station), "occupancy.reset", said):
        _empty("rt-reset-why")


def _field(name: str) -> str:
    return f"{name}-{st.session_state.get(name, 0)}"


def _empty(name: str) -> None:
    """Empty a text field by taking another: a browser keeps what a focused one holds."""
    st.session_state[name] = st.session_state.get(name, 0) + 1
