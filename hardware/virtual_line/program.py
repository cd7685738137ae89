"""What a PLC does in one scan of an inspection cell: the program of the virtual PLC.

No clock and no network: eyes, encoder and vision's registers go in, its own registers, belt
and gate come out. Positive release: the gate opens for a part only on a valid PASS that
came in time and bears the part's id twice; anything else is a reject.
"""

from dataclasses import dataclass

from common.part_ids import next_id
from hardware.fieldbus.blocks import PlcBlock, VisionBlock
from hardware.fieldbus.heartbeat import HeartbeatWatch
from hardware.fieldbus.registers import Control, RejectFault, Status
from hardware.virtual_line.conveyor import LineSettings
from hardware.virtual_line.handshake import Handshake
from hardware.virtual_line.packml import ENABLED, Command, LineState, Stop
from hardware.virtual_line.tracking import Record, ShiftRegister

_CLEAR_ERROR_S = 0.1
"""RESET holds ClearError this long: many readings of vision."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the PLC sees at the start of a scan."""

    encoder: int
    parts_at_camera: int
    confirm_pulses: int
    vision: VisionBlock
    bin_full: bool = False
    frozen: bool = False
    """The heartbeat stands still."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the PLC sets at the end of a scan."""

    block: PlcBlock
    run_belt: bool
    release: bool
    new_ids: tuple[int, ...] = ()
    """Ids given to the parts that came to the camera."""


class PlcProgram:
    """The scan cycle; its clock is the number of scans."""

    def __init__(self, line: LineSettings) -> None:
        self.settings = line
        self.time = 0.0
        self.line = LineState()
        self.tracking = ShiftRegister(line)
        self.handshake = Handshake(line)
        self._watch = HeartbeatWatch(line.heartbeat_s)
        self._heartbeat, self._beat_at = 0, line.heartbeat_s
        self._last_id = 0
        self._clear_error_until = 0.0

    def command(self, command: Command) -> None:
        """An operator's command, carried out in the next scan."""
        if command is Command.RESET:
            self.tracking.reset()
            self._clear_error_until = self.time + _CLEAR_ERROR_S
        self.line.command(command)

    def scan(self, inputs: Inputs) -> Outputs:
        """One cycle: look, decide, set."""
        self.time += self.settings.scan_s
        self._beat(inputs.frozen)
        vision, tracking = inputs.vision, self.tracking
        alive = self._watch.see(vision.heartbeat, self.time)
        ready = alive and Status.TRIG_READY in vision.status  # else the first part is missed
        self.line.scan(self._stop_causes(inputs), may_start=ready)
        self.handshake.read(vision, tracking, self.time)
        new_ids = tuple(self._enter(inputs) for _ in range(inputs.parts_at_camera))
        release = tracking.gate(inputs.encoder, self._reject_all(vision))
        tracking.see_confirm(inputs.encoder, inputs.confirm_pulses)
        block = self._block(inputs)
        return Outputs(block, self.line.is_running, release, new_ids)

    def _beat(self, frozen: bool) -> None:
        if self.time >= self._beat_at and not frozen:
            self._heartbeat = (self._heartbeat + 1) & 0xFFFF
            self._beat_at = self.time + self.settings.heartbeat_s

    def _enter(self, inputs: Inputs) -> int:
        self._last_id = next_id(self._last_id)
        record = Record(self._last_id, inputs.encoder, self.time)
        self.tracking.add(record)
        self.handshake.offer(record, inputs.vision)
        return self._last_id

    def _reject_all(self, vision: VisionBlock) -> bool:
        return not self._watch.alive or Status.REJECT_ALL_ACTIVE in vision.status

    def _stop_causes(self, inputs: Inputs) -> Stop:
        line, tracking = self.settings, self.tracking
        silent = not self._watch.alive
        causes = {
            Stop.CONSECUTIVE_REJECTS: 0 < line.consecutive_limit <= tracking.consecutive,
            Stop.CONFIRM_MISSING: tracking.is_confirm_missing,
            Stop.TRACK_LOST: tracking.is_track_lost,
            Stop.BIN_FULL: inputs.bin_full,
            Stop.VISION_LOST: silent and self._watch.silent_s(self.time) > line.vision_stop_s,
            Stop.VISION_REQUEST: not silent
            and Status.LINE_STOP_REQUEST in inputs.vision.status,
        }
        return Stop(sum(cause.value for cause, is_so in causes.items() if is_so))

    def _block(self, inputs: Inputs) -> PlcBlock:
        hand, tracking = self.handshake, self.tracking
        faults = {
            RejectFault.BIN_FULL: inputs.bin_full,
            RejectFault.CONFIRM_MISSING: tracking.is_confirm_missing,
            RejectFault.TRACK_LOST: tracking.is_track_lost,
        }
        return PlcBlock(
            heartbeat=self._heartbeat,
            state=self.line.state.value,
            control=self._control(),
            part_id=hand.part_id,
            encoder=hand.encoder,
            recipe_id=self.settings.recipe_id,
            batch=self.settings.batch,
            confirmed_id=tracking.confirmed_id,
            reject_faults=sum(fault.value for fault, is_so in faults.items() if is_so),
            consecutive_rejects=tracking.consecutive,
            line_speed_mm_s=self.settings.speed_mm_s * self.line.is_running,
        )

    def _control(self) -> Control:
        bits = {
            Control.TRIG_ENABLE: self.line.state in ENABLED,
            Control.TRIGGER: self.handshake.trigger,
            Control.RESULT_ACK: self.handshake.acknowledge,
            Control.CLEAR_ERROR: self.time < self._clear_error_until,
            Control.CHALLENGE_MODE: self.handshake.is_challenge,
        }
        return Control(sum(bit.value for bit, is_on in bits.items() if is_on))
