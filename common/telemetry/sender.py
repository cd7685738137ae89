"""What an uplink does while it is connected: batches out, answers and receipts in.

A PUBACK that says success frees the window. The row itself goes only with the collector's
receipt, or at once where the settings say `durable_on = "puback"`. What is refused for good
becomes a dead letter; all else is sent again.
"""

from dataclasses import dataclass
from datetime import datetime

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from common.errors import LinesideError
from common.telemetry.back_off import BackOff
from common.telemetry.chooser import Chooser, Load
from common.telemetry.drain import Drain, Verdict
from common.telemetry.event import encode_batch
from common.telemetry.lanes import LANES, Kind, Lane
from common.telemetry.mqtt_client import RECEIPT, UplinkSettings, publish_properties
from common.telemetry.mqtt_reasons import BAD_PAYLOAD, MESSAGE_TO_BLAME, judge
from common.telemetry.notices import Notices
from common.telemetry.outbox_rows import Row
from common.telemetry.receipt import Receipt
from common.telemetry.topics import Identity
from common.telemetry.unreceipted import Unreceipted

OVERHEAD_BYTES = 512
"""Of a PUBLISH around its payload, without the topic: header, properties."""
SILENT_S = 10.0
"""A collector that needs so long is said to be silent."""
MOST_BYTES = 1 << 28
"""Of an MQTT packet."""


class NoLongerFits(LinesideError):
    """The broker now takes less than what is under way; it has to be cut anew."""


@dataclass(slots=True)
class _Flight:
    """A batch under way."""

    load: Load
    size: int
    """Bytes."""
    sent_at: float


class Sender:
    """Keeps the window full. All times are monotonic seconds of the process."""

    def __init__(self, drain: Drain, identity: Identity, settings: UplinkSettings) -> None:
        self._drain, self._settings = drain, settings
        base, cap = settings.back_off_base_s, settings.back_off_cap_s
        self._lanes = [Lane(leaf, identity.topic(leaf), BackOff(base, cap)) for leaf in LANES]
        self._overhead = OVERHEAD_BYTES + max(len(lane.topic.encode()) for lane in self._lanes)
        self._flights: dict[int, _Flight] = {}
        self._window, self._receive, self._max_packet = settings.window, settings.window, 0
        self._unreceipted = Unreceipted(
            settings.receipt_timeout_s, settings.receipt_timeout_cap_s
        )
        self._chooser = Chooser(drain, self._unreceipted, settings)
        self.notices = Notices()

    @property
    def quiet(self) -> bool:
        """Whether all that was sent has been answered."""
        return not self._flights and self.notices.quiet

    @property
    def unreceipted(self) -> int:
        """Events sent and not confirmed by a collector yet."""
        return self._unreceipted.count

    def trouble(self, now: float, wall: float) -> str:
        """Why something does not get through although there is a connection."""
        told = next((lane.trouble for lane in self._lanes if lane.trouble), "")
        return told or self._drain.trouble or self._silence(now, wall)

    def _silence(self, now: float, wall: float) -> str:
        since, count = self._unreceipted.since, self._unreceipted.count
        if since is None or not (self._unreceipted.late or now - since > SILENT_S):
            return ""
        at = datetime.fromtimestamp(wall - (now - since)).astimezone()
        today = datetime.fromtimestamp(wall).astimezone().date()
        when = f"{at:%H:%M}" if at.date() == today else f"{at:%Y-%m-%d %H:%M}"
        pause = ": sending pauses" if self._chooser.full else ""
        return f"no collector has confirmed {count} events since {when}{pause}"

    def begin(self, limits: Properties | None, now: float) -> None:
        """A connection stands, with the broker's limits; raises NoLongerFits.

        Batches still under way are sent again by paho, as MQTT demands of a session.
        """
        self._receive = int(getattr(limits, "ReceiveMaximum", 65_535))
        self._window = max(1, min(self._settings.window, self._receive - 1))
        self._max_packet = int(getattr(limits, "MaximumPacketSize", 0))
        largest = max((flight.size for flight in self._flights.values()), default=0)
        if len(self._flights) > self._window or self._places < 0 or not self._fits(largest):
            raise NoLongerFits("the broker's limits have become smaller: sending anew")
        for flight in self._flights.values():
            flight.sent_at = now
        for lane in self._lanes:
            lane.begin(now)
        most_bytes = (
            max(1, self._max_packet - self._overhead) if self._max_packet else MOST_BYTES
        )
        self.notices.most_bytes = most_bytes
        self._chooser.begin(self._window, most_bytes, now)

    @property
    def _places(self) -> int:
        """How many more messages the broker takes before it must answer."""
        return self._receive - len(self._flights) - self.notices.under_way

    def _fits(self, size: int) -> bool:
        return not self._max_packet or size + self._overhead <= self._max_packet

    def ground(self, code: int | None = None) -> None:
        """Put back all that is under way, to be sent by another client.

        `code` is that of the broker's DISCONNECT: where a message is to blame, each row
        goes by itself from now on, until the one is found.
        """
        rows = [row for flight in self._flights.values() for row in flight.load.rows]
        self._flights.clear()
        self.notices.ground()
        if code in MESSAGE_TO_BLAME and len(rows) == 1:
            self._refuse(rows, f"the broker disconnects on it (0x{code:02X})")
        else:
            self._put_back(rows, alone=code in MESSAGE_TO_BLAME)

    def overdue(self, now: float) -> bool:
        """Whether a batch has waited too long for its answer."""
        oldest = min((flight.sent_at for flight in self._flights.values()), default=now)
        return now - oldest > self._settings.ack_timeout_s

    def pump(self, client: Client, now: float) -> None:
        """Send what there is and the window allows: events before telemetry."""
        self.post(client)
        self._chooser.look(now)
        window = 1 if self._drain.suspicious else self._window
        for lane in self._lanes:
            while lane.open(now) and len(self._flights) < window and self._places > 0:
                load = self._chooser.next(lane, self._patient, now)
                if load is None or not self._publish(client, load, now):
                    break

    def post(self, client: Client) -> None:
        """Send the station's own next message, if there is a place."""
        if self._places > 0:
            self.notices.send(client)

    @property
    def _patient(self) -> int:
        """Batches under way that could have waited."""
        return sum(not flight.load.urgent for flight in self._flights.values())

    def _publish(self, client: Client, load: Load, now: float) -> bool:
        """Whether the rows are settled or under way; else they are put back."""
        encoded = encode_batch([row.payload for row in load.rows])
        size = len(encoded.body)
        if not self._fits(size):  # one row by itself: more were not taken together
            self._refuse(load.rows, f"{size} bytes, the broker takes {self._max_packet}")
            return True
        properties = publish_properties(
            encoded.content_type,
            encoded.encoding,
            expiry_s=0 if load.lane.urgent else self._settings.telemetry_expiry_s,
            backlog=load.kind is not Kind.LIVE,
        )
        info = client.publish(load.lane.topic, encoded.body, qos=1, properties=properties)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # no packet id is free
            self._put_back(load.rows)
            return False
        # Also when the connection just broke: paho sends it after the next CONNACK.
        self._flights[info.mid] = _Flight(load, size, now)
        if load.kind is not Kind.LIVE:
            self._chooser.pace.spend()
        return True

    def answered(self, mid: int, code: ReasonCode, now: float) -> None:
        """A PUBACK has come."""
        flight = self._flights.pop(mid, None)
        if flight is None:
            self.notices.answered(mid, code)
            return
        self._chooser.pace.answered(flight.sent_at, now)
        verdict, lane = judge(code.value), flight.load.lane
        if verdict is Verdict.DELIVERED:
            self._delivered(flight.load, now)
        elif verdict is Verdict.NEVER:
            self._never(flight.load, code)
        elif verdict is Verdict.UNHEARD:
            self._later(flight.load, f"nobody subscribes to {lane.topic}: kept", now)
        else:
            self._later(flight.load, f"the broker delays: {code}", now)

    def _delivered(self, load: Load, now: float) -> None:
        load.lane.delivered()
        if self._settings.durable_on == RECEIPT:
            self._unreceipted.accepted(load.rows, now)
        else:
            self._drain.confirmed(self._unreceipted.settled(load.rows))

    def _never(self, load: Load, code: ReasonCode) -> None:
        if code.value == BAD_PAYLOAD and len(load.rows) > 1:
            self._put_back(load.rows, alone=True)  # one of them, not all
            return
        load.lane.trouble = f"the broker refuses events for good: {code}"
        self._refuse(load.rows, f"{code} (0x{code.value:02X})")

    def _later(self, load: Load, trouble: str, now: float) -> None:
        self._put_back(load.rows)
        load.lane.pause(trouble, now)

    def receipted(self, receipt: Receipt) -> None:
        """A collector has committed these; it may say so before the broker's PUBACK."""
        self._drain.confirmed(self._unreceipted.confirmed(receipt))

    def replay(self, asked: Receipt) -> None:
        """Send again now, of these, what waits for its receipt."""
        self._drain.again(self._unreceipted.asked_again(asked))

    def _put_back(self, rows: list[Row], *, alone: bool = False) -> None:
        self._drain.put_back(self._unreceipted.withdraw(rows), alone=alone)

    def _refuse(self, rows: list[Row], reason: str) -> None:
        self._drain.refused(self._unreceipted.withdraw(rows), reason)
