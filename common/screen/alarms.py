"""The alarms that stations say they have, as the screens list them. Pure.

Order: priority, the first-out of a group above what followed from it, then the older first.
Acknowledging changes no place, so that no row moves under a finger that is about to press.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from common.alarms.annunciation import Look, annunciation
from common.screen.alarm_details import detail_text
from common.screen.document import Document
from common.screen.language import alarm_text, mark, tr
from common.screen.palette import PRIORITIES

WAITING = ("UNACK", "LATCHED_UNACK", "RTNUN")
"""States that a person must acknowledge."""
WORDS = {
    "NORM": mark("normal"),
    "UNACK": mark("new"),
    "ACKED": mark("acknowledged"),
    "RTNUN": mark("gone, not acknowledged"),
    "LATCHED_UNACK": mark("gone but kept, not acknowledged"),
    "LATCHED_ACK": mark("gone but kept until reset"),
    "SHELVED": mark("shelved"),
    "SUPPRESSED_BY_DESIGN": mark("suppressed by design"),
    "OUT_OF_SERVICE": mark("out of service"),
}
GONE = ("RTNUN", "LATCHED_UNACK", "LATCHED_ACK")
HIDDEN = ("SHELVED", "SUPPRESSED_BY_DESIGN", "OUT_OF_SERVICE")


@dataclass(frozen=True, slots=True)
class Hiding:
    """Why an alarm is not annunciated."""

    how: str
    by: str
    reason: str
    since: float | None
    until: float | None
    """UTC, seconds since 1970."""
    permit: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that is not normal, or is hidden."""

    station: str
    id: str
    priority: int
    state: str
    text: str
    place: str
    """Of many alike the one that it is about; its text begins with it."""
    detail: str
    cause: str
    consequence: str
    response: str
    since: float | None
    """When it came into this state: UTC, seconds since 1970."""
    came: float | None
    """When it came at all, which no acknowledgement changes; UTC likewise."""
    revision: int | None
    respond_s: float | None
    """How long the response may take: what this one asks, else what its kind asks."""
    first_out: str
    """The alarm of its group that came first, perhaps itself."""
    shelve_max_s: float
    """The longest that it may be shelved; 0 is not at all."""
    latched: bool
    acknowledged_by: str
    hidings: tuple[Hiding, ...]
    first: bool = False
    """Whether it came first and others of its group followed: where to look for the cause."""
    followed: str = ""
    """The text of the alarm that it followed, as `title`; empty where it followed none."""

    @property
    def title(self) -> str:
        """What it is about, in the reader's language."""
        return alarm_text(self.text, self.place)

    @property
    def key(self) -> tuple[str, str]:
        """Names it among all alarms of all stations."""
        return self.station, self.id

    @property
    def name(self) -> str:
        """The same as one text: no two of them are alike, whatever ids look like."""
        return f"{len(self.station)}-{self.station}-{self.id}"

    @property
    def sounds(self) -> bool:
        """Whether its state is one that sounds."""
        return annunciation(self.state).audible

    @property
    def flashes(self) -> bool:
        """Whether its state is one that flashes."""
        return annunciation(self.state).look is Look.FLASHING

    @property
    def word(self) -> str:
        """Its state for a person."""
        return tr(WORDS.get(self.state, self.state))


def alarms_of(word: Document, station: str = "") -> tuple[Alarm, ...]:
    """The annunciated alarms in a station's document, in the order in which they are shown."""
    return ordered(_alarms(word, "alarms", station))


def hidden_of(word: Document, station: str = "") -> tuple[Alarm, ...]:
    """The alarms that it lists as shelved, suppressed or out of service; the newest first."""
    found = _alarms(word, "hidden_alarms", station)
    return tuple(sorted(found, key=lambda a: (HIDDEN.index(a.state), -(a.since or 0.0), a.id)))


def _alarms(word: Document, section: str, station: str) -> list[Alarm]:
    name = word.text("station") or station
    found = {entry.text("id"): _alarm(entry, name) for entry in word.documents(section)}
    wanted = _grouped(found, word)
    if section == "hidden_alarms":
        return [alarm for alarm in wanted if alarm.state in HIDDEN]
    return [alarm for alarm in wanted if alarm.state not in HIDDEN]


def title_of(word: Document, alarm_id: str) -> str:
    """What an alarm is called that is named, but perhaps in no list."""
    return alarm_text(word.at("alarm_texts").text(alarm_id) or alarm_id)


def _grouped(found: dict[str, Alarm], word: Document) -> list[Alarm]:
    """The same alarms, each with what its group says of it."""
    followers = [alarm for alarm in found.values() if alarm.first_out not in ("", alarm.id)]
    first = {alarm.first_out for alarm in followers}
    texts = {alarm.id: alarm.title for alarm in found.values()}
    said = {a.id: texts.get(a.first_out) or title_of(word, a.first_out) for a in followers}
    return [
        replace(alarm, first=alarm.id in first, followed=said.get(alarm.id, ""))
        for alarm in found.values()
    ]


def _alarm(found: Document, station: str) -> Alarm:
    number = found.whole("priority")
    return Alarm(
        station=station,
        id=found.text("id"),
        priority=number if number in PRIORITIES else 1,  # unreadable: rather too loud
        state=found.text("state"),
        text=found.text("text") or found.text("id"),
        place=found.text("place"),
        detail=detail_text(found),
        cause=found.text("cause"),
        consequence=found.text("consequence"),
        response=found.text("response"),
        since=found.number("since"),
        came=found.number("active_since") or found.number("since"),
        revision=found.whole("revision"),
        respond_s=found.at("about").number("within_s") or found.number("time_to_respond_s"),
        first_out=found.text("first_out"),
        shelve_max_s=found.number("shelve_max_s") or 0.0,
        latched=found.flag("latched") is True,
        acknowledged_by=found.text("ack_user"),
        hidings=tuple(_hiding(hiding) for hiding in found.documents("hidden")),
    )


def _hiding(found: Document) -> Hiding:
    return Hiding(
        found.text("how"), found.text("by"), found.text("reason"), found.number("since"),
        found.number("until"), found.text("permit"),
    )  # fmt: skip


def ordered(alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
    """In the order in which they are shown."""
    alarms = list(alarms)
    urgency: dict[tuple[str, str], int] = {}
    for alarm in alarms:  # of a group, by its first-out
        group = (alarm.station, alarm.first_out)
        urgency[group] = min(urgency.get(group, alarm.priority), alarm.priority)

    def place(alarm: Alarm) -> tuple[int, bool, float, str, str]:
        first = alarm.first
        priority = urgency[alarm.key] if first else alarm.priority
        return priority, not first, alarm.came or 0.0, alarm.station, alarm.id

    return tuple(sorted(alarms, key=place))


def worst(alarms: Iterable[Alarm], *ids: str) -> int | None:
    """The highest priority of all alarms, or of those named; None when there are none."""
    return min((a.priority for a in alarms if not ids or a.id in ids), default=None)


def sounding(alarms: Iterable[Alarm]) -> int | None:
    """The priority that must be heard: the highest of 1 and 2 not acknowledged."""
    return min((a.priority for a in alarms if a.sounds and a.priority <= 2), default=None)


def waiting(alarms: Iterable[Alarm]) -> int:
    """How many wait for a person."""
    return sum(alarm.state in WAITING for alarm in alarms)
