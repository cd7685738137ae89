"""An alarm's detail in the reader's language, where an app can say it anew.

A station words details itself, in English. From what an alarm is `about` an app's screen may
make the same sentence in another language; where it cannot, the station's words stand.

    add_details(screen_details.detail)
"""

from collections.abc import Callable

from common.screen.document import Document
from common.screen.language import ENGLISH, current

Made = Callable[[Document], str]
"""From an alarm as a station tells it; empty for one that is not the app's to say."""
_makers: list[Made] = []


def add_details(made: Made) -> None:
    """Also ask `made` for details."""
    if made not in _makers:
        _makers.append(made)


def detail_text(alarm: Document) -> str:
    """The detail of an alarm, or of a change in its history."""
    said = alarm.text("detail")
    if not said or current() == ENGLISH:
        return said
    return next(filter(None, (made(alarm) for made in _makers)), said)
