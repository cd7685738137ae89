"""How the states look and sound: DOMAIN E1's last two columns, row by row."""

import pytest

from common.alarms.annunciation import ANNUNCIATION, annunciation
from common.alarms.engine import State


@pytest.mark.parametrize(
    ("state", "audible", "look"),
    [
        ("NORM", False, "none"),
        ("UNACK", True, "flashing"),
        ("ACKED", False, "steady"),
        ("RTNUN", False, "outline"),
        ("LATCHED_UNACK", True, "flashing"),
        ("LATCHED_ACK", False, "steady"),
        ("SHELVED", False, "S"),
        ("SUPPRESSED_BY_DESIGN", False, "listed"),
        ("OUT_OF_SERVICE", False, "listed"),
        ("FROM_THE_FUTURE", True, "flashing"),
    ],
)
def test_how_a_state_asks_for_attention(state, audible, look):
    found = annunciation(state)
    assert (found.audible, found.look) == (audible, look)


def test_every_state_has_its_row():
    assert set(ANNUNCIATION) == set(State)
