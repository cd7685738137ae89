"""A station that has run for a while holds no more than it did after a few minutes."""

import gc
import weakref
from collections import Counter

import pytest

from tests.apps.retail_analytics.retail_rig import picture, standing

APP = "apps.retail_analytics"
QUEUE = [standing(100, 400), standing(200, 400)]


def held():
    """How many objects of the app's own there are, by type."""
    gc.collect()
    kinds = (type(thing) for thing in gc.get_objects())
    return Counter(kind.__name__ for kind in kinds if str(kind.__module__).startswith(APP))


def busy_minutes(rig, count):
    """People come, wait and go; every minute closes an interval."""
    for _ in range(count):
        rig.enter(3)
        rig.leave(3)
        rig.watch("tills", 5.0, QUEUE)
        rig.to_border()


@pytest.mark.timeout(120)
def test_minutes_come_and_go_and_leave_nothing_behind(rig):
    busy_minutes(rig, 3)
    before = held()
    busy_minutes(rig, 4)
    after = held()
    assert len(rig.intervals()) == 7
    more = {kind: n - before[kind] for kind, n in after.items() if n > before[kind] + 2}
    assert more == {}


def test_a_picture_that_was_looked_at_lives_on_only_while_it_is_the_newest(rig):
    shown = []
    for number in range(20):
        frame = picture(number)
        shown.append(weakref.ref(frame))
        rig.see("door", [standing(300, 300)], frame)
        del frame
    assert [one for one in shown if one() is not None] == shown[-1:]
    rig.idle(turns=5)
    assert all(one() is None for one in shown)
