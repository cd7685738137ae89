"""A recording of HL7 messages, played at its own pace into the same desk as the network.

The file holds MLLP frames as they were on the wire, or messages one after the other, each
beginning with MSH on a line of its own.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from common.config import setting
from common.errors import ConfigError
from common.ports import Clock

MOST_BYTES = 500_000_000
LONGEST_PAUSE_S = 60.0
_BEGIN = re.compile(rb"(?:^|(?<=[\r\n\x0b]))MSH")
_TIME = re.compile(rb"(\d{14})(\.\d{1,6})?")
Take = Callable[[bytes], object]


@dataclass(frozen=True)
class Hl7FileSettings:
    """What to play."""

    file: Path = setting()


class Hl7File:
    """Plays the recording once, in a thread of its own."""

    def __init__(self, settings: Hl7FileSettings, take: Take, clock: Clock) -> None:
        self.name, self.wrong = f"replay of {settings.file.name}", ""
        try:
            if settings.file.stat().st_size > MOST_BYTES:
                raise ConfigError(f"{settings.file}: more than {MOST_BYTES} bytes")
            self._messages = messages(settings.file.read_bytes())
        except OSError as error:
            raise ConfigError(f"{settings.file}: cannot be read ({error.strerror})") from error
        if not self._messages:
            raise ConfigError(f"{settings.file}: there is no HL7 message in it")
        self._take, self._clock, self._stop = take, clock, threading.Event()
        self._thread = threading.Thread(target=self._play, name="replay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop playing."""
        self._stop.set()
        self._thread.join(5)

    def _play(self) -> None:
        first, began = None, self._clock.monotonic()
        for message in self._messages:
            sent = _sent(message)
            if sent is not None:
                first = sent if first is None else first
                wait = began + (sent - first) - self._clock.monotonic()
                if self._stop.wait(min(max(wait, 0.0), LONGEST_PAUSE_S)):
                    return
            self._take(message)
        self.wrong = "the recording has ended"


def messages(data: bytes) -> list[bytes]:
    """The messages of a recording, without frames."""
    begins = [found.start() for found in _BEGIN.finditer(data)]
    ends = [*begins[1:], len(data)][: len(begins)]
    found = (
        data[a:b].split(b"\x1c")[0].strip(b"\x0b\r\n ")
        for a, b in zip(begins, ends, strict=True)
    )
    return [re.sub(rb"[\r\n]+", b"\r", one) + b"\r" for one in found]


def _sent(message: bytes) -> float | None:
    fields = message.split(b"\r", 1)[0].split(message[3:4])
    found = _TIME.match(fields[6]) if len(fields) > 6 else None
    if not found:
        return None
    try:
        moment = datetime.strptime(found[1].decode() + "+0000", "%Y%m%d%H%M%S%z")
    except ValueError:
        return None
    return moment.timestamp() + float(found[2] or 0)
