"""Where work orders are kept and sent from: none twice, none lost.

An order's state, its record and the event that leaves are one transaction. What the store
refuses (a full queue, a full disk) stays here and is tried again; after a restart the
orders are read back, so that a fault that goes on finds its order open.
"""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from apps.predictive_maintenance.aside import readable
from apps.predictive_maintenance.config import Machine
from apps.predictive_maintenance.domain import Decision, Verdict
from apps.predictive_maintenance.order_document import document, kept, restored
from apps.predictive_maintenance.orders import OVERHEATING, VIBRATION, Order, Orders
from common import meta, records
from common.records import Record
from common.store import Store
from common.telemetry.outbox import Message, Outbox

EVENT = "lineside.maintenance.order.v1"
KEY = "order:"
RETRY_S = 1.0


def stored_orders(connection: sqlite3.Connection, now: float) -> tuple[list[Order], list[str]]:
    """The latest order of every machine and family, and the keys of what cannot be read.

    In place of each of these stands from `now` (UTC, s) on a closed one with a number above
    all before it: no key is used twice, and no CMMS takes the next order for an old one.
    """
    found, lost = readable(connection, KEY, restored)
    for key in lost:
        asset, _, family = key.removeprefix(KEY).rpartition("/")
        stub = Order(
            asset, family, int(now), 1, Verdict.UNKNOWN, 4, now, now, now, (),
            is_open=False, closed_reason="what was stored of it cannot be read",
        )  # fmt: skip
        meta.put(connection, key, kept(stub))
        found[key] = stub
    return list(found.values()), lost


class Desk:
    """The work orders of one station; used by one thread, the station's loop."""

    def __init__(
        self,
        orders: Orders,
        machines: dict[str, Machine],
        station: str,
        store: Store,
        outbox: Outbox,
        sinks: tuple[str, ...],
    ) -> None:
        self._rules, self._machines, self._station = orders, machines, station
        self._store, self._outbox, self._sinks = store, outbox, sinks
        read = partial(stored_orders, now=store.clock.wall())
        found, self.unreadable = store.submit(read).result()
        """Keys of stored orders that could not be read at the start."""
        self._orders = {order.place: order for order in found}
        self._unstored: dict[str, Order] = {}
        """By key: an order closed and the next one opened are two things to tell."""
        self._under_way: dict[str, tuple[Order, Future[None]]] = {}
        self._closing: set[tuple[str, str]] = set()
        """Places of orders whose closing the store was given: nothing is added to these."""
        self._retry_at = 0.0
        self.failure = ""
        """Why an order is not stored yet; empty when all are."""

    def take(self, decision: Decision) -> None:
        """Open an order, or add to the open one, as the rules say."""
        now = self._store.clock.wall()
        for family in (VIBRATION, OVERHEATING):
            if (decision.asset, family) in self._closing:
                continue  # what goes on is found again by the next decision
            last = self._orders.get((decision.asset, family))
            order = self._rules.after(last, decision, family, now)
            if order is not None and order is not last:
                self._put(order)

    def closing(self, key: str, by: str, reason: str) -> Order:
        """An open order as a person closes it; raises ValueError where there is none.

        To be stored by `writing`, then to be told of by `closed`.
        """
        order = next((o for o in self.open_orders() if o.key == key), None)
        if order is None or order.place in self._closing:
            raise ValueError(f"there is no open order {key}")
        self._closing.add(order.place)
        return self._rules.closed(order, by, reason, self._store.clock.wall())

    def closed(self, order: Order, *, kept: bool) -> None:
        """The store has kept the closing; where it has not, the order stays open."""
        self._closing.discard(order.place)
        if kept:
            self._orders[order.place] = order
            self._unstored.pop(order.key, None)  # the closing says all that this said

    def open_orders(self, asset: str | None = None) -> list[Order]:
        """Open orders, most urgent first."""
        found = [
            order
            for order in self._orders.values()
            if order.is_open and asset in (None, order.asset)
        ]
        return sorted(found, key=lambda order: (order.priority, order.opened))

    def told(self, order: Order) -> dict[str, Any]:
        """An order as others read it."""
        machine = self._machines.get(order.asset, Machine())
        return document(order, machine, self._station)

    @property
    def unstored(self) -> int:
        """Changes that the store does not have yet."""
        return len(self._unstored)

    def flush(self) -> None:
        """Give the store what it does not have; returns at once."""
        self._settle()
        if not self._unstored or self._store.clock.monotonic() < self._retry_at:
            return
        busy = {order.place for order, _ in self._under_way.values()}
        for order in self._unstored.values():
            if order.place not in busy:  # closed first, then the next one opened
                self._submit(order)
            busy.add(order.place)

    def _put(self, order: Order) -> None:
        self._orders[order.place] = self._unstored[order.key] = order
        self.flush()

    def writing(self, order: Order) -> Callable[[sqlite3.Connection], None]:
        """What stores an order and tells of it."""
        return partial(
            self._write, body=kept(order), told=self.told(order), order=order,
            monotonic=self._store.clock.monotonic(),
        )  # fmt: skip

    def _submit(self, order: Order) -> None:
        stored = self._store.submit(self.writing(order), of_class="audit")
        self._under_way[order.key] = order, stored

    def _settle(self) -> None:
        for key, (order, future) in list(self._under_way.items()):
            if not future.done():
                continue
            del self._under_way[key]
            error = None if future.cancelled() else future.exception()
            if error is not None or future.cancelled():
                self.failure = f"{order.key}: {error or 'not taken'}"
                self._retry_at = self._store.clock.monotonic() + RETRY_S
            elif self._unstored.get(key) is order:
                del self._unstored[key]
        if not self._unstored:
            self.failure = ""

    # ---------------------------------------------------------------- in the store's thread

    def _write(
        self,
        connection: sqlite3.Connection,
        *,
        body: dict[str, Any],
        told: dict[str, Any],
        order: Order,
        monotonic: float,
    ) -> None:
        place = f"{KEY}{order.asset}/{order.family}"
        last = meta.get(connection, place) or {"number": 0, "revision": 0}
        if (last["number"], last["revision"]) <= (order.number, order.revision):
            meta.put(connection, place, body)  # else: told late, after the next
        record = Record("order", order.key, order.changed, monotonic, self._store.boot_id, told)
        records.add(connection, record)
        if self._sinks:
            # Of the one class that is never dropped: a work order is a promise.
            message = Message(
                "audit", EVENT, f"order/{order.key}", told, order.changed, self._sinks
            )
            self._outbox.append(connection, message)
