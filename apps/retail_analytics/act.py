"""From decisions to people: staff is called to a queue, and told when it is enough.

The call is an alarm (see alarms.toml): it is heard, acknowledged and passed on like any
other, over MQTT and the webhook where these are on. Safe state: a call that stands goes on
standing, and no queue that is not seen ends one.
"""

from collections.abc import Callable

from apps.retail_analytics.domain import Decision
from common.pipeline import Fault


class Act:
    """Keeps which queues staff is called to."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self.calls: dict[str, dict[str, float]] = {}
        """Camera → queue's zone → since when (UTC, s)."""

    def __call__(self, decision: Decision) -> None:
        """Take calls up and end them."""
        for call in decision.calls:
            standing = self.calls.setdefault(decision.camera, {})
            if call.wanted:
                standing.setdefault(call.zone, self._wall())
            else:
                standing.pop(call.zone, None)

    def safe_state(self, fault: Fault) -> None:
        """Nothing is known: what stands stands; never raises."""
        del fault

    def forget(self, camera: str) -> None:
        """Its queues were drawn anew: they call again when they are long."""
        self.calls.pop(camera, None)

    def called(self, camera: str) -> tuple[str, ...]:
        """The queues of one camera that staff is called to."""
        return tuple(sorted(self.calls.get(camera, ())))
