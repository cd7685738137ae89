"""Every state × every event, against DOMAIN E1 as it is written there, not as it is coded.

The letters are E1's: A normal, B unacknowledged, C acknowledged, D returned
unacknowledged, E latched unacknowledged, F latched acknowledged, G shelved, H suppressed
by design, I out of service.
"""

import pytest

from common.alarms import orders
from common.alarms.shelving import Shelving

LETTERS = {
    "A": "NORM", "B": "UNACK", "C": "ACKED", "D": "RTNUN", "E": "LATCHED_UNACK",
    "F": "LATCHED_ACK", "G": "SHELVED", "H": "SUPPRESSED_BY_DESIGN", "I": "OUT_OF_SERVICE",
}  # fmt: skip
ON_S, OFF_S, RE_ALARM_S, SHELVED_S = 2.0, 3.0, 1000.0, 500.0
"""The re-alarm timer is longer than a shelving: the two are told apart."""

# How to get there from a new alarm. The small letter after a hidden state says what is
# beneath: n normal, a abnormal; l latched and returned while nobody was to see it;
# u annunciated, then hidden by logic, and returned.
PLAIN = {
    "A": [],
    "B": ["abnormal"],
    "C": ["abnormal", "acknowledge"],
    "D": ["abnormal", "normal"],
    "Gn": ["shelve"],
    "Ga": ["abnormal", "shelve"],
    "Hn": ["suppress"],
    "Ha": ["abnormal", "suppress"],
    "Hu": ["abnormal", "suppress", "normal"],
    "In": ["remove"],
    "Ia": ["abnormal", "remove"],
}
LATCHED = {
    "A": [],
    "B": ["abnormal"],
    "C": ["abnormal", "acknowledge"],
    "E": ["abnormal", "normal"],
    "F": ["abnormal", "normal", "acknowledge"],
    "Gn": ["shelve"],
    "Ga": ["abnormal", "shelve"],
    "Gl": ["shelve", "abnormal", "normal"],
    "Hn": ["suppress"],
    "Ha": ["suppress", "abnormal"],
    "Hl": ["suppress", "abnormal", "normal"],
    "In": ["remove"],
    "Ia": ["remove", "abnormal"],
    "Il": ["abnormal", "remove", "normal"],
}
EVENTS = (
    *("abnormal", "normal", "blip", "acknowledge", "reset", "re_alarm", "priority_rise"),
    *("shelve", "shelf_time", "unshelve", "suppress", "unsuppress", "remove", "return"),
    "restart",
)
# What E1 says. A pair that is not here changes nothing.
OF_THE_PROCESS = {
    ("A", "abnormal"): "B",
    ("B", "acknowledge"): "C",
    ("C", "re_alarm"): "B",
    ("C", "priority_rise"): "B",
}
ONLY_PLAIN = {
    ("B", "normal"): "D",
    ("C", "normal"): "A",
    ("D", "acknowledge"): "A",
    ("D", "abnormal"): "B",
}
ONLY_LATCHED = {
    ("B", "normal"): "E",
    ("C", "normal"): "F",
    ("E", "acknowledge"): "F",
    ("E", "abnormal"): "B",
    ("F", "abnormal"): "B",
    ("F", "reset"): "A",
}
FROM_ANYWHERE = {"shelve": "G", "suppress": "H", "remove": "I"}
# State recomputed from the process, unacknowledged if abnormal; a latch is not forgotten,
# and logic leaves unacknowledged what it hid unacknowledged.
REVEALED = {"n": "A", "a": "B", "l": "E", "u": "D"}
ENDS = {"unshelve": "G", "shelf_time": "G", "unsuppress": "H", "return": "I"}
LONGER = {("G", "re_alarm"): "shelf_time"}
"""So long that it is also the end of a shelving."""


def expected(latched, situation, event):
    state = situation[0]
    event = LONGER.get((state, event), event)
    if event in FROM_ANYWHERE:
        return FROM_ANYWHERE[event]
    if ENDS.get(event) == state:
        return REVEALED[situation[1]]
    own = ONLY_LATCHED if latched else ONLY_PLAIN
    return {**OF_THE_PROCESS, **own}.get((state, event), state)


def happen(rig, event, user):
    """Let one event happen to the rig's only alarm."""
    board, active = rig.board, rig.alarm("plain").state.active_at is not None
    commands = {
        "acknowledge": orders.acknowledge(user),
        "reset": orders.reset(user),
        "shelve": orders.shelve(user, Shelving(SHELVED_S, "it flickers")),
        "unshelve": orders.unshelve(user),
        "suppress": orders.suppress("the machine is off"),
        "unsuppress": orders.unsuppress(),
        "remove": orders.remove_from_service(user, "sensor is changed", "P-17"),
        "return": orders.return_to_service(user),
    }
    if event in commands:
        board.command("plain", commands[event])
    elif event in ("abnormal", "normal"):
        board.set("plain", event == "abnormal")
        rig.wait(ON_S if event == "abnormal" else OFF_S)
    elif event == "blip":
        board.set("plain", not active)
        rig.wait((OFF_S if active else ON_S) - 0.5)
        board.set("plain", active)
    elif event == "priority_rise":
        board.set("plain", active, priority=1)
    elif event == "restart":
        rig.restart(down_s=1.0)
        rig.board.tick()
    else:
        rig.wait({"re_alarm": RE_ALARM_S, "shelf_time": SHELVED_S}[event])


CASES = [
    pytest.param(latched, situation, event, id=f"{kind}-{situation}-{event}")
    for latched, kind, situations in ((False, "plain", PLAIN), (True, "latched", LATCHED))
    for situation in situations
    for event in EVENTS
]


@pytest.mark.parametrize(("latched", "situation", "event"), CASES)
def test_a_transition(rig, define, mia, latched, situation, event):
    made = rig(
        define(
            on_delay_s=ON_S,
            off_delay_s=OFF_S,
            latched=latched,
            re_alarm_s=RE_ALARM_S,
        )
    )
    for step in (LATCHED if latched else PLAIN)[situation]:
        happen(made, step, mia)
    assert made.alarm("plain").state.name == LETTERS[situation[0]]
    changes = len(made.keeper.changes)
    happen(made, event, mia)
    after = made.alarm("plain").state.name
    assert after == LETTERS[expected(latched, situation, event)]
    assert after == LETTERS[situation[0]] or len(made.keeper.changes) > changes, "untold"


def test_the_table_is_whole():
    """Each of E1's nine states is entered and left, and each event moves something."""
    found = {
        (s[0], e, expected(latched, s, e))
        for latched, situations in ((False, PLAIN), (True, LATCHED))
        for s in situations
        for e in EVENTS
    }
    moves = [(a, e, b) for a, e, b in found if a != b]
    assert {a for a, _, _ in moves} == {b for _, _, b in moves} == set(LETTERS)
    assert {e for _, e, _ in moves} == set(EVENTS) - {"blip", "restart"}
