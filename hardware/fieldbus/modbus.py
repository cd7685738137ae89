"""The PLC as the inspection sees it, over Modbus TCP: triggers in, verdicts out, fail-safe.

The bits are decided in handshake.py; this file brings them to the PLC in the right order:
what takes a permission away is written before what gives one, result words before the
valid bit, and safe words before anything else on every new connection.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from common.errors import PassWithheld, PlcError
from common.ports import Clock, PartResult, PlcView, ResultCode, Trigger
from hardware.fieldbus.blocks import PlcBlock, result_words
from hardware.fieldbus.handshake import Handshake, OpenPart
from hardware.fieldbus.modbus_client import ModbusClient
from hardware.fieldbus.modbus_server import ModbusServer
from hardware.fieldbus.modbus_settings import ModbusSettings
from hardware.fieldbus.registers import (
    PLC_WORDS,
    RECIPE_ACK,
    RESULT,
    STATUS,
    VIS_HEARTBEAT,
    Coil,
    Registers,
    Status,
)

__all__ = ["ModbusGate", "ModbusSettings", "Registers", "open_gate"]

log = logging.getLogger(__name__)

AGAIN_S = 0.1
"""What stands unchanged in the PLC is written anew this often."""


_ALL_OFF = (False,) * len(Coil)


def open_gate(settings: ModbusSettings, clock: Clock, deadline_s: float = 0.0) -> "ModbusGate":
    """The gate that `settings` describe; nothing is connected before its first use.

    `deadline_s` is the line's own and holds where they name none.
    """
    settings = replace(settings, pass_deadline_s=settings.pass_deadline_s or deadline_s)
    if settings.role == "server":
        server = ModbusServer(settings.host, settings.port, settings.allow)
        return ModbusGate(server, settings, clock)
    client = ModbusClient(
        settings.host,
        settings.port,
        clock=clock,
        unit_id=settings.unit_id,
        timeout_s=settings.timeout_s,
        retries=settings.retries,
        reconnect_max_s=settings.reconnect_max_s,
    )
    return ModbusGate(client, settings, clock)


class ModbusGate:
    """common.ports.PartGate over a register map; used by one thread, the station's loop."""

    most_open = 1  # the result words hold one part

    def __init__(self, registers: Registers, settings: ModbusSettings, clock: Clock) -> None:
        self.name = registers.name
        self._registers, self._settings, self._clock = registers, settings, clock
        self._handshake = Handshake(
            settings.heartbeat_s,
            settings.pass_deadline_s,
            settings.trigger_age_s,
            settings.pass_pulse_s,
        )
        self._is_safe = False
        """The safe words of this connection are written."""
        self._status: Status | None = None
        self._coils = _ALL_OFF
        self._heartbeat = 0
        self._again_at = 0.0

    @property
    def retry_in_s(self) -> float:
        """Seconds until the next try to connect: a loop may rest that long."""
        return self._registers.retry_in_s

    def wait_for_part(self, timeout_s: float) -> Trigger | None:
        """The next part's trigger, acknowledged; None when none came in time."""
        self._handshake.abandon()
        end = self._clock.monotonic() + timeout_s
        while True:
            trigger = self._poll()
            left = end - self._clock.monotonic()
            if trigger is not None or left <= 0:
                return trigger
            self._clock.sleep(min(self._settings.poll_s, left))

    def exposed(self) -> None:
        """Tell the PLC that the picture is taken and the part may move."""
        with self._connected():
            self._handshake.expose()
            self._publish()

    def answer(self, result: PartResult) -> None:
        """Write the result words, then the valid bit in a second transaction.

        A part without an open trigger (it was missed) needs no words: silence rejects it.
        Raises PassWithheld for a PASS that could not be given: for such a part, too late,
        or while the PLC is not alive. It is rejected, and its record must say so.
        """
        hand, part = self._handshake, result.part_id
        if hand.open is not None and hand.open.trigger.part_id == part:
            with self._connected():
                self._answer(replace(result, encoder=hand.open.trigger.encoder))
            given = hand.released
        else:
            given = False
        if result.code is ResultCode.PASS and not given:
            why = "no open trigger, too late, or the PLC is not alive or rejects all"
            raise PassWithheld(f"part {part} withheld: {why}")

    def _answer(self, result: PartResult) -> None:
        """Each transaction may take long: a PASS is in time before it and after it."""
        hand, part, before = self._handshake, self._handshake.open, self._handshake.counts
        code = hand.answer(result, self._clock.monotonic())
        self._registers.write(RESULT, self._result_words(replace(result, code=code)))
        if self._overdue(part):
            hand.counts, late = before, replace(result, code=ResultCode.LATE)
            hand.answer(late, self._clock.monotonic())
            self._registers.write(RESULT, self._result_words(late))
        self._tell_status()
        if not self._overdue(part):
            self._write_coils(hand.coils())
        if self._overdue(part):
            hand.counts = before.add(ResultCode.LATE)
            hand.withdraw_pass()
            self._publish()

    def _overdue(self, part: OpenPart | None) -> bool:
        return self._handshake.released and self._handshake.late(part, self._clock.monotonic())

    def beat(self) -> None:
        """Advance our heartbeat: called only after completed work."""
        with self._connected():
            self._heartbeat = (self._heartbeat + 1) & 0xFFFF
            self._registers.write(VIS_HEARTBEAT, [self._heartbeat])

    def accept_recipe(self, recipe_id: int, known: bool) -> None:
        """Acknowledge the PLC's recipe, or withdraw Ready until it runs another one."""
        hand = self._handshake
        hand.recipe_acked = recipe_id if known else None
        hand.recipe_refused = None if known else recipe_id
        with self._connected():
            self._registers.write(RECIPE_ACK, [hand.recipe_acked or 0])
            self._publish()

    def request(self, line_stop: bool, challenge: bool) -> None:
        """Ask the PLC to stop the line, or to feed challenge pieces, until asked otherwise."""
        self._handshake.line_stop, self._handshake.challenge = line_stop, challenge
        with self._connected():
            self._publish()

    def safe_state(self, reason: str) -> None:
        """Nothing passes until the next real verdict or the PLC's ClearError; never raises."""
        is_new = not self._handshake.error
        self._handshake.fail()
        try:
            with self._connected():
                self._publish()
        except Exception as error:  # noqa: BLE001 - the last line of defence must hold
            reason = f"{reason} (and could not be written: {error})"
        if is_new:  # said once, however often it is repeated
            log.warning("%s: safe state: %s", self.name, reason)

    def view(self) -> PlcView | None:
        """What the PLC last said of itself; None before the first reading."""
        return self._handshake.view()

    def close(self) -> None:
        """Take every permission back and leave."""
        self._handshake.fail()
        try:
            self._withdraw(Status(0))
        except PlcError as error:
            log.warning("leaving without a word to the PLC: %s", error)
        self._registers.close()
        self._is_safe = False

    # --- transactions -----------------------------------------------------------------

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """A connection whose PLC has our safe words.

        A failure makes it a new one, and takes every permission back at once by whatever the
        PLC still takes: where it refuses one table, it may take the other.
        """
        try:
            if self._registers.connect() or not self._is_safe:
                self._start_safely()
            yield
        except Exception:
            self._is_safe, self._status = False, None
            self._handshake.disconnected()
            with suppress(PlcError):
                self._withdraw(self._handshake.status())
            raise

    def _start_safely(self) -> None:
        self._handshake.disconnected()
        self._withdraw(self._handshake.status())
        self._is_safe = True

    def _withdraw(self, status: Status) -> None:
        """Coils off, then STATUS and empty result words in one write; one without the other
        where the PLC refuses it.
        """
        nothing = PartResult(part_id=0, code=ResultCode.NONE)
        try:
            if self._settings.coils:
                self._registers.write_coils(0, list(_ALL_OFF))
        finally:
            self._registers.write(STATUS, [int(status), *self._result_words(nothing)])
        self._status, self._coils, self._handshake.withdrawn = status, _ALL_OFF, 0

    def _poll(self) -> Trigger | None:
        with self._connected():
            asked = self._clock.monotonic()
            words = self._registers.read(0, PLC_WORDS)
            plc = PlcBlock.parse(words, self._settings.word_order)
            now = self._clock.monotonic()
            trigger = self._handshake.see(plc, asked, now)
            if trigger:
                self._publish([trigger.part_id, int(ResultCode.NONE)])
            else:
                self._publish(again=now >= self._again_at)
        return trigger

    def _publish(self, echo: list[int] | None = None, again: bool = False) -> None:
        """Bring STATUS (and the id that TrigAck echoes) and the coils to the PLC.

        What did not change is written `again` now and then: a request that a slow device
        carries out after its connection was given up must not stand for ever.
        """
        self._tell_status(echo, again)
        self._write_coils(self._handshake.coils())
        if again:
            self._again_at = self._clock.monotonic() + AGAIN_S

    def _tell_status(self, echo: list[int] | None = None, again: bool = False) -> None:
        """The coils that fall, then STATUS; those that rise are left to the caller."""
        status, coils = self._handshake.status(), self._handshake.coils()
        if self._handshake.withdrawn and echo is None:
            echo = [self._handshake.withdrawn, int(ResultCode.NO_RESULT)]
        self._write_coils(
            tuple(a and b for a, b in zip(self._coils, coils, strict=True)), again
        )
        if status != self._status or echo or again:
            self._registers.write(STATUS, [int(status), *(echo or [])])
            self._status, self._handshake.withdrawn = status, 0

    def _write_coils(self, coils: tuple[bool, ...], again: bool = False) -> None:
        if self._settings.coils and (again or coils != self._coils):
            self._registers.write_coils(0, list(coils))
            self._coils = coils

    def _result_words(self, result: PartResult) -> list[int]:
        hand = self._handshake
        order = self._settings.word_order
        return result_words(result, hand.counts, hand.recipe_acked or 0, order)
