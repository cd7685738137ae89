"""Every wrong input by its name: marked or refused, counted, and the other machines go on."""

import math

import numpy as np
import pytest

from apps.predictive_maintenance.config import QualityRules, SenseRules, StateRules
from apps.predictive_maintenance.perceive import Perceive
from apps.predictive_maintenance.sense import MOST_UNKNOWN, Sense
from common.pipeline import Fault
from common.quality import Quality
from tests.apps.predictive_maintenance.maintenance_rig import (
    FS,
    MACHINES,
    SAMPLES,
    FakeSource,
    reading,
)

GOOD = {"m1"}


@pytest.fixture
def source(clock):
    return FakeSource(clock)


@pytest.fixture
def sense(source, clock):
    return Sense([source], MACHINES, SenseRules(), clock)


@pytest.fixture
def perceive():
    return Perceive(MACHINES, QualityRules(), StateRules())


def looked(sense, perceive):
    """asset → Health of everything that waits."""
    found = {}
    while (sample := sense(0.0)) is not None:
        found |= {health.asset: health for health in perceive(sample)}
    return found


def samples(**changes):
    made = np.random.default_rng(0).standard_normal((2, SAMPLES)).astype(np.float32)
    for at, value in changes.get("put", {}).items():
        made[:, at] = value
    made[:, 100 : 100 + changes.get("held", 0)] = 0.25
    return made


def ramp():
    return samples() + np.linspace(-20, 20, SAMPLES, dtype=np.float32)


WRONG = {
    "NaN": ({"acceleration": samples(put={7: np.nan})}, "NaN or infinity"),
    "Inf": ({"acceleration": samples(put={7: np.inf})}, "NaN or infinity"),
    "wrong dtype": ({"acceleration": samples().astype(complex)}, "complex"),
    "objects": ({"acceleration": samples().astype(object)}, "object"),
    "odd length": ({"acceleration": samples()[:, :99]}, "99 samples"),
    "four axes": ({"acceleration": np.ones((4, SAMPLES), np.float32)}, "expected"),
    "half a payload": ({"fault": "payload: 40 of 80 bytes came"}, "40 of 80 bytes"),
    "flat line": ({"acceleration": np.ones((2, SAMPLES), np.float32)}, "flat line"),
    "clipping": ({"acceleration": np.clip(samples(), -0.5, 0.5)}, "clipped"),
    "dropped samples": ({"acceleration": samples(held=100)}, "held"),
    "samples missing": ({"missing": 12}, "12 samples are missing"),
    "no rate": ({"fs_hz": 0.0}, "sampling rate"),
    "rate NaN": ({"fs_hz": float("nan")}, "sampling rate"),
    "bias drift": ({"acceleration": ramp()}, "drift"),
    "bias": ({"acceleration": samples() + 200}, "bias"),
    "speed NaN": ({"rpm": float("nan")}, "rpm is not a finite"),
    "load Inf": ({"load": float("inf")}, "load is not a finite"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_record_is_marked_and_the_others_go_on(name, source, sense, perceive):
    changes, why = WRONG[name]
    source.put(reading("m0", **changes), reading("m1"))
    found = looked(sense, perceive)
    assert found["m0"].quality is Quality.BAD
    assert not found["m0"].judged
    assert why in found["m0"].reason
    assert found["m1"].judged
    assert found["m0"].velocity_mm_s == 0.0  # a default, and never compared with anything


def test_a_wrong_rate_is_refused_where_one_is_configured(clock, source):
    machines = {"m0": MACHINES["m0"].__class__(fs_hz=25_600.0)}
    sense = Sense([source], machines, SenseRules(), clock)
    source.put(reading("m0"))
    found = looked(sense, Perceive(machines, QualityRules(), StateRules()))
    assert "sampled at 12800 Hz; configured are 25600" in found["m0"].reason


def test_an_unknown_asset_is_counted_and_named_and_never_looked_at(source, sense, perceive):
    source.put(reading("ghost"), reading("m1"), reading("ghost"))
    assert set(looked(sense, perceive)) == GOOD
    assert sense.counts["unknown_asset"] == 2
    assert sense.unknown() == ("ghost",)


def test_an_unknown_asset_that_is_silent_is_named_no_longer(clock, source, sense):
    silent_s = SenseRules().silent_s
    source.put(reading("renamed"), reading("ghost"))
    sense(0.0)
    clock.sleep(silent_s)
    source.put(reading("ghost"))
    sense(0.0)
    assert sense.unknown() == ("renamed", "ghost")
    clock.sleep(1.0)
    assert sense.unknown() == ("ghost",)
    clock.sleep(silent_s)
    assert sense.unknown() == ()
    assert sense.counts["unknown_asset"] == 3


def test_names_of_unknown_assets_do_not_fill_the_memory(clock, source, sense):
    source.put(*(reading(f"ghost-{n}") for n in range(MOST_UNKNOWN + 50)))
    assert sense(0.0) is None
    assert len(sense.unknown()) == MOST_UNKNOWN
    assert sense.counts["unknown_asset"] == MOST_UNKNOWN + 50
    clock.sleep(SenseRules().silent_s + 1.0)
    source.put(reading("new"))
    assert sense(0.0) is None
    assert sense.unknown() == ("new",)


NO_TIME = {
    "milliseconds": 1_767_225_600_000.0,
    "microseconds": 1_767_225_600_000_000.0,
    "all bits set": (2**64 - 1) / 1e6,
    "before 1970": -1e15,
    "NaN": math.nan,
    "Infinity": math.inf,
}


@pytest.mark.parametrize("name", NO_TIME)
def test_a_time_that_is_none_is_marked_and_goes_no_further(
    name, clock, source, sense, perceive
):
    source.put(reading("m0", wall_time=NO_TIME[name], sequence=1), reading("m1"))
    found = looked(sense, perceive)
    assert "its clock says" in found["m0"].reason
    assert found["m0"].wall_time == clock.wall()
    assert found["m1"].judged
    source.put(reading("m0", wall_time=100.0, sequence=2))
    assert looked(sense, perceive)["m0"].judged


def test_without_a_count_time_that_goes_back_is_marked_once(source, sense, perceive):
    reasons = []
    for wall in (100.0, 5000.0, 101.0, 102.0):  # one jump ahead, and back
        source.put(reading("m0", wall_time=wall), reading("m1"))
        found = looked(sense, perceive)
        reasons.append(found["m0"].reason)
        assert found["m1"].judged
    assert reasons == ["no baseline", "no baseline", "its clock went back by 4.9e+03 s",
                       "no baseline"]  # fmt: skip
    assert sense.counts["marked"] == 1


def test_order_is_by_the_sensor_s_count_and_not_by_its_clock(source, sense, perceive):
    corrected = [(2**32 - 2, 9000.0), (2**32 - 1, 5400.0), (0, 5401.0), (7, 20.0)]
    for sequence, wall in corrected:
        source.put(reading("m0", wall_time=wall, sequence=sequence))
        assert looked(sense, perceive)["m0"].judged
    assert sense.counts["marked"] == 0


def test_a_sensor_that_begins_to_count_anew_is_marked_once_at_most(source, sense, perceive):
    judged = []
    for sequence, wall in [(70, 100.0), (0, 101.0), (1, 102.0), (0, 3.0), (1, 4.0)]:
        source.put(reading("m0", wall_time=wall, sequence=sequence))
        judged.append(looked(sense, perceive)["m0"].judged)
    assert judged == [True, True, True, False, True], "its clock began anew as well"


def test_a_replay_that_goes_back_is_marked(source, sense, perceive):
    source.put(reading("m0", elapsed_s=100.0))
    looked(sense, perceive)
    source.put(reading("m0", elapsed_s=50.0))
    assert "older than the window before" in looked(sense, perceive)["m0"].reason


def test_two_sensors_with_one_id_are_both_marked_until_one_is_silent(
    clock, source, sense, perceive
):
    source.put(reading("m0", sensor="a"))
    assert looked(sense, perceive)["m0"].judged
    for sensor in ("b", "a"):
        source.put(reading("m0", sensor=sensor), reading("m1"))
        found = looked(sense, perceive)
        assert found["m0"].reason == "two sensors send as one machine: a, b"
        assert found["m1"].judged
    clock.sleep(61.0)
    source.put(reading("m0", sensor="b"))
    assert looked(sense, perceive)["m0"].judged


def test_records_that_come_twice_count_once(source, sense, perceive):
    one, other = (reading("m0", sequence=n, wall_time=5.0 + n) for n in (4, 5))
    source.put(one, other, one, other, other)
    found = []
    while (sample := sense(0.0)) is not None:
        found += perceive(sample)
    assert [health.judged for health in found] == [True, True]
    assert (sense.counts["repeated"], sense.counts["marked"]) == (3, 0)


def test_values_that_come_alone_hold_for_a_while(clock, source, sense):
    alone = reading("m0", acceleration=np.zeros((1, 0), np.float32), rpm=900.0, load=0.5)
    source.put(alone, reading("m0", rpm=None))
    (window,) = sense(0.0).data
    assert (window.rpm, window.load) == (900.0, 0.5)
    clock.sleep(11.0)
    source.put(reading("m0", rpm=None))
    (window,) = sense(0.0).data
    assert (window.rpm, window.load) == (None, None)


def test_values_that_come_alone_do_not_replace_each_other(clock, source, sense):
    nothing = np.zeros((1, 0), np.float32)
    source.put(reading("m0", acceleration=nothing, rpm=900.0))
    sense(0.0)
    clock.sleep(6.0)
    source.put(reading("m0", acceleration=nothing, rpm=None, temperature_c=61.0))
    source.put(reading("m0", rpm=None))
    (window,) = sense(0.0).data
    assert (window.rpm, window.temperature_c) == (900.0, 61.0)
    clock.sleep(6.0)
    source.put(reading("m0", rpm=None))
    (window,) = sense(0.0).data
    assert (window.rpm, window.temperature_c) == (None, 61.0), "each ages by itself"
    source.put(reading("m0", acceleration=nothing, rpm=None, rpm_change=300.0))
    source.put(reading("m0", rpm_change=None))
    (window,) = sense(0.0).data
    assert window.rpm_change == 300.0


def test_a_batch_has_each_machine_once_and_nothing_is_lost(source, sense):
    source.put(*(reading(asset, sequence=n) for n in range(3) for asset in ("m0", "m1")))
    batches = []
    while (sample := sense(0.0)) is not None:
        batches.append([window.asset for window in sample.data])
    assert batches == [["m0", "m1"]] * 3


def test_too_many_records_lose_the_oldest_and_are_counted(clock, source):
    sense = Sense([source], MACHINES, SenseRules(queue_windows=3), clock)
    source.put(*(reading("m0", elapsed_s=float(n)) for n in range(10)))
    left = []
    while (sample := sense(0.0)) is not None:
        left += [window.at_s for window in sample.data]
    assert left == [7.0, 8.0, 9.0]
    assert sense.dropped == 7


def test_one_source_away_is_a_failure_and_the_other_goes_on(clock, source):
    other = FakeSource(clock, "other source")
    sense = Sense([source, other], MACHINES, SenseRules(), clock)
    source.away = "the broker does not answer"
    other.put(reading("m1"))
    assert [window.asset for window in sense(0.05).data] == ["m1"]
    assert sense.failures == {"fake source": "the broker does not answer"}
    source.away = ""
    assert sense(0.05) is None
    assert sense.failures == {}


def test_a_source_with_a_bug_is_away_and_the_others_go_on(clock, source):
    class Odd(FakeSource):
        def poll(self, _timeout_s):
            raise OSError(5, "Input/output error")

    sense = Sense([Odd(clock, "odd source"), source], MACHINES, SenseRules(), clock)
    source.put(reading("m1"))
    assert [window.asset for window in sense(0.05).data] == ["m1"]
    assert sense.failures == {"odd source": "OSError: [Errno 5] Input/output error"}


def test_all_sources_away_is_a_fault(clock, source, sense):
    source.away = "no network"
    fault = sense(0.05)
    assert isinstance(fault, Fault)
    assert fault.device == "fake source"
    assert clock.monotonic() > 0  # nobody is asked without pause


def test_the_window_says_when_it_was_taken(clock, source, sense):
    clock.sleep(5.0)
    source.put(reading("m0", wall_time=77.0), reading("m1"))
    sample = sense(0.0)
    assert [window.at_s for window in sample.data] == [5.0, 5.0]
    assert sample.data[0].wall_time == 77.0
    assert sample.data[1].wall_time == clock.wall()
    assert sample.monotonic == 5.0
    assert sample.data[0].fs_hz == FS
