"""The loop: every turn is decided, acted and recorded once, whatever fails on the way."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import HeldClock, SystemClock
from common.errors import CameraError, ConfigError, DeviceError, PlcError, RuntimeFailure
from common.pipeline import Fault, Pipeline, Timings, percentiles
from common.ports import Sample

STAGE_S = {"sense": 0.1, "perceive": 0.02, "decide": 0.003, "act": 0.004, "record": 0.005}


@dataclass
class World:
    """Fakes of all five steps; `fails` says which of them raise what, each time they run.

    The state is the list of percepts decided on so far, so that a state that was thrown
    away shows as an entry that is not there.
    """

    fails: dict = field(default_factory=dict)
    sensed: list = field(default_factory=list)
    clock: HeldClock = field(default_factory=HeldClock)
    calls: list = field(default_factory=list)
    recorded: list = field(default_factory=list)
    safe: list = field(default_factory=list)
    decided_from: list = field(default_factory=list)

    def _run(self, stage):
        self.calls.append(stage)
        self.clock.sleep(STAGE_S[stage])
        if stage in self.fails:
            raise self.fails[stage]

    def sense(self, timeout_s):
        self.timeout_s = timeout_s
        self._run("sense")
        return self.sensed.pop(0) if self.sensed else None

    def perceive(self, sample):
        self._run("perceive")
        return f"seen {sample.data}"

    def decide(self, state, percept):
        self._run("decide")
        self.decided_from.append((state, percept))
        verdict = "reject" if isinstance(percept, Fault) else "pass"
        return (*state, percept), verdict

    def __call__(self, decision):
        self.decision = decision
        self._run("act")

    def safe_state(self, fault):
        self.calls.append("safe state")
        self.safe.append(fault)

    def record(self, outcome):
        self._run("record")
        self.recorded.append(outcome)

    def pipeline(self):
        return Pipeline(
            sense=self.sense,
            perceive=self.perceive,
            decide=self.decide,
            act=self,
            record=self.record,
            state=(),
            clock=self.clock,
        )


def a_sample(number=1, monotonic=0.0):
    return Sample(f"part-{number}", number, number, 1000.0, monotonic)


def turned(**world):
    """A world after one turn, the pipeline and the turn's outcome."""
    made = World(sensed=[a_sample()], **world)
    pipeline = made.pipeline()
    return made, pipeline, pipeline.step(0.5)


def test_the_steps_run_in_their_order_and_the_outcome_holds_all():
    world, pipeline, outcome = turned()
    assert world.calls == ["sense", "perceive", "decide", "act", "record"]
    assert world.timeout_s == 0.5
    assert (outcome.sample, outcome.percept, outcome.decision) == (a_sample(), "seen 1", "pass")
    assert world.recorded == [outcome]
    assert world.decision == "pass"
    assert pipeline.state == ("seen 1",)
    assert not world.safe


def test_no_sample_in_time_is_no_turn():
    world = World()
    assert world.pipeline().step(0.1) is None
    assert world.calls == ["sense"]


def test_state_goes_from_turn_to_turn():
    world = World(sensed=[a_sample(1), a_sample(2)])
    pipeline = world.pipeline()
    pipeline.step(0.1)
    pipeline.step(0.1)
    assert pipeline.state == ("seen 1", "seen 2")


@pytest.mark.parametrize("cause", ["cam: no picture", "no picture"])
def test_a_fault_names_its_device_once(cause):
    assert Fault("sense", "cam", cause).says == "cam: no picture"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (CameraError("cam", "no picture"), Fault("sense", "cam", "cam: no picture")),
        (ConfigError("bad key"), Fault("sense", "sense", "bad key")),
        (ZeroDivisionError("by 0"), Fault("sense", "sense", "ZeroDivisionError: by 0")),
    ],
)
def test_a_failing_sense_is_a_fault_without_a_sample(error, fault):
    world, pipeline, outcome = turned(fails={"sense": error})
    assert world.calls == ["sense", "decide", "safe state", "act", "record"]
    assert (outcome.sample, outcome.percept, outcome.decision) == (None, fault, "reject")
    assert world.safe == [fault]
    assert pipeline.state == (fault,)
    assert world.recorded == [outcome]


def test_a_part_that_sense_knows_to_be_missed_goes_the_way_of_a_fault():
    missed = Fault("sense", "cam", "no frame after the trigger", "part-7")
    world = World(sensed=[missed])
    outcome = world.pipeline().step(0.1)
    assert world.calls == ["sense", "decide", "safe state", "act", "record"]
    assert (outcome.sample, outcome.percept) == (None, missed)
    assert world.safe == [missed]


@pytest.mark.parametrize(
    ("error", "device", "cause"),
    [
        (RuntimeFailure("openvino", "died"), "openvino", "openvino: died"),
        (ConfigError("no such recipe"), "perceive", "no such recipe"),
        (IndexError("9"), "perceive", "IndexError: 9"),
    ],
)
def test_a_failing_perceive_is_a_fault_of_this_sample(error, device, cause):
    world, pipeline, outcome = turned(fails={"perceive": error})
    fault = Fault("perceive", device, cause, "part-1")
    assert world.calls == ["sense", "perceive", "decide", "safe state", "act", "record"]
    assert (outcome.sample, outcome.percept) == (a_sample(), fault)
    assert outcome.decision == "reject"
    assert world.safe == [fault]
    assert pipeline.state == (fault,)


@pytest.mark.parametrize(
    ("error", "device", "cause"),
    [
        (PlcError("plc", "silent"), "plc", "plc: silent"),
        (KeyError("x"), "act", "KeyError: 'x'"),
    ],
)
def test_an_action_nobody_heard_is_decided_anew_from_the_old_state(error, device, cause):
    world, pipeline, outcome = turned(fails={"act": error})
    fault = Fault("act", device, cause, "part-1")
    assert world.calls == [
        "sense", "perceive", "decide", "act", "safe state", "decide", "record",
    ]  # fmt: skip
    assert world.decided_from == [((), "seen 1"), ((), fault)]
    assert pipeline.state == (fault,)  # nothing of the decision nobody heard
    assert (outcome.percept, outcome.decision) == (fault, "reject")
    assert world.safe == [fault]
    assert world.recorded == [outcome]


def test_two_failures_in_one_turn_reach_the_safe_state_twice_and_are_recorded_once():
    fails = {"perceive": RuntimeFailure("net", "died"), "act": PlcError("plc", "silent")}
    world, _, outcome = turned(fails=fails)
    assert [fault.stage for fault in world.safe] == ["perceive", "act"]
    assert outcome.percept == Fault("act", "plc", "plc: silent", "part-1")
    assert world.recorded == [outcome]


def test_a_missed_part_whose_action_nobody_heard_keeps_its_name():
    missed = Fault("sense", "cam", "no frame after the trigger", "part-7")
    world = World(sensed=[missed], fails={"act": PlcError("plc", "silent")})
    outcome = world.pipeline().step(0.1)
    assert outcome.percept == Fault("act", "plc", "plc: silent", "part-7")
    assert world.recorded == [outcome]


@pytest.mark.parametrize("stage", ["decide", "record"])
def test_where_deciding_or_recording_fails_the_safe_state_is_reached_and_the_loop_ends(stage):
    world = World(fails={stage: ZeroDivisionError("by 0")}, sensed=[a_sample()])
    with pytest.raises(ZeroDivisionError):
        world.pipeline().step(0.1)
    assert world.safe == [Fault(stage, stage, "ZeroDivisionError: by 0")]
    assert world.calls[-1] == "safe state"


def test_a_wish_to_stop_is_no_fault():
    world = World(fails={"perceive": KeyboardInterrupt()}, sensed=[a_sample()])
    with pytest.raises(KeyboardInterrupt):
        world.pipeline().step(0.1)
    assert not world.safe


ERRORS = st.sampled_from([DeviceError("device", "broke"), ValueError("bug")])
TURNS = st.lists(
    st.tuples(
        st.sampled_from(["sample", "fault", "none"]),
        st.dictionaries(st.sampled_from(["sense", "perceive", "act"]), ERRORS),
    ),
    max_size=8,
)


@given(TURNS)
def test_every_turn_is_recorded_once_in_order_and_every_fault_reaches_the_safe_state(turns):
    world = World()
    pipeline = world.pipeline()
    outcomes = []
    for number, (kind, fails) in enumerate(turns):
        missed = Fault("sense", "cam", "missed", f"part-{number}")
        world.sensed = {"sample": [a_sample(number)], "fault": [missed], "none": []}[kind]
        world.fails, world.safe = fails, []
        outcome = pipeline.step(0.1)
        assert (outcome is None) == (kind == "none" and "sense" not in fails)
        if outcome is not None:
            outcomes.append(outcome)
            failed = isinstance(outcome.percept, Fault)
            assert bool(world.safe) == failed
            assert outcome.decision == ("reject" if failed else "pass")
    assert world.recorded == outcomes
    assert pipeline.state == tuple(outcome.percept for outcome in outcomes)


def test_each_step_is_timed_on_the_loops_own_clock():
    _, pipeline, outcome = turned()
    assert outcome.stage_ms == pytest.approx(
        {"perceive": 20, "decide": 3, "act": 4, "total": 127}
    )  # total: from the trigger at 0 s, the waiting of 100 ms included
    kept = {stage: ms["p99"] for stage, ms in pipeline.timings.percentiles().items()}
    assert kept == pytest.approx(outcome.stage_ms)


def test_a_fault_without_a_sample_has_no_total():
    _, _, outcome = turned(fails={"sense": CameraError("cam", "gone")})
    assert outcome.stage_ms.keys() == {"perceive", "decide", "act"}


def test_a_second_decision_counts_as_acting():
    _, _, outcome = turned(fails={"act": PlcError("plc", "silent")})
    assert outcome.stage_ms["act"] == pytest.approx(4 + 3)


def test_timings_keep_the_last_turns_only():
    timings = Timings(kept=3)
    assert timings.percentiles() == {}
    for ms in (1000.0, 1.0, 2.0, 3.0):
        timings.add({"act": ms})
    assert timings.percentiles() == {"act": {"p50": 2.0, "p95": 3.0, "p99": 3.0}}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_percentiles_are_values_that_occurred_with_so_many_below_them(values):
    found = percentiles(values)
    assert found.keys() == {"p50", "p95", "p99"}
    rounded = sorted(round(value, 3) for value in values)
    assert list(found.values()) == sorted(found.values())
    for p, value in ((50, found["p50"]), (95, found["p95"]), (99, found["p99"])):
        assert value in rounded
        rank = p / 100 * (len(values) - 1)
        assert rounded[max(0, int(rank - 0.5))] <= value <= rounded[round(rank + 0.5 - 1e-9)]


@given(st.lists(st.floats(0, 1e6), min_size=1), st.randoms())
def test_percentiles_do_not_depend_on_order(values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    assert percentiles(shuffled) == percentiles(values)


def test_percentiles_of_nothing_are_none():
    assert percentiles([]) == {}
    assert percentiles([float(n) for n in range(101)]) == {"p50": 50, "p95": 95, "p99": 99}


@given(st.lists(st.floats(0, 1e4)))
def test_a_held_clock_moves_only_when_told_to(pauses):
    clock = HeldClock(wall=1000.0, monotonic=5.0)
    for pause in pauses:
        clock.sleep(pause)
    assert clock.monotonic() == pytest.approx(5.0 + sum(pauses))
    assert clock.wall() == pytest.approx(1000.0 + sum(pauses))
    before = clock.monotonic()
    clock.set_wall(0.0)
    assert (clock.wall(), clock.monotonic()) == (0.0, before)


def test_the_systems_clock_goes_on():
    clock = SystemClock()
    before = clock.monotonic(), clock.wall()
    clock.sleep(0.001)
    assert clock.monotonic() >= before[0] + 0.001
    assert clock.wall() > 1_700_000_000
