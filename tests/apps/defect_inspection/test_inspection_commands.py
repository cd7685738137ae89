"""What people may ask for: carried out, audited, and a wrong request is a ValueError."""

from contextlib import closing

import pytest

from apps.defect_inspection.commands import ROLES, Commands
from apps.defect_inspection.decide import LineState
from apps.defect_inspection.domain import Decision, Verdict
from common import audit
from common.alarms import commands as alarm_commands
from common.errors import LinesideError
from common.pipeline import Outcome
from common.storage.queries import labels, open_readonly
from common.users import ROLES as KNOWN_ROLES
from common.users import User

ANNA = User("anna", "operator")


@pytest.fixture
def commands(station):
    return Commands(station)


@pytest.fixture
def ask(station):
    """Ask as the API does: queued, carried out in the next turn."""

    def asked(name, **arguments):
        done = station.command(name, arguments, ANNA)
        station.turn()
        return done.result(5.0)

    return asked


def audited(station):
    """(user, action, target, reason) of every audit row; the chain is sound."""
    station.parts.store.close()
    with closing(open_readonly(station.parts.store.path)) as connection:
        assert audit.verify(connection) is None
        rows = connection.execute("SELECT user, action, target, reason FROM audit ORDER BY seq")
        return rows.fetchall()


def record_one(station):
    decision = Decision(7, Verdict.REJECT, ("because",))
    station.pipeline.record(Outcome(None, None, decision, {}))


def raise_alarm(station, alarm_id):
    station.parts.alarms.set(alarm_id, active=True, detail="no picture")
    station.parts.clock.sleep(1.0)
    station.parts.alarms.tick()


def test_every_role_is_known_and_every_command_exists(commands):
    assert set(ROLES.values()) <= set(KNOWN_ROLES)
    own = set(ROLES) - set(alarm_commands.ROLES)
    assert all(callable(getattr(commands, f"_{name}")) for name in own)


def test_an_alarm_is_acknowledged_by_a_name(station, ask):
    raise_alarm(station, "confirm_missing")
    assert ask("acknowledge", alarm_id="confirm_missing") == "acknowledged"
    (alarm,) = station.parts.alarms.summary()
    assert alarm.ack_user == "anna"
    assert ask("acknowledge", alarm_id="confirm_missing").startswith("nothing to acknowledge")
    assert audited(station)[0] == ("anna", "acknowledge", "confirm_missing", "")


def test_a_latched_alarm_is_reset_after_its_cause_is_gone_and_it_was_noted(station, ask):
    raise_alarm(station, "confirm_missing")
    with pytest.raises(ValueError, match="acknowledge it"):
        ask("reset_alarm", alarm_id="confirm_missing")
    ask("acknowledge", alarm_id="confirm_missing")
    station.parts.alarms.set("confirm_missing", active=False)
    assert ask("reset_alarm", alarm_id="confirm_missing") == "reset"
    assert station.parts.alarms.summary() == []
    assert [action for _, action, _, _ in audited(station)] == ["acknowledge", "reset_alarm"]


def test_a_line_is_reset_with_a_reason(station, ask):
    station.pipeline.state = LineState(line_stop="5 parts in a row")
    assert ask("reset_line", reason="blunt drill changed") == "the line may run"
    assert station.pipeline.state.line_stop == ""
    assert audited(station) == [
        ("anna", "reset_line", "5 parts in a row", "blunt drill changed")
    ]


def test_a_challenge_starts(station, ask):
    assert ask("challenge", reason="shift") == "feeding 3 pieces"
    assert ask("challenge", pieces=5, reason="new lamp") == "feeding 5 pieces"
    assert station.pipeline.state.challenge.pieces == 5
    assert audited(station) == [
        ("anna", "challenge", "challenge test", "shift"),
        ("anna", "challenge", "challenge test", "new lamp"),
    ]


def test_a_person_may_judge_otherwise(station, ask):
    record_one(station)
    said = ask("overrule", record_seq=1, label="good", reason="dust")
    assert said == "kept as a label; the verdict sent stays"
    assert audited(station) == [("anna", "overrule", "record 1: good", "dust")]
    with closing(open_readonly(station.parts.store.path)) as connection:
        (label,) = labels(connection, 1)
    assert (label.user, label.label, label.reason) == ("anna", "good", "dust")


def test_what_was_not_done_is_not_audited(station, ask):
    with pytest.raises(LinesideError, match="record 99"):
        ask("overrule", record_seq=99, label="good", reason="dust")
    assert audited(station) == []


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("acknowledge", {}, "alarm_id must be a text"),
        ("acknowledge", {"alarm_id": "nothing_such"}, "there is no alarm nothing_such"),
        ("acknowledge", {"alarm_id": ["camera_failed"]}, "alarm_id must be a text"),
        ("reset_alarm", {"alarm_id": ""}, "alarm_id must be a text"),
        ("reset_alarm", {"alarm_id": "nothing_such"}, "there is no alarm nothing_such"),
        ("reset_line", {}, "reason must be a text"),
        ("reset_line", {"reason": "   "}, "reason must be a text"),
        ("reset_line", {"reason": "x" * 501}, "1 to 500 characters"),
        ("challenge", {}, "reason must be a text"),
        ("challenge", {"pieces": 0, "reason": "x"}, "pieces must be a number from 1 to 100"),
        ("challenge", {"pieces": 101, "reason": "x"}, "pieces must be a number from 1 to 100"),
        ("challenge", {"pieces": True, "reason": "x"}, "pieces must be a number from 1 to 100"),
        ("challenge", {"pieces": "3", "reason": "x"}, "pieces must be a number from 1 to 100"),
        ("overrule", {"label": "good", "reason": "dust"}, "record_seq must be a number"),
        ("overrule", {"record_seq": True, "label": "good", "reason": "x"}, "record_seq"),
        ("overrule", {"record_seq": 0, "label": "good", "reason": "x"}, "record_seq"),
        ("overrule", {"record_seq": 1, "label": "fine", "reason": "x"}, "label must be one of"),
        ("overrule", {"record_seq": 1, "label": "good"}, "reason must be a text"),
    ],
)
def test_a_wrong_request_is_the_askers_mistake_and_changes_nothing(
    station, ask, name, arguments, says
):
    before = station.pipeline.state
    with pytest.raises(ValueError, match=says):
        ask(name, **arguments)
    assert station.pipeline.state == before
    assert audited(station) == []
