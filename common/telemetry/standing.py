"""How the uplink fares, in words for a screen: at most a second or so old."""

import logging
import sqlite3
import time
from dataclasses import replace

from common.errors import LinesideError
from common.ports import Clock
from common.telemetry.drain import Drain, SinkState, sink_state
from common.telemetry.inbox import Inbox
from common.telemetry.sender import Sender

LOOK_S = 1.0
"""Between readings of the backlog."""
log = logging.getLogger("lineside.telemetry")


class Standing:
    """Made anew from what the parts say; written by the uplink's thread, read by any."""

    def __init__(self, clock: Clock, drain: Drain, sender: Sender, inbox: Inbox) -> None:
        self._clock, self._drain = clock, drain
        self._sender, self._inbox = sender, inbox
        self._look_at = 0.0
        self.state = SinkState(
            online=False, since=clock.wall(), reason="connecting",
            queued=0, oldest_age_s=None, dead=0, sent=0,
        )  # fmt: skip

    def look(self, now: float) -> None:
        """Read anew, now and then; `now` in monotonic seconds of the process."""
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self.say(online=self.state.online, reason=self.state.reason)

    def say(self, *, online: bool, reason: str = "") -> None:
        """The connection stands, or it does not for this `reason`."""
        try:
            self._drain.look()
        except (sqlite3.Error, LinesideError) as error:
            log.warning("uplink: the backlog cannot be read: %s", error)
        old = self.state
        if online != old.online or (reason != old.reason and not online):
            log.info("uplink %s %s", "online" if online else "offline", reason)
        since = old.since if online == old.online else self._clock.wall()
        text = self._trouble() if online else reason
        state = sink_state(self._clock, self._drain, online=online, since=since, reason=text)
        self.state = replace(
            state, unreceipted=self._sender.unreceipted, refused=self._inbox.refused
        )

    def _trouble(self) -> str:
        told = self._sender.trouble(time.monotonic(), self._clock.wall())
        return self._inbox.trouble or told
