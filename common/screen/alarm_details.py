"""An alarm's title and detail in the reader's language, from what a station recorded.

A station words both itself, in English. A title has its place and its text apart. From what
an alarm is `about` an app's screen may make the detail anew; where it does not, the station's
words are looked up in the catalogues.

    add_details(screen_details.detail)
"""

from collections.abc import Callable

from common.screen.document import Document
from common.screen.language import ENGLISH, alarm_text, current, heard

Made = Callable[[Document], str]
"""From an alarm as a station tells it; empty for one that is not the app's to say."""
_makers: list[Made] = []


def add_details(made: Made) -> None:
    """Also ask `made` for details."""
    if made not in _makers:
        _makers.append(made)


def title_text(alarm: Document, alarm_id: str) -> str:
    """What an alarm, or a change in its history, is about."""
    return alarm_text(alarm.text("text") or alarm_id, alarm.text("place"))


def detail_text(alarm: Document) -> str:
    """The detail of an alarm, or of a change in its history."""
    said = alarm.text("detail")
    if not said or current() == ENGLISH:
        return said
    return next(filter(None, (made(alarm) for made in _makers)), heard(said))
