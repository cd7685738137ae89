"""The alarm commands of every station's API: which role they take and what they are told.

An app adds ROLES to its own commands and hands these names over:

    if name in commands.ROLES:
        return commands.carry_out(board, name, arguments, user)

The audit row is written by the board's keeper, in one transaction with the change. What the
disk refuses is kept in memory and tried again, so the answer waits for the disk's word, and
does not depend on it.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from common.alarms import orders
from common.alarms.alarm import Outcome, Why
from common.alarms.board import AlarmBoard
from common.alarms.orders import Order
from common.alarms.shelving import Shelving
from common.arguments import Unchanged, number, text, whole
from common.users import User

ROLES = {
    "acknowledge": "operator",
    "reset_alarm": "operator",
    "shelve": "operator",
    "unshelve": "operator",
    "remove_from_service": "engineer",
    "return_to_service": "engineer",
}
MOST_AT_ONCE = 1000
Arguments = Mapping[str, Any]


def carry_out(board: AlarmBoard, name: str, arguments: Arguments, user: User) -> Any:
    """Do it; returns what the asker shall see, or its future where something was changed.

    ValueError is the asker's mistake.
    `alarm_id` (and `revision`, where the asker looked at one) names an alarm; or `alarms`
    names several, id → revision or null, and the answer then is id → text for each.
    """
    order, done = _ORDERS[name](arguments, user)
    if "alarms" in arguments:
        outcomes = board.command_all(_several(arguments), order)
        answers = {alarm: _said(outcome, done) for alarm, outcome in outcomes.items()}
        return _once_settled(board, answers)
    alarm_id = text(arguments, "alarm_id")
    outcome = board.command(alarm_id, order, whole(arguments, "revision"))
    if outcome.why is Why.UNKNOWN:
        raise ValueError(outcome.text)
    if outcome.why not in (None, Why.NOTHING):
        raise ValueError(f"{alarm_id}: {outcome.text}")
    said = _said(outcome, done)
    return _once_settled(board, said) if outcome.changed else said


def _once_settled(board: AlarmBoard, said: Any) -> "Future[Any]":
    answer: Future[Any] = Future()
    board.settled().add_done_callback(lambda _: answer.set_result(said))
    return answer


def _said(outcome: Outcome, done: str) -> str:
    return done if outcome.changed else Unchanged(outcome.text)


def _several(arguments: Arguments) -> dict[str, int | None]:
    alarms = arguments["alarms"]
    if not isinstance(alarms, dict) or not 1 <= len(alarms) <= MOST_AT_ONCE:
        raise ValueError(f"alarms must be 1 to {MOST_AT_ONCE} of alarm id: revision")
    return {name: whole(alarms, name) for name in alarms}


def _shelve(arguments: Arguments, user: User) -> tuple[Order, str]:
    one_shot = arguments.get("one_shot", False)
    if type(one_shot) is not bool:
        raise ValueError("one_shot must be true or false")
    wanted = Shelving(number(arguments, "seconds"), text(arguments, "reason"), one_shot)
    return orders.shelve(user, wanted), f"shelved for {wanted.seconds:g} s"


def _acknowledge(arguments: Arguments, user: User) -> tuple[Order, str]:
    return orders.acknowledge(user, text(arguments, "comment", "")), "acknowledged"


def _remove(arguments: Arguments, user: User) -> tuple[Order, str]:
    reason, permit = text(arguments, "reason"), text(arguments, "permit")
    return orders.remove_from_service(user, reason, permit), "out of service"


def _return(arguments: Arguments, user: User) -> tuple[Order, str]:
    return orders.return_to_service(user, text(arguments, "reason", "")), "in service"


_ORDERS: dict[str, Callable[[Arguments, User], tuple[Order, str]]] = {
    "acknowledge": _acknowledge,
    "reset_alarm": lambda _, user: (orders.reset(user), "reset"),
    "shelve": _shelve,
    "unshelve": lambda _, user: (orders.unshelve(user), "no longer shelved"),
    "remove_from_service": _remove,
    "return_to_service": _return,
}
