"""What a notification says: as an event for other systems, as a letter for people.

The letter is made of the event, so that both say the same and nothing is looked up when a
letter leaves hours later. Texts of alarms are shown as they are written in alarms.toml.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from common.alarms.escalation import Due, Notice
from common.alarms.notification import EMAIL, NotificationSettings

NOTIFICATION = "lineside.notification.v1"
LISTED = 50
"""Alarms written out in one message; the rest is counted."""
URGENT = 1
PRIORITIES = {1: "critical", 2: "high", 3: "medium", 4: "low"}
Data = Mapping[str, Any]


def notification(
    notice: Notice, settings: NotificationSettings, listed: int = LISTED
) -> dict[str, Any]:
    """A notice as the data of an event, with so many of its alarms written out."""
    items = notice.items
    urgencies = Counter(due.alarm.priority for due in items)
    return {
        "channel": notice.recipient.channel,
        "to": notice.recipient.to,
        "count": len(items),
        "priority": min(urgencies),
        "by_priority": {str(priority): n for priority, n in sorted(urgencies.items())},
        "waited_s": round(max(due.waited_s for due in items), 1),
        "screen_url": settings.screen_url,
        "alarms": [_told(due, details=settings.details) for due in items[:listed]],
    }


def _told(due: Due, *, details: bool) -> dict[str, Any]:
    alarm, definition = due.alarm, due.alarm.definition
    return {
        "alarm_id": definition.id,
        "text": definition.text,
        "detail": alarm.detail if details else "",
        "priority": alarm.priority,
        "state": alarm.state.name.value,
        "active_since": alarm.active_since,
        "waited_s": round(due.waited_s, 1),
        "steps_s": [step.after_s for step in due.steps],
        "role": definition.role,
        "consequence": definition.consequence,
        "response": definition.response,
        "first_out": alarm.first_out,
    }


def subject_of(data: Data, station: str) -> str:
    """One line: how urgent, what, since when."""
    first = data["alarms"][0]
    urgency = f"{data['priority']} {PRIORITIES[data['priority']]}"
    if data["count"] == 1:
        what = f"{first['text']}, not acknowledged for {span(first['waited_s'])}"
    else:
        what = f"{data['count']} alarms not acknowledged, first {first['text']}"
    return one_line(f"[{station}] {urgency}: {what}")[:200]


def body_of(data: Data, station: str) -> str:
    """The whole letter; every alarm with what is to be done about it."""
    counts = ", ".join(
        f"{n} × priority {priority} {PRIORITIES[int(priority)]}"
        for priority, n in data["by_priority"].items()
    )
    head = [f"Station {station}: nobody has acknowledged {counts}."]
    listed = [_paragraph(alarm) for alarm in data["alarms"]]
    more = data["count"] - len(listed)
    tail = [f"And {more} more: see the alarm page."] if more else []
    if data["screen_url"]:
        tail.append(f"Acknowledge at {data['screen_url']}")
    tail.append("Sent by the station itself; answers to this letter are not read.")
    return "\n\n".join([*head, *listed, *tail]) + "\n"


def _paragraph(alarm: Data) -> str:
    detail = f" ({one_line(alarm['detail'])})" if alarm["detail"] else ""
    since = alarm["active_since"]
    first = alarm["first_out"]
    lines = [
        f"{alarm['priority']} {one_line(alarm['text'])}{detail}",
        f"  alarm {alarm['alarm_id']}, since {_clock(since)}, "
        f"not acknowledged for {span(alarm['waited_s'])}",
        f"  If nobody acts: {one_line(alarm['consequence'])}",
        f"  To do ({alarm['role']}): {one_line(alarm['response'])}",
    ]
    if first and first != alarm["alarm_id"]:
        lines.append(f"  Probably follows from: {first}")
    return "\n".join(lines)


def letter(data: Data, station: str, sender: str, event_id: str, sent: float) -> EmailMessage:
    """The e-mail; one sent twice has the same Message-ID, and is shown once."""
    if data["channel"] != EMAIL:
        raise ValueError(f"a notification by {data['channel']} is no letter")
    message = EmailMessage()
    message["From"], message["To"] = sender, data["to"]
    message["Subject"] = subject_of(data, station)
    message["Date"] = format_datetime(datetime.fromtimestamp(sent, UTC))
    message["Message-ID"] = f"<{event_id}@{_host(sender)}>"
    message["Auto-Submitted"] = "auto-generated"
    if data["priority"] <= URGENT:
        message["Importance"] = "high"
    message.set_content(body_of(data, station), cte="quoted-printable")
    return message


def _host(sender: str) -> str:
    return sender.rpartition("@")[2]


def one_line(text: str) -> str:
    """Text of an alarm without line breaks or control signs: it may go into a header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def span(seconds: float) -> str:
    """A duration for people: 45 s, 5 min, 3 h 20 min, 2 d 1 h."""
    minutes, s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{s} s"


def _clock(wall: float | None) -> str:
    if wall is None:
        return "an unknown time"
    return f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d %H:%M:%S} UTC"
