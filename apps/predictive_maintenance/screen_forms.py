"""What the forms of the maintenance page share: the last word, sending, emptying a field."""

from typing import Any

import streamlit as st

from common.screen import page, session
from common.screen.document import Document
from common.screen.listening import port_of
from common.screen.station_file import FILE, StationUnreadable, read_station, var_folder


def named(station: str) -> Document:
    """The station's last word; empty when it cannot be read."""
    page.speak()
    try:
        return read_station(var_folder() / station / FILE).snapshot
    except StationUnreadable:
        return Document()


def list_machines(station: str) -> dict[str, str]:
    """Asset → name, as the station last said."""
    found = named(station).documents("machines")
    return {one.text("asset"): one.text("name") for one in found}


def command(station: str, name: str, arguments: dict[str, Any]) -> bool:
    """Send it as the signed-in user; whether it was done."""
    return session.command(station, port_of(station), name, arguments)


def field(name: str) -> str:
    """The present key of a text field."""
    return f"{name}-{st.session_state.get(name, 0)}"


def empty(name: str) -> None:
    """Empty a text field by taking another: a browser keeps what a focused one holds."""
    st.session_state[name] = st.session_state.get(name, 0) + 1
