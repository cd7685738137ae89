"""The outbox leaves by HTTP POST, for an MES: one event a request, in order.

The event's id goes along as Idempotency-Key, so that a request sent twice is booked once.
"""

from dataclasses import dataclass, replace

from common.config import setting
from common.store import Store
from common.telemetry.courier import TAKEN, Answer, BackOffSettings, Courier
from common.telemetry.drain import Verdict
from common.telemetry.event import EVENT_TYPE, Event
from common.telemetry.http_post import HttpPost, HttpSettings
from common.telemetry.outbox import WEBHOOK

FORBIDDEN = 403
NOT_THE_EVENT = (401, FORBIDDEN, 407, 408, 429)
"""Who we are is not taken, or now is no time: the event itself is not refused."""


@dataclass(frozen=True)
class WebhookSettings(HttpSettings):
    """Where to post, and how long to wait after a failure."""

    back_off_base_s: float = setting(1.0, low=0.01, high=60.0, unit="s")
    back_off_cap_s: float = setting(300.0, low=0.1, high=3600.0, unit="s")


class Webhook(Courier[Event]):
    """One station's way to its MES; raises ConfigError for unusable TLS files."""

    def __init__(self, store: Store, settings: WebhookSettings, sink: str = WEBHOOK) -> None:
        back_off = BackOffSettings(settings.back_off_base_s, settings.back_off_cap_s)
        super().__init__(store, sink, Posted(settings), back_off)


class Posted:
    """Takes events as they are (common.telemetry.courier.Receiver)."""

    def __init__(self, settings: HttpSettings) -> None:
        self.name, self._server = settings.url, HttpPost(settings)

    def render(self, event: Event) -> Event:
        """The event itself."""
        return event

    def send(self, message: Event) -> Answer:
        """Post it, and judge by the status."""
        headers = {"Content-Type": EVENT_TYPE, "Idempotency-Key": message.id}
        response = self._server.post(message.encode(), headers)
        if isinstance(response, Answer):
            return response
        verdict = judge_status(response.status_code)
        if verdict is Verdict.LATER:
            put_off = self._server.put_off(response)
            forbidden = response.status_code == FORBIDDEN  # us, or this event alone
            return replace(put_off, answered=put_off.answered or forbidden)
        return (
            TAKEN
            if verdict is Verdict.DELIVERED
            else Answer(verdict, self._server.status(response))
        )

    def probe(self) -> None:
        """The next event tells."""

    def close(self) -> None:
        """End the connections."""
        self._server.close()


def judge_status(code: int) -> Verdict:
    """The meaning of an HTTP status for the event that was posted."""
    if 200 <= code < 300:
        return Verdict.DELIVERED
    if 400 <= code < 500 and code not in NOT_THE_EVENT:
        return Verdict.NEVER
    return Verdict.LATER
