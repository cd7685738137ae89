"""An alarm that is only named, by another or by a count of what is too much, has its text."""

import pytest

from common.screen.alarms import alarms_of, title_of
from common.screen.document import Document
from common.screen.language import use

FOLLOWED = {"id": "late", "priority": 2, "state": "UNACK", "text": "Late", "first_out": "cold"}


def test_what_is_in_no_list_has_its_text() -> None:
    word = Document({"alarms": [FOLLOWED], "alarm_texts": {"cold": "Oven: too cold"}})
    (alarm,) = alarms_of(word)
    assert alarm.followed == title_of(word, "cold") == "Oven: too cold"


@pytest.mark.parametrize("texts", [None, {}, {"cold": 7}])
def test_a_station_that_does_not_say_it_leaves_the_name(texts: object) -> None:
    word = Document({"alarms": [FOLLOWED], "alarm_texts": texts})
    assert alarms_of(word)[0].followed == "cold"


def test_the_text_is_in_the_readers_language() -> None:
    use("de")
    word = Document({"alarm_texts": {"cold": "Alarm sound"}})
    assert title_of(word, "cold") == "Alarmton"
    use("en")
