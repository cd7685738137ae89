"""What an operator says of the shop: that it is empty, or how many are really inside.

It stands outside of the refreshing parts of the page, so that typing is never lost.
"""

import streamlit as st

from common.screen.forms import key, send, value
from common.screen.language import tr

MOST = 1_000_000


def draw(station: str) -> None:
    """The own button of this page, in the bar at its foot."""
    with st.popover(tr("Who is inside · operator"), key="rt-inside"):
        with st.form("rt-correct-form", border=False):
            st.caption(tr("Counted by eye: it takes the place of the sum, and is audited."))
            st.number_input(tr("People inside"), 0, MOST, 0, step=1, key="rt-inside-number")
            st.text_input(tr("Reason"), key=key("rt-correct-why"), max_chars=500)
            st.form_submit_button(tr("Correct the sum"), on_click=_corrected, args=(station,))
        with st.form("rt-reset-form", border=False):
            st.caption(tr("The shop is empty: counting begins anew at nobody."))
            st.text_input(tr("Reason"), key=key("rt-reset-why"), max_chars=500)
            st.form_submit_button(tr("Nobody is inside"), on_click=_reset, args=(station,))


def _corrected(station: str) -> None:
    inside = int(st.session_state["rt-inside-number"])
    said = {"inside": inside, "reason": value("rt-correct-why")}
    send(station, "occupancy.correct", said, "rt-correct-why")


def _reset(station: str) -> None:
    send(station, "occupancy.reset", {"reason": value("rt-reset-why")}, "rt-reset-why")
