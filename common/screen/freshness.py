"""How old what a screen shows is: a number that does not move must not look alive."""

from dataclasses import dataclass

from common.screen.language import THIN, tr

STALE_AFTER_S = 1.8
"""A station speaks twice a second, and its commit may wait a second for company: a word of
1.5 s is the ordinary one of a quiet station. What is older is asked of the station itself;
where that does not answer it is silent, and within three seconds a refresh says so."""
LATE_AFTER_S = 3.0
"""From when on the file of a living station is late: no commit that waits explains it."""
UNITS_S = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
AHEAD_S = 3.0
"""How far ahead of this machine's clock a word may be."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The age of a station's last word."""

    age_s: float
    """Below zero when the clock was set back since."""

    @property
    def stale(self) -> bool:
        """Too old, or from a future that only a clock jump explains (or NaN)."""
        return not -AHEAD_S <= self.age_s <= STALE_AFTER_S

    @property
    def late(self) -> bool:
        """Older than the ordinary word of a station that lives."""
        return not -AHEAD_S <= self.age_s <= LATE_AFTER_S

    @property
    def text(self) -> str:
        """The age as it stands beside fresh data, too; "–" when it is not known."""
        return age_text(self.age_s) if self.age_s > -AHEAD_S else "–"

    @property
    def tag(self) -> str:
        """What stands on every stale tile; empty while fresh."""
        if not self.stale:
            return ""
        known = self.age_s > 0
        return tr("{age} old", age=age_text(self.age_s)) if known else tr("age unknown")

    @property
    def sentence(self) -> str:
        """What the header says of a stale station; empty while fresh."""
        if not self.stale:
            return ""
        if self.age_s > 0:
            return tr("station silent for {age}", age=age_text(self.age_s))
        return tr("station silent, since when is unknown: the clock was set back")


def age_text(seconds: float, *, hours: bool = False) -> str:
    """mm:ss; from an hour on, or always with `hours`, hh:mm:ss; from a day on with days."""
    minutes, second = divmod(_whole(seconds), 60)
    hour, minute = divmod(minutes, 60)
    day, hour_of_day = divmod(hour, 24)
    if day:
        return f"{day}\u202fd {hour_of_day:02}:{minute:02}:{second:02}"
    if hour or hours:
        return f"{hour:02}:{minute:02}:{second:02}"
    return f"{minute:02}:{second:02}"


def span_text(seconds: float) -> str:
    """The same where mm:ss could be taken for a time of day: 45 s, 15 min, 2 h 5 min, 1 d."""
    left, said = _whole(seconds), list[str]()
    for unit, size in UNITS_S.items():
        many, left = divmod(left, size)
        if many or said:
            said.append(f"{many}{THIN}{unit}" if many else "")
    return " ".join(filter(None, said[:2])) or f"0{THIN}s"


def _whole(seconds: float) -> int:
    return int(max(0.0, seconds)) if seconds < 1e12 else 10**12
