"""Commands from afar: what may be asked over MQTT, by whom, and how it is proved.

A command comes on the station's topic `cmd/<name>`, QoS 1, as a JSON object:

    {"by": "control_room", "reason": "operator is at the gate",
     "time": "2026-01-01T12:00:00.000Z", "nonce": "6f1c…", "args": {"alarm_id": "plc_silent"},
     "mac": "9a51…"}

`mac` is HMAC-SHA256 in hex, keyed with the principal's secret, over the canonical JSON of
the object without `mac` but with "topic": so it serves for one station and one command.
The answer goes to the message's Response Topic, which is the station's `resp` or lies
below it, with its Correlation Data: {"result": …}, {"refused": "why"} or {"under_way":
"look …"} where it was begun and is not done yet.

`replay` asks for events once more: its args are what a receipt holds, {"<epoch>": [[first,
last], …]}, and its result is {"<epoch>": {"resent": n, "gone": [[first, last], …]}}, with no
more ranges than fit into a message: whoever misses some asks again. As it makes a station
send what it still holds and nothing else, `{"args": …}` alone will do where the settings say
`replay_unsigned`. All else a station does is asked of it on the spot. This module decides
and does nothing: no clock, no disk, no network.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.canonical import canonical_json, read_object
from common.config import setting
from common.errors import LinesideError

ACKNOWLEDGE, REPLAY = "acknowledge", "replay"
ALLOWED = (ACKNOWLEDGE, REPLAY)
MOST_BYTES = 64 << 10
"""Of a command; whoever asks for more events than fit asks again."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VALID_S = 300.0
"""How far a command's time may be from ours."""
MOST_NONCES = 1000
NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
NONCE = re.compile(r"[\x21-\x7e]{16,64}")
UNPROVEN = "unknown principal, or its signature is wrong"
"""The same words for both: who may ask is nobody's business who may not."""
MISSHAPEN = "is no JSON object of by, reason, time, nonce, args and mac"


class Refused(LinesideError):
    """A command from afar that is not carried out; the text says why."""


class UnderWay(LinesideError):
    """A command from afar that was begun, is not done yet and can no longer be stopped."""


@dataclass(frozen=True)
class CommandSettings:
    """Who may send commands from afar: principal → the file that holds its key."""

    acknowledge: dict[str, Path] = field(default_factory=dict)
    replay: dict[str, Path] = field(default_factory=dict)
    replay_unsigned: bool = setting(default=True)
    """Whether `replay` is taken from whoever the broker lets through."""
    replays_per_minute: int = setting(6, low=1, high=600)

    def __post_init__(self) -> None:
        for name in (*self.acknowledge, *self.replay):
            if not NAME.fullmatch(name):
                raise ValueError(f"principal {name!r}: 1 to 64 letters, digits, . _ or -")

    def keys_of(self, command: str) -> Mapping[str, Path]:
        """Principal → key file, for one command."""
        return {ACKNOWLEDGE: self.acknowledge, REPLAY: self.replay}[command]


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks, in a form that can be trusted to have that form."""

    name: str
    args: Mapping[str, Any]
    by: str = ""
    """The principal; "" where none is needed."""
    reason: str = ""
    time: str = ""
    nonce: str = ""

    @property
    def signed(self) -> bool:
        """Whether a principal stands for it."""
        return bool(self.by)


def seal(command: Command, topic: str, key: bytes) -> bytes:
    """The body of a command for `topic`, signed with `key`."""
    body = {
        "by": command.by,
        "reason": command.reason,
        "time": command.time,
        "nonce": command.nonce,
        "args": dict(command.args),
    }
    return canonical_json({**body, "mac": _mac(body, topic, key)}).encode()


def _mac(body: Mapping[str, Any], topic: str, key: bytes) -> str:
    sealed = canonical_json({**body, "topic": topic}).encode()
    return hmac.new(key, sealed, hashlib.sha256).hexdigest()


def read_command(
    name: str,
    topic: str,
    body: bytes,
    key_of: Callable[[str], bytes | None],
    *,
    unsigned: bool = False,
) -> Command:
    """The command in `body`, proved to come from its principal; raises Refused.

    `key_of` gives a principal's key for this command, None where it has none. With
    `unsigned` a body without `mac` is taken as nobody's.
    """
    values = _object(name, body)
    if unsigned and "mac" not in values:
        if set(values) != {"args"} or not isinstance(values["args"], dict):
            raise Refused(f'{name}: without a signature it is {{"args": …}} and nothing else')
        return Command(name, values["args"])
    command, mac = _shaped(name, values)
    key = key_of(command.by)
    del values["mac"]
    expected = _sealed(name, values, topic, key or b"")
    if not hmac.compare_digest(mac, expected) or not key:
        raise Refused(f"{name}: {UNPROVEN}")
    return command


def claimed(body: bytes) -> str:
    """Who a body says it comes from, proved or not; "unknown" where it says nothing fit."""
    try:
        by = read_object(body).get("by") if len(body) <= MOST_BYTES else None
    except (ValueError, RecursionError):
        by = None
    return by if isinstance(by, str) and NAME.fullmatch(by) else "unknown"


def _object(name: str, body: bytes) -> dict[str, Any]:
    if name not in ALLOWED:
        raise Refused(f"{name}: only on the station's own API")
    if len(body) > MOST_BYTES:
        raise Refused(f"{name}: {len(body)} bytes, {MOST_BYTES} allowed")
    try:
        return read_object(body)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name}: {MISSHAPEN}") from error


def _shaped(name: str, values: Mapping[str, Any]) -> tuple[Command, str]:
    if set(values) != {"by", "reason", "time", "nonce", "args", "mac"}:
        raise Refused(f"{name}: {MISSHAPEN}")
    *texts, args, mac = (
        values[key] for key in ("by", "reason", "time", "nonce", "args", "mac")
    )
    if not all(isinstance(text, str) for text in (*texts, mac)) or not isinstance(args, dict):
        raise Refused(f"{name}: {MISSHAPEN}")
    by, reason, time, nonce = texts
    if not NAME.fullmatch(by):
        raise Refused(f"{name}: {UNPROVEN}")
    if not 0 < len(reason.strip()) <= 500 or not reason.isprintable():
        raise Refused(f"{name}: reason must be a line of 1 to 500 characters")
    if not NONCE.fullmatch(nonce):
        raise Refused(f"{name}: nonce must be 16 to 64 visible characters")
    seconds(name, time)
    return Command(name, args, by, reason, time, nonce), mac if mac.isascii() else ""


def _sealed(name: str, values: Mapping[str, Any], topic: str, key: bytes) -> str:
    try:
        return _mac(values, topic, key)
    except (ValueError, RecursionError) as error:  # NaN, half a surrogate pair
        raise Refused(f"{name}: {MISSHAPEN}") from error


def seconds(name: str, iso: str) -> float:
    """A command's time as UTC, s since 1970; raises Refused."""
    try:
        moment = datetime.fromisoformat(iso[:40])
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(f"{name}: time must be like 2026-01-01T12:00:00.000Z")
    return (moment - EPOCH).total_seconds()


@dataclass(frozen=True)
class Nonces:
    """Which signed commands have been taken: a recorded one cannot be played again.

    Kept as long as a command's time would still pass; and what is forgotten leaves its time
    behind, so that nothing passes twice even when our clock is set back.
    """

    seen: Mapping[str, float] = field(default_factory=dict)
    """Principal and nonce → the command's time, UTC, s."""
    floor: float = 0.0
    """The newest time forgotten; nothing from then or before is taken."""

    def taking(self, command: Command, now: float) -> "Nonces":
        """What is known once `command` is taken at `now` (UTC, s); raises Refused."""
        name, time = command.name, seconds(command.name, command.time)
        if abs(time - now) > VALID_S:
            raise Refused(
                f"{name}: its time is {time - now:+.0f} s from the station's, "
                f"{VALID_S:.0f} s allowed: are the clocks set?"
            )
        mark = f"{command.by}/{command.nonce}"
        if mark in self.seen or time <= self.floor:
            raise Refused(f"{name}: it was sent before")
        kept = {known: at for known, at in self.seen.items() if at >= now - VALID_S}
        gone = (at for known, at in self.seen.items() if known not in kept)
        if len(kept) >= MOST_NONCES:
            raise Refused(f"{name}: too many commands, try again in a few minutes")
        return Nonces({**kept, mark: time}, max(self.floor, *gone, 0.0))

    def document(self) -> dict[str, Any]:
        """To be stored."""
        return {"seen": dict(self.seen), "floor": self.floor}

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> "Nonces":
        """As stored; with no document, nothing has been taken yet."""
        if document is None:
            return cls()
        seen = {str(mark): float(at) for mark, at in document["seen"].items()}
        return cls(seen, float(document["floor"]))


def answer(result: Any) -> bytes:
    """The body that says what came of a command."""
    try:
        return canonical_json({"result": result}).encode()
    except (TypeError, ValueError):
        return canonical_json({"result": str(result)}).encode("utf-8", "replace")


def refusal(reason: Exception) -> bytes:
    """The body that says why a command was not carried out, or is not yet."""
    word = "under_way" if isinstance(reason, UnderWay) else "refused"
    return json.dumps({word: str(reason)}).encode()
