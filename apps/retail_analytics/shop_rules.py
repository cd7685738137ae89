"""The rules of a shop: each camera's own, side by side. Pure, as they are.

What one camera sees changes nothing of what another has seen: people are never followed
from camera to camera.
"""

from collections.abc import Iterable, Mapping

from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import Counting, QueueRules
from apps.retail_analytics.decide import CameraState, Rules, scene_of
from apps.retail_analytics.domain import Decision, View
from common.pipeline import Fault

ShopState = Mapping[str, CameraState]
"""By camera."""


class ShopRules:
    """decide(state, view or fault) for all cameras of a station."""

    def __init__(
        self, cameras: Iterable[CameraSettings], counting: Counting, queue: QueueRules
    ) -> None:
        self._counting, self._queue = counting, queue
        self._rules = {camera.name: self._of(camera) for camera in cameras}

    def __call__(self, state: ShopState, percept: View | Fault) -> tuple[ShopState, Decision]:
        """What one view adds, and what is remembered for the next."""
        name = camera_of(percept)
        if name not in self._rules:  # not even known which camera: nothing was observed
            reason = percept.cause if isinstance(percept, Fault) else percept.reason
            return state, Decision(name, 0.0, 0.0, usable=False, reason=f"fault: {reason}")
        after, decision = self._rules[name](state.get(name, CameraState()), percept)
        return {**state, name: after}, decision

    def change(self, camera: CameraSettings) -> None:
        """Judge one camera by another set-up; its state is to be forgotten."""
        self._rules[camera.name] = self._of(camera)

    def _of(self, camera: CameraSettings) -> Rules:
        return Rules(scene_of(camera), self._counting, self._queue)


def camera_of(percept: View | Fault) -> str:
    """Whose it is; "" where a fault does not tell."""
    if isinstance(percept, View):
        return percept.camera
    return (percept.sample_id or "").rpartition("/")[0]
