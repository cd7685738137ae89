"""From trigger to picture: every part id comes out exactly once, with or without one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.defect_inspection.domain import is_test_piece, part_number, sample_id
from apps.defect_inspection.sense import Sense
from common.errors import PlcError
from common.part_ids import LAST_ID, LONGEST_GAP
from common.pipeline import Fault
from common.ports import Trigger


@pytest.fixture
def sense(gate, camera, clock):
    return Sense(gate, camera, clock)


def come_out(sense):
    """Everything that one quiet wait after the triggers brings out."""
    found = []
    while (one := sense(0.01)) is not None:
        found.append(one)
    return found


def names(found):
    """Part ids in the order they came out, negative for those without a picture."""
    return [
        -part_number(one.sample_id) if isinstance(one, Fault) else one.data.trigger.part_id
        for one in found
    ]


def test_no_part_is_none(sense):
    assert sense(0.01) is None


def test_a_part_comes_with_its_picture_and_its_times(sense, gate, camera, clock):
    clock.sleep(5.0)
    gate.triggers.append(Trigger(41, encoder=1234, recipe_id=1))
    sample = sense(0.01)
    assert sample.data.trigger == Trigger(41, encoder=1234, recipe_id=1)
    assert sample.data.frame is camera.frame
    assert (sample.monotonic, sample.wall_time) == (clock.monotonic(), clock.wall())
    assert (sample.id, sample.sequence) == ("1/41", 1)
    assert gate.calls == ["wait_for_part", "exposed"]


def test_a_parts_age_counts_from_when_it_can_first_have_come(sense, gate, clock):
    clock.sleep(5.0)
    gate.triggers.append(Trigger(41, recipe_id=1, since=clock.monotonic() - 0.24))
    sample = sense(0.01)
    assert clock.monotonic() - sample.monotonic == pytest.approx(0.24)
    assert clock.wall() - sample.wall_time == pytest.approx(0.24)


def test_a_part_without_a_picture_keeps_what_the_plc_said_of_it(sense, gate, camera):
    camera.broken = True
    gate.triggers.append(Trigger(41, encoder=1234, recipe_id=1, batch=77))
    assert sense(0.01).about == Trigger(41, encoder=1234, recipe_id=1, batch=77)


@pytest.mark.parametrize(
    ("triggers", "expected"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([4711, 4712], [4711, 4712]),
        ([1, 4], [1, -2, -3, 4]),
        ([65_534, 2], [65_534, -65_535, -1, 2]),
        ([65_535, 1], [65_535, 1]),
        ([500, 1], [500, 1]),
        ([60_000, 1], [60_000, 1]),
        ([9, 9], [9, 9]),
        ([1, LONGEST_GAP + 3], [1, LONGEST_GAP + 3]),
    ],
    ids=[
        "in turn",
        "start",
        "gap",
        "gap at the wrap",
        "wrap",
        "restart",
        "restart of a high number",
        "same",
        "jump",
    ],
)
def test_ids_in_turn_with_gaps_wraps_and_restarts(sense, gate, triggers, expected):
    gate.triggers.extend(map(Trigger, triggers))
    assert names(come_out(sense)) == expected


def test_sequence_follows_the_order_of_the_parts(sense, gate):
    gate.triggers.extend([Trigger(1), Trigger(5)])
    found = [one.sample_id if isinstance(one, Fault) else one.id for one in come_out(sense)]
    assert found == ["1/1", "2/2", "3/3", "4/4", "5/5"]


def test_the_picture_is_taken_before_the_missed_parts_are_told(sense, gate, camera):
    gate.triggers.extend([Trigger(1), Trigger(3)])
    sense(0.01)
    missed = sense(0.01)
    assert part_number(missed.sample_id) == 2
    assert missed.device == gate.name
    assert camera.captured == [1, 3]


def test_a_failing_camera_costs_this_part_only(sense, gate, camera):
    gate.triggers.extend([Trigger(1), Trigger(2), Trigger(3)])
    sense(0.01)
    camera.broken = True
    fault = sense(0.01)
    assert (fault.stage, fault.device, part_number(fault.sample_id)) == (
        "sense",
        camera.name,
        2,
    )
    camera.broken = False
    assert sense(0.01).data.trigger.part_id == 3


def test_whatever_a_camera_raises_its_part_is_told(sense, gate, camera, monkeypatch):
    def broken(_trigger):
        raise ValueError("a buffer of 7 bytes")

    monkeypatch.setattr(camera, "capture", broken)
    gate.triggers.extend([Trigger(1, recipe_id=1), Trigger(2, recipe_id=1)])
    found = come_out(sense)
    assert names(found) == [-1, -2]
    assert (found[0].device, found[0].cause) == (camera.name, "ValueError: a buffer of 7 bytes")


def test_a_plc_that_fails_at_the_exposure_costs_this_part_only(sense, gate):
    gate.triggers.extend([Trigger(1), Trigger(2)])
    gate.broken = {"exposed"}
    fault = sense(0.01)
    assert (fault.device, part_number(fault.sample_id)) == (gate.name, 1)
    gate.broken = set()
    assert names(come_out(sense)) == [2]


def test_a_plc_that_is_away_is_said_and_no_part_is_lost(sense, gate):
    gate.triggers.append(Trigger(1))
    sense(0.01)
    gate.broken = {"wait_for_part"}
    with pytest.raises(PlcError):
        sense(0.01)
    gate.broken = set()
    gate.triggers.append(Trigger(3))
    assert names(come_out(sense)) == [-2, 3]


def test_a_failed_test_piece_is_known_as_one(sense, gate, camera):
    camera.broken = True
    gate.triggers.extend([Trigger(1, challenge=True), Trigger(2)])
    assert [is_test_piece(one.sample_id) for one in come_out(sense)] == [True, False]


@given(st.integers(1, 10**9), st.integers(0, LAST_ID), st.booleans())
def test_a_samples_name_says_its_part(sequence, part_id, challenge):
    name = sample_id(sequence, part_id, challenge)
    assert (part_number(name), is_test_piece(name)) == (part_id, challenge)


def test_no_sample_is_no_part():
    assert part_number(None) == 0
    assert not is_test_piece(None)
