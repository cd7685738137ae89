"""Settings of [notification]: who is told of an alarm that nobody takes note of, and how.

[notification]
enabled = true
[notification.groups]
operator = ["shift@plant.example"]
head = ["mueller@plant.example"]
[[notification.steps]]
after_s = 300
to = ["role"]                 # the group named like the alarm's own role
channels = ["email"]
[[notification.steps]]
after_s = 900
to = ["head"]
channels = ["email", "webhook"]
priority_from = 2             # only priorities 1 and 2 get this far
[notification.email]
host = "mail.plant.example"
sender = "line2@plant.example"
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from common.config import setting
from common.telemetry.mail import EmailSettings, is_address
from common.telemetry.webhook import WebhookSettings

DAY_S = 86_400.0
EMAIL, WEBHOOK, MQTT = "email", "webhook", "mqtt"
CHANNELS = (MQTT, WEBHOOK, EMAIL)
OWN_ROLE = "role"
"""In `to`: the group that bears the name of the alarm's role."""


class Recipient(NamedTuple):
    """Who is told, and by which way."""

    channel: str
    """One of CHANNELS."""
    to: str
    """An address by e-mail, else the name of a group."""


@dataclass(frozen=True)
class Step:
    """One stage of the escalation."""

    after_s: float = setting(low=0.0, high=7 * DAY_S, unit="s")
    """Not acknowledged for so long."""
    to: tuple[str, ...] = setting()
    """Groups, plain addresses, or "role"."""
    channels: tuple[str, ...] = setting(choices=CHANNELS)
    priority_from: int = setting(4, low=1, high=4)
    """Least urgent priority that it is for; 1 is the highest."""
    repeat_s: float = setting(0.0, low=0.0, high=7 * DAY_S, unit="s")
    """Told again so often until somebody takes note; 0 is once."""

    def __post_init__(self) -> None:
        if not self.to or not self.channels:
            raise ValueError("a step needs somebody to tell and a channel")
        if 0 < self.repeat_s < 60:
            raise ValueError(f"repeat_s = {self.repeat_s:g}: at least 60 s, or 0 for once")


@dataclass(frozen=True)
class NotificationSettings:
    """All of [notification]."""

    enabled: bool = setting(default=False)
    steps: tuple[Step, ...] = ()
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name → e-mail addresses. Other channels are given the name."""
    gather_s: float = setting(5.0, low=0.0, high=60.0, unit="s")
    """What becomes due within so long of each other goes as one message ..."""
    gather_most_s: float = setting(30.0, low=0.0, high=300.0, unit="s")
    """... but nothing waits for company longer than this."""
    gap_s: float = setting(60.0, low=0.0, high=3600.0, unit="s")
    """Between two messages to the same recipient; what is due in between goes as one."""
    screen_url: str = ""
    """Where the alarm page is, for a link in messages."""
    details: bool = True
    """Whether messages give what was seen; false where that may be about a person."""
    email: EmailSettings | None = None
    webhook: WebhookSettings | None = None

    def __post_init__(self) -> None:
        for name, addresses in self.groups.items():
            self._check_group(name, addresses)
        for step in self.steps:
            for name in step.to:
                self._check_name(name)
        if self.enabled and not self.steps:
            raise ValueError("enabled, but there are no steps: nobody would be told")
        if self.enabled:
            self._check_channels()

    def _check_group(self, name: str, addresses: Iterable[str]) -> None:
        if "@" in name or name == OWN_ROLE:
            raise ValueError(f"groups.{name}: a group cannot be called that")
        if not addresses:
            raise ValueError(f"groups.{name}: has no address")
        for address in addresses:
            if not is_address(address):
                raise ValueError(f"groups.{name}: {address!r} is no e-mail address")

    def _check_name(self, name: str) -> None:
        if "@" in name and not is_address(name):
            raise ValueError(f"steps: {name!r} is no e-mail address")
        if "@" not in name and name != OWN_ROLE and name not in self.groups:
            known = ", ".join((OWN_ROLE, *self.groups))
            raise ValueError(f"steps: there is no group {name!r}; there are {known}")

    def _check_channels(self) -> None:
        used = {channel for step in self.steps for channel in step.channels}
        for name, table in ((EMAIL, self.email), (WEBHOOK, self.webhook)):
            if name in used and table is None:
                raise ValueError(f"steps use {name}, but there is no [notification.{name}]")

    def recipients(self, step: Step, role: str) -> tuple[Recipient, ...]:
        """Whom a step tells of an alarm that `role` responds to: each once."""
        names = [role if name == OWN_ROLE else name for name in step.to]
        found = [
            Recipient(channel, to)
            for channel in step.channels
            for name in names
            for to in (self._addresses(name) if channel == EMAIL else (name,))
        ]
        return tuple(dict.fromkeys(found))

    def _addresses(self, name: str) -> tuple[str, ...]:
        return (name,) if "@" in name else self.groups.get(name, ())

    def without_address(self, roles: Iterable[str]) -> list[str]:
        """Roles of alarms that a step would tell by e-mail, but that have no address."""
        mailed = any(OWN_ROLE in s.to and EMAIL in s.channels for s in self.steps)
        return sorted({r for r in roles if mailed and not self.groups.get(r)})
