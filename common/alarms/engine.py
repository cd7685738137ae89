"""The life of one alarm after ISA-18.2 / IEC 62682, as pure functions (DOMAIN E1).

           abnormal ≥ on delay              acknowledge
    NORM ───────────────────────► UNACK ─────────────────► ACKED ── re-alarm timer or
     ▲                              │                        │      higher priority ► UNACK
     │ acknowledge     normal ≥ off delay          normal ≥ off delay
     │                              ▼                        ▼
     └──────────────────────────  RTNUN                    NORM
                           (latched: LATCHED_UNACK)   (latched: LATCHED_ACK)

A latched alarm goes LATCHED_UNACK ─ acknowledge ► LATCHED_ACK ─ reset ► NORM. Whenever the
process is abnormal again for the on delay, an alarm that has returned is UNACK anew.

Any alarm may be hidden: SHELVED by an operator for a time, SUPPRESSED_BY_DESIGN by logic,
OUT_OF_SERVICE for maintenance; of several hidings the last one shows. Its life goes on
unseen, and what is abnormal or latched comes out unacknowledged. A person who hides an
alarm has taken note of it; logic has not, so what it hid unacknowledged stays so.
What comes and goes unseen is history, and nothing that anybody must acknowledge.

Every function gives back the very same state where there is nothing to change. `now` is
monotonic time in s.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from common.alarms.definition import AlarmDefinition


class State(StrEnum):
    """The states of an alarm, by their ISA-18.2 meaning; A … I in DOMAIN E1."""

    NORM = "NORM"
    UNACK = "UNACK"
    """Abnormal, nobody has taken note: sounds and flashes."""
    ACKED = "ACKED"
    RTNUN = "RTNUN"
    """Normal again, but nobody has taken note."""
    LATCHED_UNACK = "LATCHED_UNACK"
    """Normal again; held for a person to take note and reset."""
    LATCHED_ACK = "LATCHED_ACK"
    """Normal again, noted; held for a person to reset."""
    SHELVED = "SHELVED"
    """Hidden by an operator, with a reason and for a limited time."""
    SUPPRESSED_BY_DESIGN = "SUPPRESSED_BY_DESIGN"
    """Hidden by logic, e.g. because another alarm says it already."""
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    """Hidden for maintenance, with a permit and until it is returned."""


ABNORMAL = (State.UNACK, State.ACKED)
UNACKNOWLEDGED = (State.UNACK, State.RTNUN, State.LATCHED_UNACK)
HIDDEN = (State.SHELVED, State.SUPPRESSED_BY_DESIGN, State.OUT_OF_SERVICE)


@dataclass(frozen=True, slots=True)
class Hiding:
    """Why an alarm is not annunciated, since when, and for how long."""

    how: State
    """One of HIDDEN."""
    by: str
    reason: str
    since: float
    """Wall time, UTC s."""
    until: float | None = None
    """When shelving ends, for people: wall time, UTC s; None is until it is ended."""
    deadline: float | None = None
    """When shelving ends, for the rule: monotonic s."""
    one_shot: bool = False
    """Shelving that also ends when the process returns to normal."""
    permit: str = ""
    """The work permit of an alarm out of service."""
    carried: bool = False
    """Shelved before the machine was booted: only wall time knows for how long."""


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Where an alarm is in its life, and what hides it."""

    life: State = State.NORM
    """What it is, or would be if nothing hid it: one of the six that are not HIDDEN."""
    hidden: tuple[Hiding, ...] = ()
    """In the order in which they came; no two of a kind."""
    pending_since: float | None = None
    """Since when the process says otherwise than `life`; None: it does not."""
    active_at: float | None = None
    """When the process became abnormal; None while it is normal."""
    acked_at: float | None = None
    """When it became ACKED: what the re-alarm timer counts from."""

    @property
    def name(self) -> State:
        """The state that people see."""
        return self.hidden[-1].how if self.hidden else self.life

    def hiding(self, how: State) -> Hiding | None:
        """What hides it in this way, if anything does."""
        return next((hiding for hiding in self.hidden if hiding.how is how), None)


def step(
    definition: AlarmDefinition, state: AlarmState, active: bool, now: float
) -> AlarmState:
    """The state after the process was seen abnormal (`active`) or normal at this time."""
    state = _shelving_ended(state, now)
    if active == (state.life in ABNORMAL):
        return _re_alarmed(definition, _settled(state), now)
    since = now if state.pending_since is None else state.pending_since
    delay = definition.on_delay_s if active else definition.off_delay_s
    if now - since < delay:
        return state if since == state.pending_since else replace(state, pending_since=since)
    return _came(state, now) if active else _went(definition, state)


def _settled(state: AlarmState) -> AlarmState:
    return state if state.pending_since is None else replace(state, pending_since=None)


def _came(state: AlarmState, now: float) -> AlarmState:
    unseen = state.hidden and state.life not in UNACKNOWLEDGED
    life = State.ACKED if unseen else State.UNACK
    return AlarmState(life, state.hidden, active_at=now)


def _went(definition: AlarmDefinition, state: AlarmState) -> AlarmState:
    if state.life is State.ACKED:
        life = State.LATCHED_ACK if definition.latched else State.NORM
    else:
        life = State.LATCHED_UNACK if definition.latched else State.RTNUN
    gone, shelved = AlarmState(life, state.hidden), state.hiding(State.SHELVED)
    return reveal(gone, State.SHELVED) if shelved and shelved.one_shot else gone


def _re_alarmed(definition: AlarmDefinition, state: AlarmState, now: float) -> AlarmState:
    if not definition.re_alarm_s or state.name is not State.ACKED or state.acked_at is None:
        return state
    return raised(state) if now - state.acked_at >= definition.re_alarm_s else state


def _shelving_ended(state: AlarmState, now: float) -> AlarmState:
    shelved = state.hiding(State.SHELVED)
    over = shelved and shelved.deadline is not None and now >= shelved.deadline
    return reveal(state, State.SHELVED) if over else state


def raised(state: AlarmState) -> AlarmState:
    """The state after the alarm became more urgent: what was acknowledged sounds again."""
    if state.name is not State.ACKED:
        return state
    return replace(state, life=State.UNACK, acked_at=None)


_ACKNOWLEDGED = {
    State.UNACK: State.ACKED,
    State.RTNUN: State.NORM,
    State.LATCHED_UNACK: State.LATCHED_ACK,
}


def acknowledge(state: AlarmState, now: float) -> AlarmState:
    """The state after a person took note; the same while it is hidden: it was not seen."""
    if state.name not in _ACKNOWLEDGED:
        return state
    life = _ACKNOWLEDGED[state.life]
    return replace(state, life=life, acked_at=now if life is State.ACKED else None)


def reset(state: AlarmState) -> AlarmState:
    """The state after a person released a latched alarm.

    The same before it is acknowledged, and while the process is abnormal again.
    """
    if state.name is State.LATCHED_ACK and state.pending_since is None:
        return AlarmState()
    return state


def hide(state: AlarmState, hiding: Hiding) -> AlarmState:
    """The state hidden as `hiding` says; the same where it is hidden in that way already."""
    if state.hiding(hiding.how):
        return state
    noted = hiding.how is not State.SUPPRESSED_BY_DESIGN
    life = _ACKNOWLEDGED.get(state.life, state.life) if noted else state.life
    return replace(state, life=life, hidden=(*state.hidden, hiding))


_REVEALED = {State.ACKED: State.UNACK, State.LATCHED_ACK: State.LATCHED_UNACK}


def reveal(state: AlarmState, how: State) -> AlarmState:
    """The state without that hiding: after the last one it is what the process makes it."""
    hidden = tuple(hiding for hiding in state.hidden if hiding.how is not how)
    if len(hidden) == len(state.hidden):
        return state
    life = state.life if hidden else _REVEALED.get(state.life, state.life)
    return replace(state, life=life, hidden=hidden)
