"""What people may ask of the station, which role it takes, and the audit of it."""

import sqlite3
from typing import TYPE_CHECKING, Any

from apps.predictive_maintenance import decide as rules
from apps.predictive_maintenance import memory as memories
from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.learning import FOREVER, summary, then
from common import deeds, records
from common.alarms import commands as alarm_commands
from common.arguments import flag, number, text, whole
from common.deeds import Deed
from common.records import Record
from common.telemetry import dead_letters
from common.users import User

if TYPE_CHECKING:
    from apps.predictive_maintenance.station import Station

ROLES = {
    **alarm_commands.ROLES,
    "acknowledge_stop": "operator",
    "note": "operator",
    "close_order": "operator",
    "baseline_choose": "operator",
    "baseline_learn": "operator",
    "baseline_accept": "engineer",
    "baseline_back": "engineer",
    "resend": dead_letters.ROLE,
}


class Commands:
    """Carries commands out in the loop's thread; ValueError is the asker's mistake."""

    def __init__(self, station: "Station") -> None:
        self._station = station

    def carry_out(self, name: str, arguments: dict[str, Any], user: User) -> Any:
        """Do it and audit it; returns what the asker shall see, or a future of it."""
        if name in alarm_commands.ROLES:
            return alarm_commands.carry_out(self._station.parts.alarms, name, arguments, user)
        deed, store = getattr(self, f"_{name}")(arguments, user), self._station.parts.store
        return deeds.carry_out(store, deed, name, user, self._station.later)

    # ------------------------------------------------------------------ verdicts and orders

    def _acknowledge_stop(self, arguments: dict[str, Any], user: User) -> Deed:
        del user
        asset, pipeline = self._asset(arguments), self._station.pipeline
        comment = _comment(arguments)
        memory = pipeline.state.get(asset)
        if memory is None or not memory.unacknowledged:
            raise ValueError(f"{asset}: there is no stop to acknowledge")
        known = rules.acknowledge(pipeline.state, asset)[asset]

        def keep(connection: sqlite3.Connection) -> str:
            memories.keep(connection, asset, known)
            return "acknowledged; the stop goes when its evidence goes"

        def after(kept: bool) -> None:
            if kept:
                pipeline.state = rules.acknowledge(pipeline.state, asset)

        return Deed(keep, asset, comment, after)

    def _close_order(self, arguments: dict[str, Any], user: User) -> Deed:
        key, reason = text(arguments, "key"), text(arguments, "reason")
        repaired = flag(arguments, "repaired", default=True)
        station, desk = self._station, self._station.act.desk
        order = desk.closing(key, user.name, reason)
        write, memory = desk.writing(order), station.repaired(order)

        def keep(connection: sqlite3.Connection) -> str:
            write(connection)
            if repaired:
                memories.keep(connection, order.asset, memory)
            return f"closed; revision {order.revision} goes to the CMMS"

        def after(kept: bool) -> None:
            desk.closed(order, kept=kept)
            if kept and repaired:  # what was found before no longer holds: look anew
                station.remember(order.asset, station.repaired(order))

        return Deed(keep, f"order/{key}", reason, after)

    def _note(self, arguments: dict[str, Any], user: User) -> Deed:
        asset, words = self._asset(arguments), text(arguments, "text")
        store = self._station.parts.store
        body = {"asset": asset, "text": words, "by": user.name}
        record = Record(
            "note", asset, store.clock.wall(), store.clock.monotonic(), store.boot_id, body
        )

        def keep(connection: sqlite3.Connection) -> str:
            records.add(connection, record)
            return "noted"

        return Deed(keep, asset, words)

    def _resend(self, arguments: dict[str, Any], user: User) -> Deed:
        del user
        return Deed(dead_letters.resend, "dead letters", text(arguments, "reason"))

    # -------------------------------------------------------------------------- the wizard

    def _baseline_choose(self, arguments: dict[str, Any], user: User) -> Deed:
        """Learn from a time; what comes of it is a proposal until somebody accepts it."""
        del user
        asset = self._asset(arguments)
        start = number(arguments, "start") if "start" in arguments else 0.0
        end = number(arguments, "end") if "end" in arguments else FOREVER
        if not start < end:
            raise ValueError("start must be before end (UTC, seconds since 1970)")
        learned = self._station.learning.learn(asset, start, end)
        return Deed(then(learned, summary), asset, "")

    def _baseline_learn(self, arguments: dict[str, Any], user: User) -> Deed:
        """The same from all the time there is."""
        return self._baseline_choose({"asset": arguments.get("asset")}, user)

    def _baseline_accept(self, arguments: dict[str, Any], user: User) -> Deed:
        del user
        asset, reason = self._asset(arguments), text(arguments, "reason")
        despite = flag(arguments, "despite", default=False)
        accepted = self._station.learning.accept(asset, despite=despite)
        return Deed(then(accepted, self._in_use), asset, reason)

    def _baseline_back(self, arguments: dict[str, Any], user: User) -> Deed:
        del user
        asset, version = self._asset(arguments), whole(arguments, "version")
        reason = text(arguments, "reason")
        if not version:
            raise ValueError("version must be a number from 1")
        chosen = self._station.learning.back(asset, version)
        return Deed(then(chosen, self._in_use), f"{asset} baseline {version}", reason)

    def _in_use(self, baseline: Baseline) -> str:
        self._station.later(lambda: self._station.use(baseline))
        return f"baseline {baseline.version} of {baseline.asset} is in use"

    def _asset(self, arguments: dict[str, Any]) -> str:
        asset = text(arguments, "asset")
        if asset not in self._station.settings.machines:
            raise ValueError(f"there is no machine {asset}")
        return asset


def _comment(arguments: dict[str, Any]) -> str:
    """What was said with it; a field left blank says nothing."""
    said = arguments.get("comment", "")
    blank = isinstance(said, str) and not said.strip()
    return "" if blank else text(arguments, "comment")
