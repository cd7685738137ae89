"""What an app tells the screens about itself: one description, registered in one place.

    SCREEN = AppScreen(app="defect_inspection", title=mark("Defect inspection"), page=page, …)

apps/screen.py lists the descriptions; overview, trends and reports take what they need.
Everything is read from the station's own document and records, so a description holds
functions of those and no state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Protocol

from common.records import Record
from common.screen.document import Document
from common.screen.language import mark, tr

OWN_NAME = "lineside "
OWN = f"{OWN_NAME}{version('lineside')}"
"""What a station of this version says of its software."""
Said = tuple[str, str]
"""A name and what there is to say, both as they are shown."""


Point = tuple[float, float]
"""Wall time (UTC s) and value."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A value over time, read off the app's records."""

    id: str
    title: str
    """A key of the catalogues."""
    unit: str
    value: Callable[[Record], float | None]
    limit: Callable[[Document], float | None] = lambda _: None
    """The limit to draw, from the station's document."""
    window: int = 1
    """Records that one point is the mean of: 1 draws each."""
    from_zero: bool = True
    """Whether the value axis begins at zero."""


class Tally(Protocol):
    """Counts records one by one, for a report."""

    def add(self, record: Record) -> None:
        """Count one more."""

    def said(self) -> list[Said]:
        """What there is to say of all of them."""


class NoTally:
    """Where an app has nothing to add to a report."""

    def add(self, record: Record) -> None:
        """Nothing to count."""

    def said(self) -> list[Said]:
        """Nothing to say."""
        return []


def working(word: Document) -> str:
    """Whether the station does its work."""
    return tr("working") if word.flag("healthy") is True else tr("NOT WORKING")


def model_of(word: Document) -> str:
    """Name and version of the model; empty where there is none."""
    model = word.at("model")
    return f"{model.text('name')} {model.text('version')}".strip()


def other_version(word: Document) -> str:
    """That a station's software is another version than this screen; empty where it is not."""
    text = word.text("software")
    if not text.startswith(OWN_NAME) or text == OWN:
        return ""
    return tr("this screen: {version}", version=OWN.removeprefix(OWN_NAME))


@dataclass(frozen=True, slots=True)
class AppScreen:
    """One app as the screens know it."""

    app: str
    """As stations say it in their document."""
    title: str
    """A key of the catalogues."""
    page: Callable[[], None]
    state: Callable[[Document], str] = working
    """One or two words for the overview."""
    subject: Callable[[Document], str] = lambda _: ""
    """What it works on now, e.g. the recipe."""
    trends: tuple[Trend, ...] = ()
    kind: str = ""
    """The records that trends and reports are made of."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """What a report calls the app's own kinds of records: keys of the catalogues."""
    tally: Callable[[], Tally] = NoTally
    """What a report says of these records."""


UNKNOWN = AppScreen("", mark("Station"), page=lambda: None)
"""For a station whose app has no page here."""
