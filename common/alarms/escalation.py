"""Who is to be told of alarms that nobody takes note of, as pure functions.

From the moment that an alarm asks for attention until a person has taken note of it or
hidden it, it has an episode; an alarm that returns to normal and comes again goes on with
the same one, so chattering cannot put the escalation off. Each step of the settings that
is for its priority tells each recipient once in an episode, or again every `repeat_s`, and
only while the alarm sounds: nobody is called about what has gone by itself.

Messages to one recipient are gathered: what becomes due close together goes as one, and
between two messages there is a gap. In a flood that makes one digest of a thousand alarms.
A recipient whose last message has not left yet gets no other one: after an outage there is
one message about what is still true, not a hundred about what was.

`told` and `since` are monotonic time in s.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from common.alarms.alarm import Alarm
from common.alarms.engine import UNACKNOWLEDGED, State
from common.alarms.notification import NotificationSettings, Recipient, Step
from common.alarms.shelving import Moment

SOUNDING = (State.UNACK, State.LATCHED_UNACK)
LONG_S = 1e9
"""Longer than any timer: for what began at a time that cannot be known any more."""


class Telling(NamedTuple):
    """One step's word to one recipient; a step is known by its timer."""

    after_s: float
    recipient: Recipient


@dataclass(frozen=True, slots=True)
class Episode:
    """How long an alarm has asked for attention, and who has been told."""

    since: float
    told: Mapping[Telling, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Escalation:
    """All that must be remembered."""

    episodes: Mapping[str, Episode] = field(default_factory=dict)
    """Alarm id → its episode."""
    told_at: Mapping[Recipient, float] = field(default_factory=dict)
    """When somebody was last told of anything, while the gap after it lasts."""


@dataclass(frozen=True, slots=True)
class Due:
    """One alarm of which one recipient must be told."""

    alarm: Alarm
    steps: tuple[Step, ...]
    """All whose time has come: one word serves for all of them."""
    waited_s: float
    """Since it began to ask for attention."""
    due_at: float


class Notice(NamedTuple):
    """One message; the most urgent alarm first."""

    recipient: Recipient
    items: tuple[Due, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be sent now, and what to remember once it is on its way."""

    escalation: Escalation
    notices: tuple[Notice, ...] = ()


def decide(
    settings: NotificationSettings,
    escalation: Escalation,
    alarms: Iterable[Alarm],
    busy: Collection[Recipient],
    now: Moment,
) -> Decision:
    """Whom to tell of what now; `busy` are recipients whose last message has not left."""
    waiting = {a.definition.id: a for a in alarms if a.state.name in UNACKNOWLEDGED}
    escalation = _followed(settings, escalation, waiting, now)
    notices = tuple(
        Notice(recipient, tuple(sorted(items, key=_urgency)))
        for recipient, items in _due(settings, escalation, waiting, now.monotonic).items()
        if recipient not in busy
        and _ripe(settings, escalation.told_at.get(recipient), items, now.monotonic)
    )
    return Decision(_told(escalation, notices, now.monotonic), notices)


def _followed(
    settings: NotificationSettings,
    before: Escalation,
    waiting: Mapping[str, Alarm],
    now: Moment,
) -> Escalation:
    """With episodes for the alarms that wait, and for no others."""
    episodes = {
        alarm_id: before.episodes.get(alarm_id) or Episode(_began(alarm, now))
        for alarm_id, alarm in waiting.items()
    }
    gaps = {
        recipient: at
        for recipient, at in before.told_at.items()
        if now.monotonic - at < settings.gap_s
    }
    return Escalation(episodes, gaps)


def _began(alarm: Alarm, now: Moment) -> float:
    """When an alarm that is seen for the first time began to ask: perhaps before a restart."""
    return now.monotonic - max(0.0, now.wall - alarm.changed_at)


def _due(
    settings: NotificationSettings,
    escalation: Escalation,
    waiting: Mapping[str, Alarm],
    now: float,
) -> dict[Recipient, list[Due]]:
    found: dict[Recipient, list[Due]] = {}
    for alarm_id, alarm in waiting.items():
        if alarm.state.name in SOUNDING:
            episode = escalation.episodes[alarm_id]
            for recipient, steps in _steps_due(settings, alarm, episode, now).items():
                since = min(steps.values())
                due = Due(alarm, tuple(steps), now - episode.since, since)
                found.setdefault(recipient, []).append(due)
    return found


def _steps_due(
    settings: NotificationSettings, alarm: Alarm, episode: Episode, now: float
) -> dict[Recipient, dict[Step, float]]:
    """Whom to tell of one alarm, by which steps, and since when that is due."""
    found: dict[Recipient, dict[Step, float]] = {}
    for step in settings.steps:
        if alarm.priority > step.priority_from or now < episode.since + step.after_s:
            continue
        for recipient in settings.recipients(step, alarm.definition.role):
            due_at = _due_at(step, episode, recipient)
            if due_at is not None and due_at <= now:
                found.setdefault(recipient, {})[step] = due_at
    return found


def _due_at(step: Step, episode: Episode, recipient: Recipient) -> float | None:
    told = episode.told.get(Telling(step.after_s, recipient))
    if told is None:
        return episode.since + step.after_s
    return told + step.repeat_s if step.repeat_s else None


def _ripe(
    settings: NotificationSettings, told_at: float | None, items: list[Due], now: float
) -> bool:
    """Whether nothing more is to be waited for before this is sent."""
    if told_at is not None and now - told_at < settings.gap_s:
        return False
    times = [due.due_at for due in items]
    quiet, longest = now - max(times), now - min(times)
    return quiet >= settings.gather_s or longest >= settings.gather_most_s


def _urgency(due: Due) -> tuple[bool, int, float]:
    """What others follow from comes first, then the priority, then the oldest."""
    alarm = due.alarm
    follows = alarm.first_out not in ("", alarm.definition.id)
    return follows, alarm.priority, -due.waited_s


def _told(escalation: Escalation, notices: Iterable[Notice], now: float) -> Escalation:
    episodes, told_at = dict(escalation.episodes), dict(escalation.told_at)
    for recipient, items in notices:
        told_at[recipient] = now
        for due in items:
            episode = episodes[due.alarm.definition.id]
            new = {Telling(step.after_s, recipient): now for step in due.steps}
            told = replace(episode, told={**episode.told, **new})
            episodes[due.alarm.definition.id] = told
    return Escalation(episodes, told_at)


def remembered(escalation: Escalation, now: Moment) -> dict[str, Any]:
    """All of it as JSON, to go on after a restart."""
    return {
        "boot": now.boot,
        "wall": now.wall,
        "monotonic": now.monotonic,
        "episodes": {name: _episode(one) for name, one in escalation.episodes.items()},
        "told_at": [[*recipient, at] for recipient, at in escalation.told_at.items()],
    }


def _episode(episode: Episode) -> list[Any]:
    told = [[after_s, *to, at] for (after_s, to), at in episode.told.items()]
    return [episode.since, told]


def recalled(document: Mapping[str, Any], now: Moment) -> Escalation:
    """What `remembered` gave, with its times moved to the clock of this boot.

    Where the time of day cannot be right, timers are taken as run out.
    """
    moved = _moved(document, now)
    episodes = {
        alarm_id: Episode(
            since + moved,
            {Telling(s, Recipient(channel, to)): at + moved for s, channel, to, at in told},
        )
        for alarm_id, (since, told) in document["episodes"].items()
    }
    gaps = {Recipient(channel, to): at + moved for channel, to, at in document["told_at"]}
    return Escalation(episodes, gaps)


def _moved(document: Mapping[str, Any], now: Moment) -> float:
    """What to add to a monotonic time of the document."""
    if document["boot"] and document["boot"] == now.boot:
        return 0.0
    down_s = now.wall - document["wall"]
    down_s = down_s if down_s >= 0 else LONG_S
    return float(now.monotonic - document["monotonic"] - down_s)
