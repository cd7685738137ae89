"""The alarm commands as they come over the API: checked, carried out, answered in words."""

from concurrent.futures import Future

import pytest

from common.alarms import commands
from common.alarms.commands import carry_out
from common.users import ROLES as KNOWN_ROLES
from common.users import User

ENGINEER = User("ben", "engineer")


@pytest.fixture
def made(rig, define):
    made = rig(define("hot", shelve_max_s=600.0), define("held", latched=True))
    made.board.set("hot", True)
    return made


@pytest.fixture
def ask(made):
    def answer(name, **arguments):
        said = carry_out(made.board, name, arguments, ENGINEER)
        return said.result(0) if isinstance(said, Future) else said

    return answer


def test_every_command_has_a_role_that_exists():
    assert set(commands.ROLES.values()) <= set(KNOWN_ROLES)


def test_each_command_is_carried_out(made, ask):
    assert ask("acknowledge", alarm_id="hot", comment="on my way") == "acknowledged"
    assert made.alarm("hot").ack_comment == "on my way"
    assert ask("shelve", alarm_id="hot", seconds=60, reason="flickers") == "shelved for 60 s"
    assert made.states() == {"hot": "SHELVED"}
    assert ask("unshelve", alarm_id="hot") == "no longer shelved"
    said = ask("remove_from_service", alarm_id="hot", reason="new sensor", permit="P-17")
    assert said == "out of service"
    assert made.states() == {"hot": "OUT_OF_SERVICE"}
    assert ask("return_to_service", alarm_id="hot", reason="replaced") == "in service"
    assert made.keeper.changes[-1].deed.reason == "replaced"
    assert made.states() == {"hot": "UNACK"}
    made.board.set("held", True)
    ask("acknowledge", alarm_id="held")
    made.board.set("held", False)
    assert ask("reset_alarm", alarm_id="held") == "reset"
    assert made.states() == {"hot": "UNACK"}


def test_one_shot_shelving(made, ask):
    ask("shelve", alarm_id="hot", seconds=60, reason="flickers", one_shot=True)
    made.board.set("hot", False)
    assert made.states() == {}


def test_several_alarms_get_an_answer_each(made, ask):
    answers = ask("acknowledge", alarms={"hot": 1, "held": None, "gossip": None})
    assert answers == {
        "hot": "acknowledged",
        "held": "nothing to acknowledge: it is back to normal",
        "gossip": "there is no alarm gossip",
    }


def test_what_is_so_already_is_an_answer_and_no_error(ask):
    ask("acknowledge", alarm_id="hot")
    said = ask("acknowledge", alarm_id="hot")
    assert said == "nothing to acknowledge: it is acknowledged by ben"
    assert ask("unshelve", alarm_id="hot") == "it is not shelved"


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("acknowledge", {}, "alarm_id must be a text"),
        ("acknowledge", {"alarm_id": "gossip"}, "there is no alarm gossip"),
        ("acknowledge", {"alarm_id": "hot", "revision": 9}, "hot: it has changed since"),
        ("acknowledge", {"alarm_id": "hot", "revision": "1"}, "revision must be a whole"),
        ("acknowledge", {"alarm_id": "hot", "revision": -1}, "revision must be a whole"),
        ("acknowledge", {"alarm_id": "hot", "revision": True}, "revision must be a whole"),
        ("acknowledge", {"alarm_id": "hot", "comment": 5}, "comment must be a text"),
        ("acknowledge", {"alarms": {}}, "alarms must be 1 to 1000"),
        ("acknowledge", {"alarms": ["hot"]}, "alarms must be 1 to 1000"),
        ("acknowledge", {"alarms": {"hot": 1.5}}, "hot must be a whole number"),
        ("reset_alarm", {"alarm_id": "held2"}, "there is no alarm held2"),
        ("shelve", {"alarm_id": "hot", "seconds": 60}, "reason must be a text"),
        ("shelve", {"alarm_id": "hot", "seconds": 60, "reason": " "}, "reason must be a text"),
        ("shelve", {"alarm_id": "hot", "reason": "x"}, "seconds must be a number"),
        ("shelve", {"alarm_id": "hot", "reason": "x", "seconds": "9"}, "seconds must be a"),
        ("shelve", {"alarm_id": "hot", "reason": "x", "seconds": True}, "seconds must be a"),
        (
            "shelve",
            {"alarm_id": "hot", "reason": "x", "seconds": 601},
            "hot: it may be shelved",
        ),
        ("shelve", {"alarm_id": "hot", "reason": "x", "seconds": 10**400}, "for at most 600 s"),
        ("shelve", {"alarm_id": "hot", "reason": "x", "seconds": 0}, "for at most 600 s"),
        ("shelve", {"alarm_id": "hot", "reason": "x", "seconds": 9, "one_shot": 1}, "one_shot"),
        ("remove_from_service", {"alarm_id": "hot", "reason": "x"}, "permit must be a text"),
        ("remove_from_service", {"alarm_id": "hot", "permit": "x"}, "reason must be a text"),
    ],
)
def test_a_wrong_request_is_the_askers_mistake_and_changes_nothing(
    made, ask, name, arguments, says
):
    changes = len(made.keeper.changes)
    with pytest.raises(ValueError, match=says):
        ask(name, **arguments)
    assert len(made.keeper.changes) == changes
