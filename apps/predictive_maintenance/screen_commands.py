"""What a person types into on the maintenance page: stops, orders and notes.

It stands outside of the refreshing parts of the page and keeps its lists as they were when
it was opened, so that typing is never lost. The baseline's wizard is `screen_wizard`.
"""

import streamlit as st

from apps.predictive_maintenance import screen_wizard
from apps.predictive_maintenance.screen_forms import choose_shown, list_machines, named
from common.screen.document import Document
from common.screen.forms import key, send, value
from common.screen.language import tr

LATCHED, ORDERS = "pm-latched", "pm-orders"
"""Keys of the lists: as they were when a form was opened."""


def draw(station: str) -> None:
    """The own buttons of this page, in the bar at its foot."""
    _acknowledge(station)
    _close_order(station)
    _note(station)
    screen_wizard.draw(station)


def _acknowledge(station: str) -> None:
    name = tr("Acknowledge a stop · operator")
    with (
        st.popover(name, key="pm-stop", on_change=_list, args=(station,)),
        st.form("pm-stop-form", border=False),
    ):
        st.caption(tr("A stop stays until a person knows of it; then it goes with its cause."))
        latched: dict[str, str] = st.session_state.get(LATCHED, {})
        st.selectbox(
            tr("Machine"), list(latched), key="pm-stop-asset",
            format_func=lambda asset: latched.get(asset, asset),
        )  # fmt: skip
        st.text_input(tr("Comment"), key=key("pm-stop-comment"), max_chars=500)
        st.form_submit_button(
            tr("Acknowledge"), on_click=_acknowledged, args=(station,), disabled=not latched
        )


def _acknowledged(station: str) -> None:
    state = st.session_state
    said = {"asset": state["pm-stop-asset"], "comment": value("pm-stop-comment")}
    send(station, "acknowledge_stop", said, "pm-stop-comment")


def _close_order(station: str) -> None:
    name = tr("Close a work order · operator")
    with (
        st.popover(name, key="pm-order", on_change=_list, args=(station,)),
        st.form("pm-order-form", border=False),
    ):
        orders: dict[str, str] = st.session_state.get(ORDERS, {})
        st.selectbox(
            tr("Work order"), list(orders), key="pm-order-key",
            format_func=lambda key: orders.get(key, key),
        )  # fmt: skip
        st.checkbox(tr("It was repaired: judge the machine anew"), True, key="pm-repaired")
        st.text_input(tr("What was done?"), key=key("pm-order-why"), max_chars=500)
        st.form_submit_button(
            tr("Close the order"), on_click=_closed, args=(station,), disabled=not orders
        )


def _closed(station: str) -> None:
    state = st.session_state
    said = {
        "key": state["pm-order-key"], "reason": value("pm-order-why"),
        "repaired": state["pm-repaired"],
    }  # fmt: skip
    send(station, "close_order", said, "pm-order-why")


def _note(station: str) -> None:
    name = tr("Note · operator")
    with (
        st.popover(name, key="pm-note", on_change=_list, args=(station,)),
        st.form("pm-note-form", border=False),
    ):
        machines = list_machines(station)
        st.selectbox(
            tr("Machine"), list(machines), key="pm-note-asset",
            format_func=lambda asset: machines.get(asset, asset),
        )  # fmt: skip
        st.text_input(tr("What was seen or done?"), key=key("pm-note-text"), max_chars=500)
        st.form_submit_button(tr("Keep the note"), on_click=_noted, args=(station,))


def _noted(station: str) -> None:
    state = st.session_state
    said = {"asset": state["pm-note-asset"], "text": value("pm-note-text")}
    send(station, "note", said, "pm-note-text")


def _list(station: str) -> None:
    """When one is opened: the stops and orders to choose from."""
    choose_shown(station, "pm-note-asset")
    word = named(station)
    machines = word.documents("machines")
    latched = {one.text("asset"): one.text("name") for one in machines if one.flag("latched")}
    _offer(LATCHED, "pm-stop-asset", latched)
    orders = dict(_order(one, station) for one in word.documents("orders"))
    _offer(ORDERS, "pm-order-key", orders)


def _offer(name: str, chosen: str, choices: dict[str, str]) -> None:
    """Keep a list; the first of it is chosen where what was chosen is gone."""
    st.session_state[name] = choices
    if st.session_state.get(chosen) not in choices:
        st.session_state[chosen] = next(iter(choices), None)


def _order(one: Document, station: str) -> tuple[str, str]:
    """Key and text of an order; its reference begins with the station's name."""
    return one.text("external_ref").removeprefix(f"{station}/"), one.text("short_text")
