"""What a browser session remembers: who signed in, and what became of the last command.

A credential lives in this session's memory only and is forgotten after a quarter of an
hour without a command: panels on a shop floor are shared.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from common.screen.commands import Answer, Credential, check, send

IDLE_S = 900.0
SHOWN_S = 30.0
"""How long an answer stays on the screen."""
UNAUTHORISED = 401
_CREDENTIAL, _USED, _ANSWER = "ls_credential", "ls_credential_used", "ls_answer"


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer and when it came (wall time)."""

    answer: Answer
    wall_time: float


def credential() -> Credential | None:
    """Who is signed in; None when nobody is, or nobody did anything for long."""
    held = st.session_state.get(_CREDENTIAL)
    if held is None:
        return None
    if time.monotonic() - st.session_state.get(_USED, 0.0) > IDLE_S:
        sign_out()
        return None
    return Credential(held.name, held.password)


def sign_in(port: int | None, name: str, password: str) -> bool:
    """Keep a credential that the station accepts, or cannot be asked about now."""
    given = Credential(name.strip(), password)
    answer = check(port, given)
    kept = answer.done or answer.status == 0
    if kept:
        st.session_state[_CREDENTIAL] = given
        st.session_state[_USED] = time.monotonic()
    if not answer.done and kept:
        text = f"{answer.text} {given.name} is checked with the first command."
        answer = Answer(False, text)
    say(answer)
    return kept


def sign_out() -> None:
    """Forget the credential."""
    st.session_state.pop(_CREDENTIAL, None)


def command(port: int | None, name: str, arguments: Mapping[str, Any]) -> bool:
    """Send a command as the signed-in user and keep the answer; whether it was done."""
    who = credential()
    if who is None:
        say(Answer(False, "Nothing was sent: sign in first, with the button below."))
        return False
    answer = send(port, name, arguments, who)
    if answer.status == UNAUTHORISED:
        sign_out()
    else:
        st.session_state[_USED] = time.monotonic()
    say(answer)
    return answer.done


def say(answer: Answer) -> None:
    """Show this on the screen's answer line."""
    st.session_state[_ANSWER] = Shown(answer, time.time())


def last_answer() -> Shown | None:
    """What the answer line shows now."""
    shown = st.session_state.get(_ANSWER)
    if shown is None or not 0 <= time.time() - shown.wall_time <= SHOWN_S:
        return None
    return Shown(shown.answer, shown.wall_time)
