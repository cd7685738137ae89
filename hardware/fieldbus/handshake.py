"""Vision's side of the handshake (domain notes A2), without I/O: readings in, bits out.

Positive release: the Pass bit and the coils that let a part go are set by one thing only,
an in-time PASS for the part whose trigger is open, while the PLC is alive and nothing is
in its safe state. Everything else, an exception in the middle included, leaves them off.
"""

from dataclasses import dataclass

from common.ports import PartResult, PlcView, ResultCode, Trigger
from hardware.fieldbus.blocks import Counts, PlcBlock
from hardware.fieldbus.heartbeat import HeartbeatWatch
from hardware.fieldbus.registers import Coil, Control, Status


@dataclass(frozen=True, slots=True)
class OpenPart:
    """A part whose trigger was acknowledged and that has no answer yet."""

    trigger: Trigger
    since: float
    """Monotonic seconds when the trigger can first have risen: our look before it."""


class Handshake:
    """All that vision must remember between two readings of the PLC."""

    def __init__(
        self,
        heartbeat_s: float,
        pass_deadline_s: float = 0.0,
        trigger_age_s: float = 0.0,
        pass_pulse_s: float = 0.0,
    ) -> None:
        """Times in seconds; 0 is no pass deadline, no limit of a trigger's age, no end of the
        pulse by itself.
        """
        self.watch = HeartbeatWatch(heartbeat_s)
        self.pass_deadline_s, self.trigger_age_s = pass_deadline_s, trigger_age_s
        self.pass_pulse_s, self._pulse_since, self._pulse_over = pass_pulse_s, 0.0, False
        self.plc: PlcBlock | None = None
        self.open: OpenPart | None = None
        self.counts = Counts()
        self.refused = 0
        """Triggers with id 0 or a repeated id."""
        self.stale = 0
        """Triggers found so late that their part may be gone."""
        self.error = self.line_stop = self.challenge = False
        self.recipe_acked: int | None = None
        self.recipe_refused: int | None = None
        self.withdrawn = 0
        """The part whose PASS was taken back and still stands in the PLC's words; 0: none."""
        self._last_id = self._stale_id = 0
        self._looked_at: float | None = None
        """When we asked for the last reading since the last trigger or connection; None
        before it. When its answer came says nothing: the PLC may have looked long before."""
        self._trigger_high = self._ack_high = False
        self._trig_ack = self._exposed = self._valid = self._passed = False
        self._missed_trigger = self._overrun = False

    # --- what happens -----------------------------------------------------------------

    def disconnected(self) -> None:
        """Nothing that we wrote counts any more, and the PLC must prove its life anew."""
        self.watch.reset()
        self._looked_at = None
        self._trig_ack = self._valid = self._passed = False

    def see(self, plc: PlcBlock, asked: float, now: float) -> Trigger | None:
        """A reading that was asked for and came at these monotonic seconds; a trigger that
        is to be taken, if any.
        """
        was_ready, before = self.ready, self._looked_at if self._fresh(now) else None
        self.plc, self._looked_at = plc, asked
        self.watch.see(plc.heartbeat, now)
        self._pulse_over = 0 < self.pass_pulse_s <= now - self._pulse_since
        self._see_acknowledge(plc.control)
        if Control.CLEAR_ERROR in plc.control:
            self.error = self._missed_trigger = self._overrun = False
        if self.reject_all:
            self.withdraw_pass()
        return self._see_trigger(plc, before, was_ready and self.ready)

    def abandon(self) -> bool:
        """Give up an unanswered part: the PLC rejects it at its deadline. True if any."""
        had, self.open = self.open is not None, None
        return had

    def expose(self) -> None:
        """The picture is taken: the part may move."""
        self._exposed = self.open is not None

    def answer(self, result: PartResult, now: float) -> ResultCode:
        """The code to write for the open part: a PASS that must not be given becomes LATE
        or NO_RESULT, because some PLCs look at the code alone.
        """
        code = result.code
        if code in (ResultCode.PASS, ResultCode.FAIL):
            self.error = False  # a real verdict proves that the whole chain works again
        if code is ResultCode.PASS and self.late(self.open, now):
            code = ResultCode.LATE
        if code is ResultCode.PASS and self.reject_all:
            code = ResultCode.NO_RESULT
        self.counts = self.counts.add(code)
        self._valid, self._passed = True, code is ResultCode.PASS
        self._pulse_since, self._pulse_over = now, False
        self.open, self.withdrawn = None, 0
        return code

    def late(self, part: OpenPart | None, now: float) -> bool:
        """A PASS for this part must not be given any more; None: it is not open at all."""
        return part is None or 0 < self.pass_deadline_s <= now - part.since

    def fail(self) -> None:
        """Safe state: until a real verdict or ClearError, every part is rejected."""
        self.error = True
        self.withdraw_pass()
        self._valid = False

    def withdraw_pass(self) -> None:
        """Take a PASS back that is none any more."""
        if self._passed:
            self._valid = self._passed = False
            self.withdrawn = self._last_id

    # --- what follows from it ---------------------------------------------------------

    @property
    def released(self) -> bool:
        """The last answer stands and lets its part go."""
        return self._passed

    @property
    def reject_all(self) -> bool:
        """No part may pass now."""
        wished = self.plc is None or Control.REJECT_ALL_REQUEST in self.plc.control
        return self.error or not self.watch.alive or wished

    @property
    def ready(self) -> bool:
        """A trigger would be taken."""
        plc = self.plc
        if plc is None or not self.watch.alive or self.open is not None:
            return False
        if self._looked_at is None:  # a trigger raised while we were busy is not ours
            return False
        return Control.TRIG_ENABLE in plc.control and plc.recipe_id != self.recipe_refused

    def status(self) -> Status:
        """The STATUS word."""
        bits = {
            Status.TRIG_READY: self.ready,
            Status.TRIG_ACK: self._trig_ack,
            Status.BUSY: self.open is not None,
            Status.EXPOSURE_COMPLETE: self._exposed,
            Status.RESULT_VALID: self._valid,
            Status.PASS: self._passed,
            Status.FAIL: self._valid and not self._passed,
            Status.ERROR: self.error,
            Status.MISSED_TRIGGER: self._missed_trigger,
            Status.BUFFER_OVERRUN: self._overrun,
            Status.REJECT_ALL_ACTIVE: self.reject_all,
            Status.LINE_STOP_REQUEST: self.line_stop,
            Status.MODEL_OK: self.recipe_acked is not None and not self.error,
            Status.RECIPE_ACK: self.plc is not None and self.recipe_acked == self.plc.recipe_id,
            Status.CHALLENGE_REQUEST: self.challenge,
        }
        word = sum(bit.value for bit, is_on in bits.items() if is_on)
        return Status(word) | Status.ONLINE

    def coils(self) -> tuple[bool, ...]:
        """The fail-safe coils in the order of Coil."""
        works = self.watch.alive and not self.error
        on = {
            Coil.PASS_PULSE: self._passed and not self._pulse_over,
            Coil.LINE_PERMIT: works and not self.line_stop,
            Coil.VISION_OK: works,
            Coil.PASS_ENABLED: not self.reject_all,
        }
        return tuple(on[coil] for coil in Coil)

    def view(self) -> PlcView | None:
        """What the PLC last said; None before the first reading."""
        plc = self.plc
        if plc is None:
            return None
        return PlcView(
            mode=plc.mode,
            state=plc.state,
            heartbeat_alive=self.watch.alive,
            heartbeat_lost=self.watch.lost,
            confirmed_id=plc.confirmed_id,
            reject_faults=plc.reject_faults,
            consecutive_rejects=plc.consecutive_rejects,
            line_speed_mm_s=plc.line_speed_mm_s,
            recipe_id=plc.recipe_id,
            refused=self.refused,
            stale=self.stale,
        )

    # --- one reading ------------------------------------------------------------------

    def _see_acknowledge(self, control: Control) -> None:
        """Only the rising edge counts: a level may still belong to the part before."""
        high = Control.RESULT_ACK in control
        if high and not self._ack_high:
            self._valid = self._passed = False
        self._ack_high = high

    def _see_trigger(
        self, plc: PlcBlock, before: float | None, is_ready: bool
    ) -> Trigger | None:
        high = Control.TRIGGER in plc.control
        rising, self._trigger_high = high and not self._trigger_high, high
        if not high:
            self._trig_ack, self._stale_id = False, 0
            return None
        if plc.part_id in (0, self._last_id):
            self._refuse(rising)
            return None
        if plc.part_id == self._stale_id:
            return None
        if before is None or not is_ready:  # by the time we are ready this part may be gone
            self._stale_id = plc.part_id
            self.stale += before is None
            self._miss()
            return None
        return self._take(plc, before)

    def _refuse(self, rising: bool) -> None:
        if rising:  # the level of a part already taken is no fault
            self.refused += 1
            self._miss()

    def _miss(self) -> None:
        """Another part is there, and the last one's PASS is none of it."""
        self._missed_trigger = True
        self.withdraw_pass()

    def _take(self, plc: PlcBlock, since: float) -> Trigger:
        trigger = Trigger(
            part_id=plc.part_id,
            encoder=plc.encoder,
            recipe_id=plc.recipe_id,
            batch=plc.batch,
            challenge=Control.CHALLENGE_MODE in plc.control,
            since=since,
        )
        self._overrun = self._overrun or self._valid  # the last result was never fetched
        self._valid = self._passed = self._exposed = False
        self._last_id, self._trig_ack, self._looked_at = plc.part_id, True, None
        self.open = OpenPart(trigger, since)
        return trigger

    def _fresh(self, now: float) -> bool:
        """A trigger found now is young: we looked a moment ago, and it was not there."""
        if self._looked_at is None:
            return False
        return self.trigger_age_s <= 0 or now - self._looked_at <= self.trigger_age_s
