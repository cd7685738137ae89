"""How long a shelving lasts, with honest and with lying clocks."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.alarms import orders, shelving
from common.alarms.shelving import Moment, Shelving

WALL = 1_767_225_600.0
WANTED = Shelving(100.0, "it flickers")


@pytest.fixture
def shelved(rig, define, mia):
    """A rig whose only alarm is abnormal and was shelved for 100 s just now."""
    made = rig(define())
    made.board.set("plain", True)
    assert made.board.command("plain", orders.shelve(mia, WANTED)).changed
    return made


@pytest.mark.parametrize("seconds", [0.0, -1.0, 100.5, math.inf, math.nan])
def test_a_time_beyond_the_alarms_limit_is_refused(define, seconds):
    said = shelving.why_not(define(shelve_max_s=100.0), Shelving(seconds, "x"))
    assert said.startswith("it may be shelved for at most 100 s")


def test_the_limit_itself_is_allowed_and_no_limit_forbids(define):
    assert shelving.why_not(define(shelve_max_s=100.0), WANTED) == ""
    assert shelving.why_not(define(shelve_max_s=0.0), WANTED) == (
        "this alarm must not be shelved"
    )


def test_it_comes_back_by_itself(shelved):
    shelved.wait(99.0)
    assert shelved.states() == {"plain": "SHELVED"}
    shelved.wait(1.0)
    assert shelved.states() == {"plain": "UNACK"}


def test_a_restart_within_the_same_boot_takes_the_exact_time(shelved):
    shelved.restart(40.0, reboot=False, clock_set_s=-3000.0)
    shelved.wait(59.0)
    assert shelved.states() == {"plain": "SHELVED"}
    shelved.wait(1.0)
    assert shelved.states() == {"plain": "UNACK"}


def test_a_reboot_takes_the_wall_clocks_word_for_the_time_it_took(shelved):
    shelved.restart(40.0)
    shelved.wait(58.0)
    assert shelved.states() == {"plain": "SHELVED"}
    shelved.wait(1.0)  # it errs by the step of the clock that would not have been noticed
    assert shelved.states() == {"plain": "UNACK"}


def test_a_reboot_that_took_longer_ends_it(shelved):
    shelved.restart(400.0)
    assert shelved.states() == {"plain": "SHELVED"}, "what happens is told, at the first tick"
    shelved.board.tick()
    assert shelved.states() == {"plain": "UNACK"}


def test_a_clock_that_went_back_over_a_reboot_ends_it(shelved):
    shelved.restart(10.0, clock_set_s=-50.0)
    shelved.board.tick()
    assert shelved.states() == {"plain": "UNACK"}


def test_a_clock_that_is_put_right_after_a_reboot_ends_it(shelved):
    """A device without a battery starts where it stopped, and NTP tells it the truth."""
    shelved.restart(3600.0, clock_set_s=-3599.0)
    shelved.wait(1.0)
    assert shelved.states() == {"plain": "SHELVED"}
    shelved.clock.set_wall(shelved.clock.wall() + 3599.0)
    shelved.board.tick()
    assert shelved.states() == {"plain": "UNACK"}


def test_a_clock_that_is_set_while_it_runs_moves_only_the_time_that_people_read(shelved):
    def until():
        (hiding,) = shelved.alarm("plain").state.hidden
        return hiding.until - shelved.clock.wall()

    shelved.wait(10.0)
    for clock_set_s in (-7200.0, 86_400.0):
        shelved.clock.set_wall(shelved.clock.wall() + clock_set_s)
        shelved.board.tick()
        assert until() == 90.0
        assert shelved.states() == {"plain": "SHELVED"}
    shelved.restart(0.0)
    shelved.board.tick()
    assert until() == 90.0, "what people read is also what is stored"


def test_a_small_correction_of_the_clock_tells_nothing(shelved):
    changes = len(shelved.keeper.changes)
    shelved.clock.set_wall(shelved.clock.wall() + 0.9)
    shelved.board.tick()
    assert len(shelved.keeper.changes) == changes


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["wait", "reboot", "restart"]),
        st.integers(0, 120),
        st.sampled_from([0, 0, 0, 0.75, -0.75, 50, -50, 3000, -3000]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(STEPS)
def test_with_clocks_set_at_will_while_it_runs_it_never_lasts_beyond_its_limit(steps):
    now = Moment(WALL, 0.0, "a")
    hiding, real = shelving.begun(WANTED, "mia", now), 0
    for number, (what, seconds, clock_set_s) in enumerate(steps):
        real += seconds
        if what == "reboot":
            then, now = now, Moment(now.wall + seconds, 7.0, f"b{number}")
            hiding = shelving.restarted(hiding, then.boot, now, then.wall)
        elif what == "restart":
            then, now = now, Moment(now.wall + seconds, now.monotonic + seconds, now.boot)
            hiding = shelving.restarted(hiding, then.boot, now, then.wall)
        else:
            now = Moment(now.wall + seconds + clock_set_s, now.monotonic + seconds, now.boot)
        hiding = shelving.by_the_wall(hiding, now)
        over = now.monotonic >= hiding.deadline
        assert over or real < 100, "longer than its limit"
        if over:
            break


@settings(deadline=None)
@given(st.integers(0, 99), st.integers(-10_000, 10_000), st.integers(0, 10_000))
def test_whatever_the_clock_says_after_a_reboot_no_more_is_left_than_was(ran, wrong, down):
    then = Moment(WALL + ran, ran, "a")
    hiding = shelving.begun(WANTED, "mia", Moment(WALL, 0.0, "a"))
    now = Moment(then.wall + down + wrong, 3.0, "b")
    after = shelving.restarted(hiding, "a", now, then.wall)
    left = after.deadline - now.monotonic
    assert 0 <= left <= 100 - ran
    assert left == 0 or now.wall >= then.wall
