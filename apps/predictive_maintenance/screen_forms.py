"""What the forms of the maintenance page share: the station's last word."""

import streamlit as st

from apps.predictive_maintenance.screen_machine import chosen
from common.screen import page
from common.screen.document import Document
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


def choose_shown(station: str, key: str) -> None:
    """When a form is opened: it is about the machine that the page shows."""
    if asset := chosen(named(station).documents("machines")).text("asset"):
        st.session_state[key] = asset
