"""What the forms of all pages share: sending a command, and fields that are emptied then."""

from typing import Any

import streamlit as st

from common.screen import session
from common.screen.listening import port_of


def send(station: str, name: str, arguments: dict[str, Any], *fields: str) -> None:
    """Send a command as the signed-in user; the fields are emptied where it was done."""
    if session.command(station, port_of(station), name, arguments):
        for field in fields:
            renew(field)


def key(name: str) -> str:
    """The present key of a field."""
    return f"{name}-{st.session_state.get(name, 0)}"


def value(name: str) -> Any:
    """What stands in a field."""
    return st.session_state.get(key(name))


def renew(name: str) -> None:
    """Empty a field by taking another: a browser keeps what a focused one holds."""
    st.session_state[name] = st.session_state.get(name, 0) + 1
