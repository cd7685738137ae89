"""RabbitMQ's files: RabbitMQ itself is not at hand, but their rules can be played through."""

import json
import re
from pathlib import Path

import pytest

from common.telemetry.collector.settings import CollectorSettings
from common.telemetry.topics import Identity

DEPLOY = Path(__file__).parents[2] / "deploy"
DEFINITIONS = json.loads((DEPLOY / "rabbitmq-definitions.json").read_text())
STATION = Identity("acme", "plant1", "line2", "cam01", "inspection")
NAME = ".".join(STATION.path)
OTHER = "acme.plant1.line2.cam02.inspection"


def allowed(user, action, topic):
    """As RabbitMQ decides: the pattern with the user's name in it, searched for."""
    (rule,) = [one for one in DEFINITIONS["topic_permissions"] if one["user"] == user]
    assert rule["exchange"] == "amq.topic"
    return bool(re.search(rule[action].replace("{username}", user), topic))


@pytest.mark.parametrize(
    ("user", "action", "yes", "no"),
    [
        (NAME, "write", ("events", "telemetry", "status", "resp"),
         ("ack", "cmd.replay", "state", "events.more")),
        (NAME, "read", ("ack", "cmd.replay", "cmd.acknowledge"), ("events", "status", "cmd")),
        ("collector", "read", ("events", "telemetry", "status", "resp"), ("ack", "cmd.replay")),
        ("collector", "write", ("ack", "cmd.replay"), ("events", "cmd.acknowledge", "resp")),
    ],
)  # fmt: skip
def test_topics_are_as_in_mosquittos_rules(user, action, yes, no):
    for leaf in yes:
        assert allowed(user, action, f"v1.{NAME}.{leaf}"), leaf
        assert allowed(user, action, f"v1.{OTHER}.{leaf}") is (user == "collector"), leaf
        assert not allowed(user, action, f"v2.{NAME}.{leaf}"), leaf
        assert not allowed(user, action, f"x.v1.{NAME}.{leaf}"), leaf
    for leaf in no:
        assert not allowed(user, action, f"v1.{NAME}.{leaf}"), leaf


def test_everybody_owns_their_own_queue_only():
    rules = {one["user"]: one for one in DEFINITIONS["permissions"]}
    queues = {
        "collector": f"mqtt-subscription-{CollectorSettings(name='c1').client_id}qos1",
        NAME: f"mqtt-subscription-{STATION.client_id}qos1",
    }
    for user, queue in queues.items():
        for name, other in queues.items():
            assert bool(re.search(rules[user]["configure"], other)) is (name == user)
            assert bool(re.search(rules[user]["read"], other)) is (name == user)
        assert re.search(rules[user]["write"], "amq.topic")
        assert not re.search(rules[user]["configure"], "amq.topic")
        policy = DEFINITIONS["policies"][0]["pattern"]
        assert bool(re.search(policy, queue)) is (user == "collector")


def test_nobody_can_sign_in_with_a_password():
    assert all(
        user["password_hash"] == "" and user["tags"] == [] for user in DEFINITIONS["users"]
    )
    names = {user["name"] for user in DEFINITIONS["users"]}
    assert {one["user"] for one in DEFINITIONS["permissions"]} == names


def test_the_settings_leave_no_door_open():
    lines = (DEPLOY / "rabbitmq.conf").read_text().splitlines()
    pairs = [line.split(" = ", 1) for line in lines if line and not line.startswith("#")]
    settings = dict(pairs)
    assert len(settings) == len(pairs)
    for key, value in {
        "listeners.tcp": "none", "mqtt.listeners.tcp": "none", "mqtt.allow_anonymous": "false",
        "ssl_options.verify": "verify_peer", "ssl_options.fail_if_no_peer_cert": "true",
        "mqtt.ssl_cert_login": "true", "mqtt.durable_queue_type": "quorum",
    }.items():  # fmt: skip
        assert settings[key] == value
