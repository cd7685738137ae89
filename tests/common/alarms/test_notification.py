"""Settings of notification, and what its messages say."""

import re
import tomllib
from pathlib import Path

import pytest

from common.alarms.alarm import Alarm
from common.alarms.engine import AlarmState, State
from common.alarms.escalation import Due, Notice
from common.alarms.notification import NotificationSettings, Recipient, Step
from common.alarms.notification_text import LISTED, letter, notification, span, subject_of
from common.config import from_table
from common.errors import ConfigError

STEP = {"after_s": 300, "to": ["role"], "channels": ["email"]}
PLAIN = NotificationSettings()
EMAIL = {"host": "mail.example", "sender": "line@x.example"}
TABLE = {"enabled": True, "groups": {"operator": ["a@x.example"]}, "email": EMAIL}


def read(**table):
    return from_table(NotificationSettings, table, Path("app.toml"), "notification")


def notice(define, count=1, **changes):
    def due(number):
        state = AlarmState(State.UNACK, active_at=0.0)
        alarm = Alarm(define(f"a{number}", **changes), state, active_since=0.0)
        return Due(alarm, (Step(300.0, ("role",), ("email",)),), 300.0 + number, 0.0)

    recipient = Recipient("email", "shift@x.example")
    return Notice(recipient, tuple(due(number) for number in range(count)))


def test_the_table_of_the_manual_is_read():
    found = read(**TABLE, steps=[STEP, {**STEP, "after_s": 900, "priority_from": 2}])
    assert [step.priority_from for step in found.steps] == [4, 2]
    assert found.recipients(found.steps[0], "operator") == (Recipient("email", "a@x.example"),)
    assert found.recipients(found.steps[0], "electrician") == ()
    assert found.without_address(["operator", "electrician"]) == ["electrician"]


def test_the_settings_printed_in_the_manual_are_taken():
    text = (Path(__file__).parents[3] / "docs/alarms.md").read_text("utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    found = read(**tomllib.loads(block)["notification"])
    assert found.enabled
    assert [step.after_s for step in found.steps] == [300.0, 900.0]
    assert len(found.recipients(found.steps[1], "operator")) == 4


def test_off_is_the_default():
    assert not read().enabled


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({**TABLE, "steps": [{**STEP, "to": ["nobody"]}]}, "no group 'nobody'; there are role"),
        ({**TABLE, "steps": [{**STEP, "to": []}]}, "needs somebody to tell"),
        ({**TABLE, "steps": [{**STEP, "to": ["a@b c"]}]}, "is no e-mail address"),
        ({**TABLE, "steps": [{**STEP, "channels": ["sms"]}]}, "allowed: mqtt, webhook, email"),
        (
            {**TABLE, "steps": [{**STEP, "channels": ["webhook"]}]},
            r"no \[notification.webhook\]",
        ),
        ({**TABLE, "steps": [{**STEP, "repeat_s": 1}]}, "at least 60 s"),
        ({**TABLE, "steps": [{**STEP, "after": 1}]}, "unknown key"),
        ({"groups": {"operator": ["a@b\nBcc: c@d"]}}, "is no e-mail address"),
        ({"groups": {"role": ["a@b"]}}, "cannot be called that"),
        ({"groups": {"head": []}}, "has no address"),
        ({"enabled": True}, "there are no steps: nobody would be told"),
        ({"email": {**EMAIL, "sender": "x"}}, "is no e-mail address"),
    ],
)
def test_settings_that_cannot_work_are_one_clear_line(table, said):
    with pytest.raises(ConfigError, match=said) as caught:
        read(**table)
    assert "\n" not in str(caught.value).replace("\\n", "")


def test_one_alarm_is_named_in_the_subject(define):
    data = notification(notice(define), PLAIN)
    assert subject_of(data, "cam01") == (
        "[cam01] 2 high: Motor is hot, not acknowledged for 5 min"
    )


def test_a_digest_counts_and_lists_the_most_urgent(define):
    data = notification(
        notice(define, 1000, priority=1),
        NotificationSettings(screen_url="http://panel:8501/alarms"),
    )
    assert data["count"] == 1000
    assert data["by_priority"] == {"1": 1000}
    assert len(data["alarms"]) == LISTED
    message = letter(data, "cam01", "line@x.example", "e-7", 0.0)
    assert message["Subject"].startswith("[cam01] 1 critical: 1000 alarms not acknowledged")
    assert message["Message-ID"] == "<e-7@x.example>"
    assert message["Importance"] == "high"
    text = message.get_content()
    assert f"And {1000 - LISTED} more: see the alarm page." in text
    assert "Acknowledge at http://panel:8501/alarms" in text


def test_hostile_texts_stay_in_their_line(define):
    hostile = "hot\r\nBcc: all@x.example\r\n\r\n<script>\u202eevil\x00"
    data = notification(notice(define, text=hostile), PLAIN)
    message = letter(data, "cam01", "line@x.example", "e-7", 0.0)
    assert message["Bcc"] is None
    assert "\n" not in message["Subject"]
    assert b"\nBcc:" not in message.as_bytes().replace(b"\r", b"\n")
    assert "\x00" not in message.get_content()


def test_what_follows_from_another_alarm_says_so(define):
    alarm = Alarm(
        define("b"), AlarmState(State.UNACK), detail="91 °C", active_since=None, first_out="a"
    )
    due = Due(alarm, (Step(300.0, ("role",), ("email",)),), 300.0, 0.0)
    data = notification(Notice(Recipient("email", "x@x.example"), (due,)), PLAIN)
    text = letter(data, "cam01", "line@x.example", "e-7", 0.0).get_content()
    assert "Probably follows from: a" in text
    assert "since an unknown time" in text
    assert "91 °C" in text
    discreet = notification(
        Notice(Recipient("email", "x@x.example"), (due,)), NotificationSettings(details=False)
    )
    assert "91 °C" not in str(discreet)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (300, "5 min"), (12_000, "3 h 20 min"), (7200, "2 h"),
     (176_400, "2 d 1 h"), (172_800, "2 d")],
)  # fmt: skip
def test_a_span_is_written_for_people(seconds, text):
    assert span(seconds) == text
