"""The table of alarms: every one of alarms.toml can become active, and only those."""

from dataclasses import replace

from apps.predictive_maintenance.domain import Verdict
from apps.predictive_maintenance.watch import (
    EACH,
    UNJUDGED_S,
    Condition,
    MachineCondition,
    active_alarms,
    definitions,
    priority,
    unsure,
    worse,
)
from common.alarms.diagnostics import ALL
from tests.apps.predictive_maintenance.maintenance_rig import MACHINES

HEARD = MachineCondition(Verdict.RUN, age_s=1.0)
QUIET = Condition({"m0": HEARD}, silent_s=60.0, up_s=10.0)


def active(condition=QUIET, **changes):
    return active_alarms(replace(condition, **changes))


def machine(**changes):
    return active(machines={"m0": replace(QUIET.machines["m0"], **changes)})


def test_nothing_is_active_while_all_is_well():
    assert active() == {}


def test_every_machine_has_its_own_alarms():
    found = definitions(MACHINES)
    assert found["machine_stop.m0"].text == (
        "Fan 0: damage is likely: stop it as soon as that is safe"
    )
    assert {"machine_stop.m1", "machine_sensor.m0", "source_failed"} <= set(found)
    assert "machine_stop" not in found
    assert found["machine_stop.m0"].priority == 1


def test_each_condition_has_its_alarm_and_every_alarm_its_condition():
    seen = {
        *active(sources={"broker": "away"}), *active(unknown=("ghost",)), *active(lost=3),
        *active(inference="broken"), *active(orders="m0/VIB/1: disk full"), *active(refused=1),
        *active(light="no answer", unreadable=("memory:m0",)),
        *active(diagnostics=dict.fromkeys(ALL, "so")),
        *machine(verdict=Verdict.STOP), *machine(verdict=Verdict.PLAN),
        *machine(wrong="flat line"), *machine(damaged="cut off"),
        *machine(temperature="temperature of 6554 °C"),
        *machine(age_s=61.0), *machine(unjudged_s=UNJUDGED_S + 1),
    }  # fmt: skip
    one = {"m0": MACHINES["m0"]}
    assert seen == set(definitions(one))


def test_a_machine_is_silent_only_after_it_had_time_to_speak():
    never = replace(QUIET.machines["m0"], age_s=None)
    assert active(machines={"m0": never}, up_s=59.0) == {}
    assert list(active(machines={"m0": never}, up_s=61.0)) == [f"{EACH}silent.m0"]


def test_a_broken_sensor_hides_that_the_machine_is_not_judged():
    assert list(machine(wrong="flat line", unjudged_s=UNJUDGED_S + 1)) == ["machine_sensor.m0"]


def test_a_stop_that_has_one_more_cause_sounds_again():
    def seen(*kinds):
        return {"m0": MachineCondition(Verdict.STOP, stopping=frozenset(kinds))}

    def sounds(before, *kinds):
        return worse(before, replace(QUIET, machines=seen(*kinds)))

    again = {f"{EACH}stop.m0"}
    assert sounds(seen("velocity"), "velocity", "acceleration") == again
    assert sounds(seen("velocity"), "acceleration") == again
    assert sounds(seen("velocity"), "velocity") == sounds(seen("velocity")) == set()
    assert sounds({}, "velocity") == set()  # so it was before the start


def test_no_good_verdict_is_believed_of_a_machine_that_is_not_heard_or_not_judged():
    def believed(**changes):
        return not unsure(replace(QUIET, machines={"m0": replace(HEARD, **changes)}))

    assert believed()
    assert not believed(age_s=None)
    assert not believed(age_s=61.0)
    assert not believed(wrong="flat line")
    assert not believed(unjudged_s=UNJUDGED_S + 1)


def test_a_machine_that_stops_production_is_more_urgent():
    assert priority("machine_plan.m0", MACHINES) == 2
    assert priority("machine_plan.m1", MACHINES) is None
    assert priority("machine_stop.m0", MACHINES) is None
    assert priority("source_failed", MACHINES) is None
