"""The simulated line without a network: physics, shift register, states, and the judge."""

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from common.ports import ResultCode
from hardware.fieldbus.blocks import VisionBlock
from hardware.fieldbus.registers import Control, Status
from hardware.virtual_line.conveyor import Conveyor, Eyes, LineSettings
from hardware.virtual_line.packml import Command, LineState, PackML, Stop
from hardware.virtual_line.program import Inputs, PlcProgram
from hardware.virtual_line.simulator import COUNTER_WORDS, Counters, Judge
from hardware.virtual_line.tracking import Record, ShiftRegister

LINE = LineSettings()
STEPS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 60)), max_size=40)


def test_numbers_of_the_domain_notes():
    """H8: 0.4 m/s and 300 mm are 750 ms and 3000 counts at 0.1 mm per count."""
    assert LINE.rejector_mm / LINE.speed_mm_s == 0.75
    assert LINE.counts(LINE.rejector_mm) == 3000
    assert LINE.deadline_s == pytest.approx((0.75 - 0.05 - 0.005 - 0.05) * 0.8)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"speed_mm_s": 5000}, "no verdict can be in time"), ({"pitch_mm": 50.0}, "pitch_mm")],
)
def test_an_impossible_line_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        LineSettings(**wrong)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_no_part_is_lost_or_doubled(steps):
    belt = Conveyor(LINE)
    entered, left = [], []
    for is_running, release, scans in steps:
        for _ in range(scans):
            eyes = belt.step(0.005, is_running, release)
            entered += eyes.camera
            left += eyes.confirm + eyes.exit
    assert len(entered) == len(set(entered))
    assert left == entered[: len(left)]
    assert belt.on_belt == len(entered) - len(left)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_without_release_nothing_passes(steps):
    belt = Conveyor(LINE)
    for is_running, _, scans in steps:
        for _ in range(scans):
            assert belt.step(0.005, is_running, False).exit == ()


def test_the_gate_needs_its_time():
    belt = Conveyor(LineSettings(rejector_mm=300.0))
    while belt.encoder < 2000 + 2900:  # the first part is 10 mm before the rejector
        belt.step(0.005, True, False)
    seen = []
    while belt.encoder < 2000 + 3700:
        seen.append(belt.step(0.005, True, True))
    assert [e.confirm for e in seen if e.confirm] == [(1,)]  # too late for the first


def test_a_standing_belt_moves_nothing():
    belt = Conveyor(LINE)
    belt.step(1.0, True, False)
    before = belt.encoder
    assert belt.step(10.0, False, False) == Eyes()
    assert belt.encoder == before


def register_with(verdict, challenge=False):
    register = ShiftRegister(LINE)
    record = Record(1, 0xFFFFFF00, 0.0, challenge, verdict)  # across the encoder's wrap
    register.add(record)
    return register, lambda counts: (record.encoder + counts) & 0xFFFFFFFF


def test_a_pass_opens_the_gate_around_the_rejector_only():
    register, at = register_with(ResultCode.PASS)
    states = {c: register.gate(at(c), False) for c in range(0, 4000, 20)}
    open_at = [counts for counts, is_open in states.items() if is_open]
    assert open_at[0] <= 3000 - LINE.counts(LINE.speed_mm_s * LINE.actuator_s)
    assert 3000 <= open_at[-1] < 3100
    assert register.commanded == 0


@pytest.mark.parametrize("verdict", [c for c in ResultCode if c is not ResultCode.PASS])
def test_anything_but_a_pass_is_rejected(verdict):
    register, at = register_with(verdict)
    assert not any(register.gate(at(counts), False) for counts in range(0, 4000, 20))
    assert (register.commanded, register.consecutive) == (1, 1)
    assert register.without_verdict == (verdict is ResultCode.NONE)


def test_reject_all_rejects_a_passed_part_too():
    register, at = register_with(ResultCode.PASS)
    assert not any(register.gate(at(counts), True) for counts in range(0, 4000, 20))
    assert register.commanded == 1


def test_two_parts_within_one_reach_are_both_rejected():
    register, at = register_with(ResultCode.PASS)
    register.add(Record(2, at(100), 0.0, verdict=ResultCode.PASS))
    assert not register.gate(at(3000), False)
    assert register.commanded == 2


def test_a_reject_is_confirmed_or_missing():
    register, at = register_with(ResultCode.FAIL)
    register.gate(at(3000), False)
    register.see_confirm(at(3600), 1)
    assert (register.confirmed, register.confirmed_id) == (1, 1)
    register, at = register_with(ResultCode.FAIL)
    register.gate(at(3000), False)
    register.see_confirm(at(4601), 0)
    assert register.is_confirm_missing
    register.reset()
    assert not register.is_confirm_missing


def test_an_eye_without_a_command_is_a_lost_track():
    register, at = register_with(ResultCode.PASS)
    register.gate(at(3000), False)
    register.see_confirm(at(3600), 1)
    assert register.is_track_lost


def test_seeded_pieces_do_not_count_as_rejects_in_a_row():
    register, at = register_with(ResultCode.FAIL, challenge=True)
    register.gate(at(3000), False)
    assert (register.commanded, register.consecutive) == (1, 0)


def run_to(line, state):
    for _ in range(10):
        line.scan(Stop(0), may_start=True)
    assert line.state is state


def test_the_line_waits_for_vision_and_then_starts():
    line = LineState()
    line.command(Command.RUN)
    for _ in range(10):
        line.scan(Stop(0), may_start=False)
    assert line.state is PackML.IDLE
    run_to(line, PackML.EXECUTE)


@pytest.mark.parametrize(
    ("cause", "state"),
    [
        (Stop.CONSECUTIVE_REJECTS, PackML.HELD),
        (Stop.BIN_FULL, PackML.HELD),
        (Stop.VISION_REQUEST, PackML.HELD),
        (Stop.CONFIRM_MISSING, PackML.ABORTED),
        (Stop.TRACK_LOST, PackML.ABORTED),
        (Stop.VISION_LOST, PackML.ABORTED),
    ],
)
def test_a_stop_stays_until_reset_and_run(cause, state):
    line = LineState()
    line.command(Command.RUN)
    run_to(line, PackML.EXECUTE)
    line.scan(cause, may_start=True)
    assert not line.is_running
    run_to(line, state)
    line.command(Command.RUN)
    run_to(line, state)
    assert (line.reasons, line.stops) == (cause, 1)
    line.command(Command.RESET)
    line.command(Command.RUN)
    run_to(line, PackML.EXECUTE)


@pytest.mark.parametrize("cause", Stop)
@pytest.mark.parametrize("scans", range(1, 4))
def test_a_reset_in_any_scan_after_the_stop_lets_the_line_run_again(cause, scans):
    line = LineState()
    line.command(Command.RUN)
    run_to(line, PackML.EXECUTE)
    for _ in range(scans):
        line.scan(cause, may_start=True)
    line.command(Command.RESET)
    line.command(Command.RUN)
    run_to(line, PackML.EXECUTE)


def test_a_cause_that_lasts_keeps_the_line_from_starting():
    line = LineState()
    line.command(Command.RUN)
    for _ in range(10):
        line.scan(Stop.BIN_FULL, may_start=True)
    assert not line.is_running
    line.command(Command.STOP)
    run_to(line, PackML.STOPPED)


NOISE = st.builds(
    VisionBlock,
    heartbeat=st.integers(0, 3),
    status=st.integers(0, 0xFFFF).map(Status),
    part_id=st.integers(0, 4),
    code=st.integers(0, 7),
    part_id_copy=st.integers(0, 4),
)
PASSES = st.builds(
    lambda heartbeat, part_id: VisionBlock(
        heartbeat=heartbeat,
        status=Status.RESULT_VALID | Status.PASS,
        part_id=part_id,
        part_id_copy=part_id,
        code=ResultCode.PASS.value,
    ),
    st.integers(0, 0xFFFF),
    st.integers(1, 4),
)
VISION = st.one_of(NOISE, PASSES, PASSES)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(VISION, st.integers(10, 90)), min_size=12, max_size=30))
def test_whatever_vision_writes_nothing_passes_without_its_pass(blocks):
    """The judge, which sees only eyes and bus, must agree with a PLC fed with noise."""
    program, belt = PlcProgram(LINE), Conveyor(LINE)
    judge, counters = Judge(LINE.deadline_s), Counters()
    program.command(Command.RUN)
    run, release = False, False
    for block, scans in blocks:
        judge.hear(block, program.time)
        for _ in range(scans):
            eyes = belt.step(LINE.scan_s, run, release)
            seen = Inputs(belt.encoder, len(eyes.camera), len(eyes.confirm), block)
            out = program.scan(seen)
            run, release = out.run_belt, out.release
            for serial, part_id in zip(eyes.camera, out.new_ids, strict=True):
                judge.enter(serial, part_id, program.time, False)
            judge.leave(eyes, counters)
    assert counters.passed_without_pass == 0
    event(f"passed: {counters.passed > 0}")


def judged(vision, entered=1.0, said=1.1):
    judge, counters = Judge(0.5), Counters()
    judge.enter(1, 7, entered, challenge=True)
    judge.hear(vision, said)
    judge.leave(Eyes(exit=(1,)), counters)
    return counters


GOOD = VisionBlock(status=Status.RESULT_VALID | Status.PASS, part_id=7, part_id_copy=7)


def test_the_judge_accepts_an_in_time_pass():
    assert judged(GOOD).passed_without_pass == 0


@pytest.mark.parametrize(
    ("vision", "said"),
    [
        (GOOD, 1.5),
        (VisionBlock(status=Status.RESULT_VALID, part_id=7, part_id_copy=7), 1.1),
        (VisionBlock(status=Status.PASS, part_id=7, part_id_copy=7), 1.1),
        (VisionBlock(status=GOOD.status, part_id=8, part_id_copy=8), 1.1),
        (VisionBlock(status=GOOD.status, part_id=7, part_id_copy=8), 1.1),
    ],
    ids=["late", "no pass", "not valid", "another part", "torn"],
)
def test_the_judge_counts_a_part_that_passed_without_its_pass(vision, said):
    counters = judged(vision, said=said)
    assert (counters.passed, counters.passed_without_pass) == (1, 1)
    assert counters.challenge_passed == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=15, max_size=15))
def test_counters_round_trip(values):
    counters = Counters(*values)
    words = counters.words("CDAB")
    assert len(words) == COUNTER_WORDS
    assert Counters.parse(words, "CDAB") == counters


def test_the_acknowledge_shows_an_edge_for_every_result():
    """Two results between which no gap was seen: vision must still see a rising edge."""
    program = PlcProgram(LINE)
    acks = []
    for part_id in (1, 1, 2, 2):
        block = VisionBlock(
            status=Status.RESULT_VALID, part_id=part_id, part_id_copy=part_id, code=2
        )
        out = program.scan(Inputs(0, 0, 0, block))
        acks.append(Control.RESULT_ACK in out.block.control)
    assert acks == [True, True, False, True]
