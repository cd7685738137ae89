"""From the PLC's trigger to a picture that is tied to its part."""

import logging
from collections import deque

from apps.defect_inspection.domain import Shot, sample_id
from common.errors import CameraError, PlcError
from common.part_ids import missed_ids
from common.pipeline import Fault
from common.ports import Camera, Clock, PartGate, Sample, Trigger

log = logging.getLogger(__name__)


class Sense:
    """Waits for a part and takes its picture.

    A part whose picture could not be taken, or that passed while nobody looked (a gap in
    the ids), comes out as a Fault with its id: no part is ever missing from the count.
    """

    def __init__(self, gate: PartGate, camera: Camera, clock: Clock) -> None:
        self._gate, self._camera, self._clock = gate, camera, clock
        self._last_id = 0
        self._sequence = 0
        self._waiting: deque[Sample[Shot] | Fault] = deque()

    def __call__(self, timeout_s: float) -> Sample[Shot] | Fault | None:
        """The next part; None when none came; raises PlcError when the PLC is away."""
        if not self._waiting:
            trigger = self._gate.wait_for_part(timeout_s)
            if trigger is None:
                return None
            missed = [self._missed(p) for p in missed_ids(self._last_id, trigger.part_id)]
            self._waiting.extend([*missed, self._shoot(trigger)])
            self._last_id = trigger.part_id
        return self._waiting.popleft()

    def _shoot(self, trigger: Trigger) -> Sample[Shot] | Fault:
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        if trigger.since is not None:  # the part's age counts from when it can first have come
            wall, monotonic = wall - (monotonic - trigger.since), trigger.since
        sample = self._sample_id(trigger.part_id, trigger.challenge)
        try:
            frame = self._camera.capture(trigger)
            self._gate.exposed()
        except (CameraError, PlcError) as error:
            return Fault("sense", error.device, str(error), sample, trigger)
        except Exception as error:  # whatever a driver raises, the part counts
            log.exception("the camera's driver failed")
            cause = f"{type(error).__name__}: {error}"
            return Fault("sense", self._camera.name, cause, sample, trigger)
        return Sample(sample, Shot(trigger, frame), self._sequence, wall, monotonic)

    def _missed(self, part_id: int) -> Fault:
        cause = "the part passed without a trigger that we saw"
        return Fault("sense", self._gate.name, cause, self._sample_id(part_id))

    def _sample_id(self, part_id: int, challenge: bool = False) -> str:
        self._sequence += 1
        return sample_id(self._sequence, part_id, challenge)
