"""What an uplink does while it is connected: batches out, answers in.

A row goes only when its batch was accepted and somebody subscribes; what is refused for
good becomes a dead letter; all else is sent again.
"""

from dataclasses import dataclass

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from common.errors import LinesideError
from common.telemetry.back_off import BackOff
from common.telemetry.drain import Drain, Taken, Verdict
from common.telemetry.event import encode_batch
from common.telemetry.mqtt_client import (
    BAD_PAYLOAD,
    MESSAGE_TO_BLAME,
    UplinkSettings,
    judge,
    publish_properties,
)
from common.telemetry.outbox_rows import Row
from common.telemetry.topics import Identity

LANES = {"events": ("alarm", "audit", "verdict"), "telemetry": ("metric", "sample")}
"""Topic → the classes it carries (DOMAIN F2)."""
OVERHEAD_BYTES = 1024
"""Of a PUBLISH around its payload: header, topic, properties, the array's commas."""


class NoLongerFits(LinesideError):
    """The broker now takes less than what is under way; it has to be cut anew."""


@dataclass(slots=True)
class _Flight:
    """A batch under way."""

    leaf: str
    rows: list[Row]
    size: int
    sent_at: float


class Sender:
    """Keeps the window full. All times are monotonic seconds of the process."""

    def __init__(self, drain: Drain, identity: Identity, settings: UplinkSettings) -> None:
        self._drain, self._identity, self._settings = drain, identity, settings
        self._flights: dict[int, _Flight] = {}
        self._window, self._max_packet = settings.window, 0
        self._tokens, self._filled_at = 0.0, 0.0
        base, cap = settings.back_off_base_s, settings.back_off_cap_s
        self._pauses = {leaf: BackOff(base, cap) for leaf in LANES}
        self._paused_until = dict.fromkeys(LANES, 0.0)
        self._troubles = dict.fromkeys(LANES, "")

    @property
    def trouble(self) -> str:
        """Why something does not get through although there is a connection."""
        return next((text for text in self._troubles.values() if text), "")

    @property
    def under_way(self) -> int:
        """Batches without an answer."""
        return len(self._flights)

    def begin(self, limits: Properties | None, now: float) -> None:
        """A connection stands, with the broker's limits; raises NoLongerFits.

        Batches still under way are sent again by paho, as MQTT demands of a session.
        """
        # One place is the status message's.
        receive = int(getattr(limits, "ReceiveMaximum", 65_535))
        self._window = max(1, min(self._settings.window, receive - 1))
        self._max_packet = int(getattr(limits, "MaximumPacketSize", 0))
        largest = max((flight.size for flight in self._flights.values()), default=0)
        if len(self._flights) > self._window or not self._fits(largest):
            raise NoLongerFits("the broker's limits have become smaller: sending anew")
        for flight in self._flights.values():
            flight.sent_at = now
        self._paused_until = dict.fromkeys(LANES, 0.0)
        self._tokens, self._filled_at = 1.0, now
        self._drain.restart(live_lane=True)

    def _fits(self, size: int) -> bool:
        return not self._max_packet or size + OVERHEAD_BYTES <= self._max_packet

    def ground(self, code: int | None = None) -> None:
        """Put back all that is under way, to be sent by another client.

        `code` is that of the broker's DISCONNECT: where a message is to blame, each row
        goes by itself from now on, until the one is found.
        """
        rows = [row for flight in self._flights.values() for row in flight.rows]
        self._flights.clear()
        if code in MESSAGE_TO_BLAME and len(rows) == 1:
            self._drain.refused(rows, f"the broker disconnects on it (0x{code:02X})")
        else:
            self._drain.put_back(rows, alone=code in MESSAGE_TO_BLAME)

    def overdue(self, now: float) -> bool:
        """Whether a batch has waited too long for its answer."""
        oldest = min((flight.sent_at for flight in self._flights.values()), default=now)
        return now - oldest > self._settings.ack_timeout_s

    def pump(self, client: Client, now: float) -> None:
        """Send what there is and the window allows: events before telemetry."""
        rate = self._settings.backlog_per_s
        self._tokens = min(max(1.0, rate), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        window = 1 if self._drain.suspicious else self._window
        for leaf, classes in LANES.items():
            while self._paused_until[leaf] <= now and len(self._flights) < window:
                taken, backlog = self._next(classes)
                if not taken.rows or not self._publish(
                    client, leaf, taken.rows, backlog=backlog, now=now
                ):
                    break

    def _next(self, classes: tuple[str, ...]) -> tuple[Taken, bool]:
        """What is new comes before what has waited; that is limited in its rate."""
        limit, limit_bytes = self._settings.batch_rows, self._settings.batch_bytes
        if self._max_packet:
            limit_bytes = min(limit_bytes, max(1, self._max_packet - OVERHEAD_BYTES))
        taken = self._drain.take(classes, limit, limit_bytes, live=True)
        if taken.rows or self._tokens < 1.0:
            return taken, False
        taken = self._drain.take(classes, limit, limit_bytes, live=False)
        self._tokens -= bool(taken.rows)
        return taken, True

    def _publish(
        self, client: Client, leaf: str, rows: list[Row], *, backlog: bool, now: float
    ) -> bool:
        """Whether the rows are settled or under way; else they are put back."""
        encoded = encode_batch([row.payload for row in rows])
        size = len(encoded.body)
        if not self._fits(size):  # one row by itself: more were not taken together
            self._drain.refused(rows, f"{size} bytes, the broker takes {self._max_packet}")
            return True
        properties = publish_properties(
            encoded.content_type,
            encoded.encoding,
            expiry_s=0 if leaf == "events" else self._settings.telemetry_expiry_s,
            backlog=backlog,
        )
        topic = self._identity.topic(leaf)
        info = client.publish(topic, encoded.body, qos=1, properties=properties)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # no packet id is free
            self._drain.put_back(rows)
            return False
        # Also when the connection just broke: paho sends it after the next CONNACK.
        self._flights[info.mid] = _Flight(leaf, rows, size, now)
        return True

    def answered(self, mid: int, code: ReasonCode, now: float) -> None:
        """A PUBACK has come; the status message's are not ours."""
        flight = self._flights.pop(mid, None)
        if flight is None:
            return
        verdict = judge(code.value)
        if verdict is Verdict.DELIVERED:
            self._delivered(flight)
        elif verdict is Verdict.NEVER:
            self._never(flight, code)
        else:
            self._later(flight, code, now, unheard=verdict is Verdict.UNHEARD)

    def _delivered(self, flight: _Flight) -> None:
        self._troubles[flight.leaf] = ""
        self._pauses[flight.leaf].reset()
        # With durable_on = "puback" the broker's word is enough. Another setting lets the
        # PUBACK free the window here and settles rows when the receipt arrives.
        self._drain.arrived(flight.rows)

    def _never(self, flight: _Flight, code: ReasonCode) -> None:
        if code.value == BAD_PAYLOAD and len(flight.rows) > 1:
            self._drain.put_back(flight.rows, alone=True)  # one of them, not all
            return
        self._troubles[flight.leaf] = f"the broker refuses events for good: {code}"
        self._drain.refused(flight.rows, f"{code} (0x{code.value:02X})")

    def _later(self, flight: _Flight, code: ReasonCode, now: float, *, unheard: bool) -> None:
        topic = self._identity.topic(flight.leaf)
        self._troubles[flight.leaf] = (
            f"nobody subscribes to {topic}: kept" if unheard else f"the broker delays: {code}"
        )
        self._drain.put_back(flight.rows)
        if self._paused_until[flight.leaf] <= now:  # one pause for all batches under way
            self._paused_until[flight.leaf] = now + self._pauses[flight.leaf].next()
