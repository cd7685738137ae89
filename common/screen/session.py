"""What a browser session remembers: who signed in where, and what became of the last command.

The password is given to the stations once and forgotten; what is kept, in this session's
memory only, is the token that each station gave for it. It is given back after a quarter of
an hour without a command: panels on a shop floor are shared.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from common.screen import commands, language
from common.screen.commands import Answer, Pass
from common.screen.language import ENGLISH, heard, tr

IDLE_S = 900.0
SHOWN_S = 30.0
"""How long an answer stays on the screen."""
UNAUTHORISED = 401
Ports = Mapping[str, int | None]
"""Station → where its API listens."""
_HELD, _ANSWER = "ls_signed_in", "ls_answer"
LANGUAGE = "ls-lang"
"""Key of the chosen language in the session's state."""


@dataclass(slots=True)
class SignedIn:
    """A person at this browser."""

    name: str
    passes: dict[str, tuple[int, Pass]] = field(repr=False)
    """Station → port and token."""
    used: float
    """Monotonic time of the last command."""

    def role_at(self, station: str) -> str:
        """The person's role at a station; empty where they are not signed in."""
        return self.passes[station][1].role if station in self.passes else ""


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer and when it came (wall time)."""

    answer: Answer
    wall_time: float


def signed_in() -> SignedIn | None:
    """Who is signed in; None when nobody is, or nobody did anything for long."""
    held: SignedIn | None = st.session_state.get(_HELD)
    if held is not None and time.monotonic() - held.used > IDLE_S:
        st.session_state.pop(_HELD, None)  # the stations have ended it by themselves
        return None
    return held


def sign_in(ports: Ports, name: str, password: str) -> bool:
    """Sign in at every station that takes this name and password."""
    _speak()
    if signed_in() is not None:
        sign_out()
    name = name.strip()
    passes, refused = {}, {}
    for station, port in ports.items():
        given, answer = commands.sign_in(port, name, password)
        if given is not None and port is not None:
            passes[station] = (port, given)
        else:
            refused[station] = answer
    if passes:
        st.session_state[_HELD] = SignedIn(name, passes, time.monotonic())
    say(Answer(bool(passes), _welcome(name, passes, refused)))
    return bool(passes)


def _welcome(
    name: str, passes: Mapping[str, tuple[int, Pass]], refused: Mapping[str, Answer]
) -> str:
    if not passes:
        texts = list(dict.fromkeys(answer.text for answer in refused.values()))
        return " ".join(texts) or tr("There is no station to sign in at.")
    where = ", ".join(f"{at}: {heard(given.role)}" for at, (_, given) in passes.items())
    text = tr("Signed in as {name} ({where}).", name=name, where=where)
    return f"{text} {tr('Not at {where}.', where=', '.join(refused))}" if refused else text


def sign_out() -> None:
    """Give all tokens back, and forget them whatever comes of it."""
    held: SignedIn | None = st.session_state.pop(_HELD, None)
    for port, given in held.passes.values() if held else ():
        commands.sign_out(port, given)


def command(station: str, port: int | None, name: str, arguments: Mapping[str, Any]) -> bool:
    """Send a command as the signed-in user and keep the answer; whether it was done."""

    def sent(given: Pass) -> tuple[Any, Answer]:
        return None, commands.send(port, name, arguments, given)

    return _carried(station, sent)[1].done


def ask(station: str, port: int | None, name: str, arguments: Mapping[str, Any]) -> Any:
    """The same for a command that is asked for what it gives; None where it gave nothing."""
    return _carried(station, lambda given: commands.ask(port, name, arguments, given))[0]


def _carried(station: str, send: Callable[[Pass], tuple[Any, Answer]]) -> tuple[Any, Answer]:
    """What a command gave and what became of it; the latter is on the answer line, too."""
    _speak()
    who, found = signed_in(), None
    if who is None:
        answer = Answer(False, tr("Nothing was sent: sign in first, with the button below."))
    elif station not in who.passes:
        text = tr("Nothing was sent: you are not signed in at {station}.", station=station)
        answer = Answer(False, text)
    else:
        found, answer = send(who.passes[station][1])
        if answer.status == UNAUTHORISED:
            answer = _ended(who, station)
        else:
            who.used = time.monotonic()
    say(answer)
    return found, answer


def _ended(who: SignedIn, station: str) -> Answer:
    del who.passes[station]
    if not who.passes:
        st.session_state.pop(_HELD, None)
    text = tr("Nothing was done: your session at {station} has ended.", station=station)
    return Answer(False, f"{text} {tr('Sign in again.')}", UNAUTHORISED)


def _speak() -> None:
    """Use the language of the session: a button's work is done before its page is drawn."""
    language.use(st.session_state.get(LANGUAGE, ENGLISH))


def say(answer: Answer) -> None:
    """Show this on the screen's answer line."""
    st.session_state[_ANSWER] = Shown(answer, time.time())


def last_answer() -> Shown | None:
    """What the answer line shows now."""
    shown: Shown | None = st.session_state.get(_ANSWER)
    if shown is None or not 0 <= time.time() - shown.wall_time <= SHOWN_S:
        return None
    return shown
