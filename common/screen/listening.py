"""What a station last said: read from its file, or asked of the station itself.

A station writes its state into its file about twice a second, where a commit may wait a second
for company, and holds it in memory for its API. Where the file is a little behind the screen
asks the API; where it is late or cannot be read (a full disk: the station lives but cannot
write) it also says that it did. Only when both are silent is the station silent.
"""

import math
import os
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from common.screen.document import Document
from common.screen.freshness import Freshness
from common.screen.language import tr
from common.screen.station_file import Reading, StationUnreadable, find_stations, read_station

ASK_TIMEOUT_S = 0.3
ASK_AGAIN_S = 0.4
"""How long an answer serves every browser; half a refresh."""
PORTS = "LINESIDE_API_PORTS"
"""Ports of stations whose file cannot even say that: "press-1=8101 ward-1=8102"."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One station as it was heard at one moment."""

    path: Path
    word: Document
    """Its state; empty when it has not said anything, or cannot be read."""
    freshness: Freshness
    trouble: str = ""
    """Why this comes from the station itself and not from its file, or not at all."""
    asked: bool = False
    """Whether `word` is the API's answer because the file is late or cannot be read."""
    reading: Reading | None = None
    """The records that were asked for; None when the file cannot be read."""

    @property
    def name(self) -> str:
        """The station's name: that of its folder."""
        return self.path.parent.name

    @property
    def port(self) -> int | None:
        """Where its API listens."""
        return port_of(self.name)


def hear(path: Path, kind: str = "", limit: int = 0, now: float | None = None) -> Heard:
    """A station now, with its newest `limit` records of a kind."""
    now = time.time() if now is None else now
    name = path.parent.name
    try:
        reading = read_station(path, kind, limit)
    except StationUnreadable as error:
        return _asked(Heard(path, Document(), _freshness(Document(), now), str(error)), now)
    word = reading.snapshot
    _remember(name, word)
    heard = Heard(path, word, _freshness(word, now), reading=reading)
    if not heard.freshness.stale:
        return heard
    if word and not heard.freshness.late:  # a commit that waits is nothing to tell
        return replace(_asked(heard, now), asked=False)
    late = tr("its file is late: {sentence}", sentence=heard.freshness.tag)
    told = late if word else tr("it has not said anything yet")
    return _asked(replace(heard, trouble=told), now)


def hear_all(var: Path) -> tuple[Heard, ...]:
    """Every station of this machine, by name; also one whose file is no longer there."""
    now = time.time()
    _seen.update(find_stations(var))
    paths = sorted(path for path in tuple(_seen) if path.parent.parent == var)
    return tuple(hear(path, now=now) for path in paths)


def _freshness(word: Document, now: float) -> Freshness:
    wall = word.number("wall_time")
    return Freshness(now - wall if wall is not None else float("nan"))


def _asked(heard: Heard, now: float) -> Heard:
    """The same, with what the station itself says where that is newer."""
    if heard.port is None:
        return heard
    word = _answers.ask(heard.name, heard.port)
    told, written = word.number("wall_time"), heard.word.number("wall_time")
    if told is None or (written is not None and told <= written):
        return heard
    return replace(heard, word=word, freshness=_freshness(word, now), asked=True)


# ------------------------------------------------------------------ of the whole process


_ports: dict[str, int] = {}
_seen: set[Path] = set()
"""Files of stations. One that goes, as with a disk that is unmounted, is no empty plant."""


def port_of(name: str) -> int | None:
    """Where the API of a station listens, as it last said or a setting names."""
    return _ports.get(name)


def _remember(name: str, word: Document) -> None:
    port = word.whole("api_port")
    if port is not None:
        _ports[name] = port


def know_ports(text: str) -> None:
    """Take the ports that a setting names: "name=port name=port"."""
    for entry in text.split():
        name, _, port = entry.partition("=")
        if port.isdecimal():
            _ports.setdefault(name, int(port))


know_ports(os.environ.get(PORTS, ""))


class _Answers:
    """What APIs said of late: ten browsers ask a station once."""

    def __init__(self) -> None:
        self._mutexes: defaultdict[tuple[str, int], threading.Lock] = defaultdict(
            threading.Lock
        )
        self._known: dict[tuple[str, int], tuple[float, Document]] = {}

    def ask(self, name: str, port: int) -> Document:
        """The state that the station gives; empty when it does not answer."""
        key = (name, port)
        with self._mutexes[key]:  # one that hangs holds up nobody who asks another
            asked_at, word = self._known.get(key, (-math.inf, Document()))
            if time.monotonic() - asked_at > ASK_AGAIN_S:
                word = Document(self._get(port))
                if word.text("station") != name:  # another process on that port
                    word = Document()
                self._known[key] = time.monotonic(), word
            return word

    def _get(self, port: int) -> Any:
        if not 1024 <= port <= 65535:
            return None
        try:
            reply = httpx.get(
                f"http://127.0.0.1:{port}/state", timeout=ASK_TIMEOUT_S, trust_env=False
            )
            return reply.json()
        except (httpx.HTTPError, ValueError):
            return None


_answers = _Answers()
