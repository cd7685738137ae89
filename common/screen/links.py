"""The ways out of a station and what waits for them, in words."""

from collections.abc import Iterable

from common.screen.document import MISSING, Document, count
from common.screen.freshness import age_text
from common.screen.language import mark, tr

STATES = {"online": mark("online"), "offline": mark("offline"), "off": mark("off")}


def ways(word: Document) -> list[Document]:
    """All ways out of a station, the broker first: of events, and of messages to people."""
    links, channels = word.at("link"), word.at("notification").at("channels")
    others = [links.at(name) for name in links.names() if name != "mqtt"]
    return [links.at("mqtt"), *others, *(channels.at(name) for name in channels.names())]


def link_state(link: Document) -> str:
    """Online, offline or off; "–" where the station does not say."""
    state = link.text("state")
    return tr(STATES.get(state, state)) if state else MISSING


def link_text(link: Document, *, short: bool = False) -> str:
    """What waits for one way out: 1 234 queued, oldest 00:12:00."""
    oldest, waits = link.number("oldest_age_s"), tr("{n} queued", n=count(link.whole("queued")))
    if oldest is None:
        return waits
    age = age_text(oldest, hours=True)
    return f"{waits}, {age if short else tr('oldest {age}', age=age)}"


def total(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
