"""What the alarm tests share: see rig.py."""

from dataclasses import replace

import pytest

from common.alarms.definition import AlarmDefinition
from common.users import User
from tests.common.alarms.rig import Rig


@pytest.fixture
def rig():
    """Rig(definition, …) makes a board of these alarms."""
    return Rig


@pytest.fixture
def define():
    """An alarm of this id, with what a test changes of it."""

    def made(alarm_id="plain", **changes):
        base = AlarmDefinition(
            alarm_id, 2, "Motor is hot", "Too much load.", "The winding burns.",
            "Stop the motor.", 60.0,
        )  # fmt: skip
        return replace(base, **changes)

    return made


@pytest.fixture
def mia():
    return User("mia", "operator")


@pytest.fixture
def ben():
    return User("ben", "engineer")
