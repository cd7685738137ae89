"""What people and the plant's logic may order of an alarm, as pure functions.

    board.command("motor_hot", orders.acknowledge(user, "on my way"))

An order gives back the changed alarm, or an Outcome with the reason in plain words why
nothing is to be changed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from common.alarms import engine, shelving
from common.alarms.alarm import Alarm, Deed, Outcome, Why
from common.alarms.engine import UNACKNOWLEDGED, Hiding, State
from common.alarms.shelving import Moment, Shelving
from common.users import User

LOGIC = "logic"
"""Who hides by design."""
Ordered = Callable[[Alarm, Moment], Alarm | Outcome]


@dataclass(frozen=True, slots=True)
class Order:
    """A command, not yet given to any alarm."""

    deed: Deed
    apply: Ordered


def acknowledge(user: User, comment: str = "") -> Order:
    """`user` has taken note."""

    def apply(alarm: Alarm, now: Moment) -> Alarm | Outcome:
        if alarm.state.name not in UNACKNOWLEDGED:
            return Outcome(Why.NOTHING, f"nothing to acknowledge: {_standing(alarm)}")
        state = engine.acknowledge(alarm.state, now.monotonic)
        noted = replace(alarm, ack_user=user.name, ack_time=now.wall, ack_comment=comment)
        return replace(noted, state=state)

    return Order(Deed("acknowledge", user, comment), apply)


def reset(user: User) -> Order:
    """`user` releases a latched alarm, whose cause must be gone."""

    def apply(alarm: Alarm, now: Moment) -> Alarm | Outcome:
        del now
        state, name = engine.reset(alarm.state), alarm.state.name
        if state is not alarm.state:
            return replace(alarm, state=state)
        if name is State.LATCHED_ACK or (alarm.definition.latched and name is State.ACKED):
            return Outcome(Why.NOT_YET, "its cause is not gone")
        if name in UNACKNOWLEDGED and alarm.definition.latched:
            return Outcome(Why.NOT_YET, "acknowledge it first, and its cause must be gone")
        return Outcome(Why.NOTHING, f"nothing to reset: {_standing(alarm)}")

    return Order(Deed("reset_alarm", user), apply)


def shelve(user: User, wanted: Shelving) -> Order:
    """`user` hides an alarm for a limited time; by then it comes back by itself."""

    def apply(alarm: Alarm, now: Moment) -> Alarm | Outcome:
        if not wanted.reason.strip():
            return Outcome(Why.NO_REASON, "shelving takes a reason")
        if text := shelving.why_not(alarm.definition, wanted):
            return Outcome(Why.NOT_PERMITTED, text)
        return _hidden(alarm, shelving.begun(wanted, user.name, now))

    return Order(Deed("shelve", user, wanted.reason), apply)


def unshelve(user: User) -> Order:
    """`user` brings a shelved alarm back before its time."""
    return Order(Deed("unshelve", user), _revealed(State.SHELVED))


def suppress(reason: str) -> Order:
    """The plant's logic hides an alarm, e.g. while its machine is switched off."""

    def apply(alarm: Alarm, now: Moment) -> Alarm | Outcome:
        if not reason.strip():
            return Outcome(Why.NO_REASON, "suppressing takes a reason")
        return _hidden(alarm, Hiding(State.SUPPRESSED_BY_DESIGN, LOGIC, reason, now.wall))

    return Order(Deed("suppress", None, reason), apply)


def unsuppress() -> Order:
    """The plant's logic no longer hides an alarm."""
    return Order(Deed("unsuppress"), _revealed(State.SUPPRESSED_BY_DESIGN))


def remove_from_service(user: User, reason: str, permit: str) -> Order:
    """`user` hides an alarm for maintenance, under a work permit and without a limit."""

    def apply(alarm: Alarm, now: Moment) -> Alarm | Outcome:
        if not reason.strip():
            return Outcome(Why.NO_REASON, "removing from service takes a reason")
        if not permit.strip():
            return Outcome(Why.NOT_PERMITTED, "removing from service takes a work permit")
        how = State.OUT_OF_SERVICE
        return _hidden(alarm, Hiding(how, user.name, reason, now.wall, permit=permit))

    said = f"{reason} (permit {permit})" if permit else reason
    return Order(Deed("remove_from_service", user, said), apply)


def return_to_service(user: User, done: str = "") -> Order:
    """`user` ends the maintenance of an alarm, and may say what was done."""
    return Order(Deed("return_to_service", user, done), _revealed(State.OUT_OF_SERVICE))


def _hidden(alarm: Alarm, hiding: Hiding) -> Alarm | Outcome:
    state = engine.hide(alarm.state, hiding)
    if state is alarm.state:
        already = alarm.state.hiding(hiding.how)
        by = already.by if already else hiding.by
        return Outcome(Why.NOTHING, f"it is {_WORDS[hiding.how]} already, by {by}")
    return replace(alarm, state=state)


def _revealed(how: State) -> Ordered:
    def apply(alarm: Alarm, now: Moment) -> Alarm | Outcome:
        del now
        state = engine.reveal(alarm.state, how)
        if state is alarm.state:
            return Outcome(Why.NOTHING, f"it is not {_WORDS[how]}")
        return replace(alarm, state=state)

    return apply


_WORDS = {
    State.NORM: "back to normal",
    State.UNACK: "not acknowledged",
    State.ACKED: "acknowledged",
    State.RTNUN: "gone, not acknowledged",
    State.LATCHED_UNACK: "gone but kept, not acknowledged",
    State.LATCHED_ACK: "gone but kept until reset",
    State.SHELVED: "shelved",
    State.SUPPRESSED_BY_DESIGN: "suppressed by design",
    State.OUT_OF_SERVICE: "out of service",
}


def _standing(alarm: Alarm) -> str:
    name = alarm.state.name
    by = f" by {alarm.ack_user}" if name is State.ACKED and alarm.ack_user else ""
    return f"it is {_WORDS[name]}{by}"
