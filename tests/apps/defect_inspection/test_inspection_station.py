"""The wiring: proof of sight, the alarms, the PLC's comings and goings, the snapshot."""

import json
import threading
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from apps.defect_inspection.domain import Defect, Verdict
from apps.defect_inspection.station import SNAPSHOT_S, build
from common import snapshot
from common.alarms.engine import State
from common.errors import ConfigError, PassWithheld, RuntimeFailure
from common.meta import get
from common.ports import ResultCode, Trigger
from common.quality import Quality
from common.storage.queries import latest, open_readonly
from common.users import User

ENGINEER = User("eva", "engineer")
HOLE = Defect("open", 0.9, (1.0, 2.0, 3.0, 4.0), 0.5, (1.0, 1.0))


def turns(station, count=1):
    return [station.turn() for _ in range(count)]


def settle(station):
    """Idle long enough for a snapshot."""
    until = station.parts.clock.monotonic() + 2.2 * SNAPSHOT_S
    while station.parts.clock.monotonic() < until:
        station.turn()


def alarms(station):
    return {alarm.definition.id: alarm.state.name for alarm in station.parts.alarms.summary()}


def feed(station, gate, *part_ids, **trigger):
    gate.triggers.extend(Trigger(n, recipe_id=1, **trigger) for n in part_ids)
    return turns(station, len(part_ids))


def recorded(station, kind="verdict"):
    station.parts.store.close()
    with closing(open_readonly(station.parts.store.path)) as connection:
        return latest(connection, kind)


# --- parts ----------------------------------------------------------------------------


def test_a_defective_board_is_rejected_recorded_and_counted(station, gate):
    (outcome,) = feed(station, gate, 1)
    assert outcome.decision.verdict is Verdict.REJECT
    assert [answer.code for answer in gate.answers] == [ResultCode.FAIL]
    assert gate.answers[0].defect_class > 0
    assert station.tally.counts()["reject"] == 1
    (record,) = recorded(station)
    assert record.body["model"].startswith("pcb ")
    assert (record.body["verdict"], record.body["part_id"]) == ("reject", 1)


def test_a_good_board_passes(station, gate, see):
    see(())
    feed(station, gate, 1, 2)
    assert [answer.code for answer in gate.answers] == [ResultCode.PASS] * 2
    assert alarms(station) == {}


# --- proof of sight -------------------------------------------------------------------


def test_the_known_board_beats_while_no_part_comes(station, gate, shipped):
    period = shipped.station.golden_period_s
    settle(station)
    elapsed = station.parts.clock.monotonic()
    assert gate.beats == station.status.beats == pytest.approx(elapsed / period, abs=1)


@pytest.fixture
def blind(station):
    """From its call on the network sees nothing; what it returns gives it its sight back."""

    def go_blind():
        perceive = station.golden.perceive
        real, perceive.look = perceive.look, lambda *_: lambda: ()
        return lambda: setattr(perceive, "look", real)

    return go_blind


def test_only_the_right_answer_beats(station, gate, blind):
    blind()  # a network that sees nothing looks like a good board
    settle(station)
    assert gate.beats == 0
    assert "another answer" in station.status.failures["inference"]
    assert alarms(station) == {"inference_failed": State.UNACK}
    assert any("another answer" in reason for reason in gate.reasons)


def test_a_network_known_to_be_blind_gives_no_verdict_until_it_sees_again(station, gate, blind):
    see_again = blind()
    settle(station)
    outcomes = feed(station, gate, 1, 2, 3)
    assert [o.decision.verdict for o in outcomes] == [Verdict.NO_RESULT] * 3
    assert "inference" in station.status.failures
    assert gate.beats == 0
    see_again()
    settle(station)
    (outcome,) = feed(station, gate, 4)
    assert outcome.decision.verdict is Verdict.REJECT


def test_the_known_board_has_its_turn_on_a_line_that_never_rests(station, gate, clock, blind):
    settle(station)
    blind()
    released = 0
    for part_id in range(1, 100):
        (outcome,) = feed(station, gate, part_id)
        released += outcome.decision.verdict is Verdict.PASS
        clock.sleep(0.04)
    assert released * 0.04 <= 2 * station.settings.station.golden_period_s + 0.1
    assert "inference" in station.status.failures


def test_bad_pictures_prove_no_network(station, gate, camera, blind):
    blind()
    camera.frame = np.zeros_like(camera.frame)
    before = gate.beats
    for part_id in range(1, 40):
        feed(station, gate, part_id)
        station.parts.clock.sleep(0.1)
    assert gate.beats == before
    assert "inference" in station.status.failures


def test_a_network_that_works_again_ends_the_alarm(station, blind):
    see_again = blind()
    settle(station)
    see_again()
    settle(station)
    assert station.status.failures == {}
    assert alarms(station) == {"inference_failed": State.RTNUN}


def test_no_answer_to_the_known_board_lets_no_part_pass(station, gate, see, clock):
    see(())  # parts alone would pass
    settle(station)

    def inspect(frame, recipe):
        raise RuntimeFailure("onnxruntime", "holds NaN")

    station.golden.perceive.inspect = inspect
    clock.sleep(2 * station.settings.station.golden_period_s)
    turns(station, 1)
    feed(station, gate, 1, 2, 3)
    assert {answer.code for answer in gate.answers} == {ResultCode.NO_RESULT}
    assert "holds NaN" in station.status.failures["inference"]


def test_the_known_board_does_not_excuse_a_network_that_fails_on_parts(station, gate, clock):
    real, part = station.golden.perceive.look, iter(range(1, 1000))
    station.golden.perceive.guard(1).check = lambda _: (Quality.GOOD, "")

    def look(frame, recipe):
        raise RuntimeFailure("onnxruntime", "inference failed")

    for _ in range(5):
        station.golden.perceive.look = look
        feed(station, gate, next(part))
        station.golden.perceive.look = real
        clock.sleep(2 * station.settings.station.golden_period_s)
        turns(station)
        assert "inference" in station.status.failures
    clock.sleep(2 * station.settings.station.golden_period_s)
    turns(station)  # nothing failed between two proofs
    assert "inference" not in station.status.failures


def test_a_pass_that_the_gate_withholds_is_late_and_no_dead_plc(station, gate, see):
    see(())

    def withhold(result):
        raise PassWithheld(f"part {result.part_id} withheld: too late")

    real, gate.answer = gate.answer, withhold
    (outcome,) = feed(station, gate, 1)
    assert outcome.decision.verdict is Verdict.NO_RESULT
    settle(station)
    assert alarms(station) == {"late_verdicts": State.UNACK}
    assert "withheld: too late" in station.status.late
    assert gate.reasons == [], "the PLC has its answer: no line stops for one late part"
    gate.answer = real
    feed(station, gate, 2)
    assert (gate.answers[-1].code, station.status.late) == (ResultCode.PASS, "")


def test_triggers_that_name_no_new_part_are_an_alarm_until_one_does(station, gate, see):
    see(())
    gate.say(refused=3)
    settle(station)
    assert station.snapshot()["line"]["refused_ids"] == 3
    assert "part_ids_refused" in alarms(station)
    feed(station, gate, 1)
    settle(station)
    assert alarms(station)["part_ids_refused"] is State.RTNUN


def test_triggers_that_are_all_found_too_late_are_an_alarm_until_one_is_taken(
    station, gate, see, clock
):
    see(())
    for stale in range(1, 20):
        gate.say(stale=stale)
        clock.sleep(0.5)
        settle(station)
    assert alarms(station)["triggers_stale"] is State.UNACK
    feed(station, gate, 1)
    settle(station)
    assert alarms(station)["triggers_stale"] is State.RTNUN


def test_a_failed_inference_costs_its_part_and_says_so(station, gate):
    def fail():
        raise RuntimeFailure("onnxruntime", "inference failed")

    station.golden.perceive.look = lambda *_: fail
    (outcome,) = feed(station, gate, 1)
    assert outcome.decision.verdict is Verdict.NO_RESULT
    assert gate.answers[0].code is ResultCode.NO_RESULT
    assert gate.beats == 0
    assert set(station.status.failures) == {"inference"}


def test_a_rule_for_a_kind_that_the_model_does_not_know_is_refused(station, shipped):
    recipe = shipped.recipe(1)
    wrong = replace(recipe, kinds={"shrot": recipe.default})
    settings = replace(shipped, recipes={**shipped.recipes, "1": wrong})
    with pytest.raises(ConfigError, match=r"recipes\.1\.kinds\.shrot: .* allowed: open, short"):
        build(settings, station.parts)


# --- devices come and go --------------------------------------------------------------


def test_a_plc_that_is_away_is_an_alarm_and_the_safe_state_and_comes_back(station, gate, clock):
    settle(station)
    gate.broken = {"everything"}
    before = clock.monotonic()
    turns(station, 10)
    assert clock.monotonic() - before >= 10 * 0.1  # it is not asked without pause
    assert alarms(station) == {"plc_unreachable": State.UNACK}
    assert gate.reasons
    assert not station.snapshot()["healthy"]
    assert not station.snapshot()["line"]["plc_alive"]
    gate.broken = set()
    settle(station)
    assert alarms(station) == {"plc_unreachable": State.RTNUN}
    assert station.snapshot()["healthy"]
    assert station.snapshot()["line"]["plc_alive"]


def test_an_answer_nobody_heard_is_no_result(station, gate, see):
    see(())
    gate.broken = {"answer"}
    (outcome,) = feed(station, gate, 1)
    assert outcome.decision.verdict is Verdict.NO_RESULT
    assert "plc" in station.status.failures
    (record,) = recorded(station)
    assert record.body["verdict"] == "no_result"
    assert record.body["reasons"] == ["act: fake PLC: answer got no answer"]


def test_a_beat_that_fails_is_the_plcs_alarm_not_the_networks(station, gate):
    gate.broken = {"beat"}
    turns(station, 1)
    assert set(station.status.failures) == {"plc"}


def test_a_camera_without_a_picture(station, gate, camera, clock):
    camera.broken = True
    (outcome,) = feed(station, gate, 1)
    assert outcome.decision.part_id == 1
    settle(station)
    assert alarms(station) == {"camera_failed": State.UNACK}
    camera.broken = False
    camera.frame = np.roll(camera.frame, 1)
    feed(station, gate, 2)
    settle(station)
    assert alarms(station) == {"camera_failed": State.RTNUN}


def test_a_missed_part_is_no_dead_plc(station, gate, see):
    see(())
    feed(station, gate, 1, 4)
    turns(station, 2)
    assert "plc" not in station.status.failures
    assert [record.body["part_id"] for record in recorded(station)] == [1, 2, 3, 4]


def test_bad_pictures_are_an_alarm_with_the_reason(station, gate, camera):
    camera.frame = np.zeros((640, 640), np.uint8)
    feed(station, gate, 1)
    settle(station)
    (alarm,) = station.parts.alarms.summary()
    assert (alarm.definition.id, alarm.detail[:5]) == ("bad_pictures", "black")


def test_a_recipe_is_acknowledged_once_and_an_unknown_one_is_an_alarm(station, gate):
    settle(station)
    assert [entry for entry in gate.requests if entry[0] == "recipe"] == [("recipe", 1, True)]
    gate.say(recipe_id=9)
    settle(station)
    assert gate.requests.count(("recipe", 9, False)) == 1
    assert alarms(station) == {"recipe_unknown": State.UNACK}
    gate.say(recipe_id=2)
    settle(station)
    assert alarms(station) == {"recipe_unknown": State.RTNUN}


def test_a_recipe_that_could_not_be_acknowledged_is_tried_again(station, gate):
    gate.broken = {"accept_recipe"}
    turns(station, 2)
    gate.broken = set()
    turns(station, 2)
    assert gate.requests.count(("recipe", 1, True)) == 1


def test_faults_of_the_rejector_are_alarms(station, gate):
    gate.say(reject_faults=0b0101)
    settle(station)
    assert set(alarms(station)) == {"confirm_missing", "reject_bin"}


def test_a_standing_plc_program_is_an_alarm(station, gate):
    gate.say(heartbeat_alive=False, heartbeat_lost=True)
    settle(station)
    assert alarms(station) == {"plc_heartbeat_lost": State.UNACK}


# --- line stop ------------------------------------------------------------------------


def test_too_many_rejects_stop_the_line_until_somebody_resets_it(station, gate, see):
    see((HOLE,))
    feed(station, gate, 1, 2, 3, 4)
    assert gate.requests[-1] == (False, False)
    feed(station, gate, 5)
    assert gate.requests[-1] == (True, False)
    settle(station)
    assert State.UNACK is alarms(station)["line_stopped"]
    assert station.snapshot()["line"]["line_stop"] == "5 parts rejected in a row"
    done = station.command("reset_line", {"reason": "a blunt drill was changed"}, ENGINEER)
    settle(station)
    assert done.result(0) == "the line may run"
    assert gate.requests[-1] == (False, False)
    assert alarms(station)["line_stopped"] is State.RTNUN


# --- challenge tests ------------------------------------------------------------------


def start(station, **arguments):
    done = station.command("challenge", {"reason": "shift", **arguments}, ENGINEER)
    station.turn()
    return done.result(0)


def test_a_challenge_from_the_request_to_the_record(station, gate, see):
    see((HOLE,))
    assert start(station) == "feeding 3 pieces"
    settle(station)
    assert gate.requests[-1] == (False, True)
    for part_id in (11, 12, 13):
        feed(station, gate, part_id, challenge=True)
        gate.say(confirmed_id=part_id)
        turns(station)
    settle(station)
    assert gate.requests[-1] == (False, False)
    assert station.snapshot()["challenge"] == {
        "outcome": "passed", "pieces": 3, "rejected": 3, "confirmed": 3, "passed": 0,
    }  # fmt: skip
    assert "challenge_failed" not in alarms(station)
    (record,) = recorded(station, "challenge")
    assert record.body["outcome"] == "passed"


def test_a_piece_that_passes_fails_the_challenge(station, gate, see):
    start(station, pieces=1)
    see(())
    feed(station, gate, 11, challenge=True)
    settle(station)
    assert alarms(station)["challenge_failed"] is State.UNACK
    assert station.snapshot()["challenge"]["outcome"] == "failed"
    (record,) = recorded(station, "challenge")
    assert record.body["passed"] == [11]


def test_a_piece_without_a_picture_ends_the_challenge_as_well(station, gate, camera):
    start(station, pieces=1)
    camera.broken = True
    feed(station, gate, 11, challenge=True)
    settle(station)
    assert station.snapshot()["challenge"]["outcome"] == "failed"
    assert gate.requests[-1] == (False, False)


def test_a_challenge_that_got_stuck_can_be_asked_for_again(station, gate):
    """The PLC fed fewer pieces than asked; it feeds again on a new request only."""
    start(station, pieces=5)
    settle(station)
    assert gate.requests[-1] == (False, True)
    before = len(gate.requests)
    start(station, pieces=3)
    settle(station)
    asked = [wanted for _, wanted in gate.requests[before:]]
    assert asked[0] is False
    assert asked[-1] is True


class FeedingPlc:
    """Feeds 3 pieces on a new request, other parts else, as a PLC of that many pieces does."""

    def __init__(self, station, gate):
        self._station, self._gate = station, gate
        self._part_id = self._left = self._read = 0
        self._asked = False

    def feed(self):
        """One part goes through and is confirmed; the line has half a second for it."""
        for *_, asked in self._gate.requests[self._read :]:
            self._left = 3 if asked and not self._asked else self._left
            self._asked = asked
        self._read, self._part_id = len(self._gate.requests), self._part_id + 1
        feed(self._station, self._gate, self._part_id, challenge=self._left > 0)
        self._left -= self._left > 0
        self._gate.say(confirmed_id=self._part_id)
        settle(self._station)


def test_pieces_that_the_plc_does_not_feed_at_once_are_asked_for_again(station, gate, see):
    see((HOLE,))
    settle(station)
    gate.requests.clear()
    start(station, pieces=5)
    settle(station)
    plc = FeedingPlc(station, gate)
    while station.pipeline.state.challenge.outcome == "running":
        plc.feed()
    test = station.snapshot()["challenge"]
    assert (test["outcome"], test["rejected"] >= 5) == ("passed", True)
    assert gate.requests[-1] == (False, False)


def test_a_challenge_that_gets_no_piece_ends_as_not_passed(station, gate, see, clock):
    see((HOLE,))
    start(station)
    feed(station, gate, 11, challenge=True)
    settle(station)
    clock.sleep(station.settings.line.challenge_wait_s - 3.0)
    settle(station)
    assert station.snapshot()["challenge"]["outcome"] == "running"
    clock.sleep(3.0)
    settle(station)
    assert station.snapshot()["challenge"]["outcome"] == "incomplete"
    assert gate.requests[-1] == (False, False)
    (record,) = recorded(station, "challenge")
    assert (record.body["outcome"], record.body["rejected"]) == ("incomplete", [11])


def test_two_challenges_without_a_piece_are_two_records(station, clock):
    for _ in range(2):
        start(station)
        settle(station)
        clock.sleep(station.settings.line.challenge_wait_s)
        settle(station)
    assert len(recorded(station, "challenge")) == 2


# --- what others see ------------------------------------------------------------------

DOCUMENT = {
    "station", "app", "wall_time", "api_port", "software", "model", "healthy", "faults",
    "line", "counts", "reject_rate", "challenge", "latency_ms", "deadline_ms", "link",
    "store", "alarms", "hidden_alarms", "alarm_burden", "alarm_texts", "host",
    "notification",
}  # fmt: skip
LINE = {
    "mode", "state", "speed_mm_s", "recipe_id", "recipe", "plc", "plc_alive",
    "vision_alive", "vision_beats", "batch", "consecutive_rejects", "consecutive_limit",
    "line_stop", "reject_faults", "refused_ids",
}  # fmt: skip


def test_the_snapshot_has_what_screens_read_and_is_in_the_store(station, gate):
    feed(station, gate, 1)
    gate.broken = {"wait_for_part"}
    turns(station, 10)
    found = station.snapshot()
    assert set(found) == DOCUMENT
    assert set(found["line"]) == LINE
    assert {"name", "version", "artefact", "device", "reason", "process"} < set(found["model"])
    assert found["alarms"][0]["id"] == "plc_unreachable"
    assert set(found["alarms"][0]) >= {
        "id", "priority", "state", "text", "detail", "consequence", "response", "since",
    }  # fmt: skip
    station.parts.store.close()
    with closing(open_readonly(station.parts.store.path)) as connection:
        assert get(connection, "snapshot") == json.loads(json.dumps(found))


def test_an_alarm_that_chatters_is_named_with_its_text(station, clock):
    board = station.parts.alarms
    for _ in range(3):
        for active in (True, False):
            board.set("late_verdicts", active=active)
            clock.sleep(1.0)
            board.tick()
    settle(station)
    found = station.snapshot()
    assert found["alarm_burden"]["chattering"] == ("late_verdicts",)
    assert found["alarm_texts"] == {"late_verdicts": "Verdicts come too late"}


def test_an_alarm_that_is_no_longer_defined_is_named_by_its_id(station):
    assert snapshot._text(station.parts.alarms, "of_an_old_version") == "of_an_old_version"


def test_vision_counts_as_dead_when_nothing_was_done_for_three_periods(station, gate, clock):
    settle(station)
    assert station.snapshot()["line"]["vision_alive"]
    gate.broken = {"beat"}
    turns(station, 40)
    assert not station.snapshot()["line"]["vision_alive"]


def test_metrics_are_prometheus_text(station, gate):
    feed(station, gate, 1)
    settle(station)
    text = station.metrics().decode()
    assert "lineside_inspection_parts 1.0" in text
    assert "lineside_inspection_reject 1.0" in text
    assert "lineside_healthy 1.0" in text
    assert 'lineside_inspection_latency_ms{quantile="p99",stage="perceive"}' in text


def test_metrics_before_the_first_snapshot_are_not_an_error(station):
    assert "lineside_healthy 0.0" in station.metrics().decode()


def test_an_uplink_without_a_broker_is_an_alarm_after_a_while(station, clock):
    broken = {"mqtt": {"state": "offline", "reason": "refused"}}
    station.parts = replace(station.parts, link=lambda: broken)
    settle(station)
    assert alarms(station) == {}
    clock.sleep(10.0)
    settle(station)
    assert alarms(station) == {"uplink_offline": State.UNACK}


def test_a_command_that_was_given_up_is_not_carried_out(station, see):
    see(())
    done = station.command("challenge", {"reason": "shift"}, ENGINEER)
    done.cancel()
    settle(station)
    assert station.pipeline.state.challenge is None


def test_stopping_leaves_the_plc_in_its_safe_state(station, gate):
    stop = threading.Event()
    stop.set()
    station.run(stop)
    assert gate.reasons == ["the station stops"]


def test_a_bug_leaves_the_plc_in_its_safe_state(station, gate):
    station.parts = replace(station.parts, host=lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        station.run(threading.Event())
    assert gate.reasons[-1] == "the station stops"


# --- several parts under way ----------------------------------------------------------


@pytest.fixture
def deep(shipped, station):
    """The same station with three parts under way at once."""
    settings = replace(shipped, model=replace(shipped.model, depth=3))
    made = build(settings, station.parts)
    made.golden.perceive.guard(1).check = lambda _: (Quality.GOOD, "")
    return made


def test_parts_under_way_are_answered_in_their_order(deep, gate):
    feed(deep, gate, *range(1, 8))
    assert [answer.part_id for answer in gate.answers] == list(range(1, 8))
    assert {answer.code for answer in gate.answers} == {ResultCode.FAIL}


def test_a_missed_part_and_a_failure_cost_no_other_part(deep, gate):
    real, calls = deep.golden.perceive.look, []

    def fail():
        raise RuntimeFailure("onnxruntime", "inference failed")

    def look(frame, recipe):
        calls.append(frame)
        answer = real(frame, recipe)
        return fail if len(calls) == 2 else answer

    deep.golden.perceive.look = look
    gate.triggers.extend(Trigger(n, recipe_id=1) for n in (1, 2, 4))
    found = [outcome.decision for outcome in turns(deep, 4)]
    assert [one.part_id for one in found] == [1, 2, 3, 4]
    verdicts = [one.verdict for one in found]
    assert verdicts == [Verdict.REJECT, Verdict.NO_RESULT, Verdict.NO_RESULT, Verdict.REJECT]


def test_the_known_board_beats_with_several_under_way_too(deep, gate):
    settle(deep)
    assert gate.beats == deep.status.beats > 0


def test_the_known_board_takes_no_answer_from_parts_under_way(deep, gate, clock):
    often = replace(deep.settings.station, golden_period_s=0.01)
    deep.settings = replace(deep.settings, station=often)
    gate.triggers.extend(Trigger(n, recipe_id=1) for n in range(1, 31))
    for _ in range(30):
        clock.sleep(0.03)  # on a line without a pause it is due at every part
        turns(deep)
    settle(deep)
    assert len(gate.answers) == 30
    assert {answer.code for answer in gate.answers} == {ResultCode.FAIL}


def test_more_parts_under_way_than_the_plc_has_open_are_refused(shipped, station, gate):
    gate.most_open = 1
    settings = replace(shipped, model=replace(shipped.model, depth=2))
    with pytest.raises(ConfigError, match=r"model.depth = 2: fake PLC waits .*allowed: 1 … 1"):
        build(settings, station.parts)


# --- the device itself ----------------------------------------------------------------


def test_a_device_that_throttles_itself_is_an_alarm_and_every_part_is_still_judged(
    shipped, station, gate
):
    hot = {"throttled": True, "throttle_reasons": ["gpu-throttle-alert"], "temperature_c": 91.0}
    line = build(shipped, replace(station.parts, host=lambda: hot))
    for _ in range(14):
        settle(line)
    assert alarms(line) == {"host_throttled": State.UNACK}
    (alarm,) = line.parts.alarms.summary()
    assert alarm.detail == "gpu-throttle-alert; 91 °C"
    assert [outcome.decision.part_id for outcome in feed(line, gate, 1, 2)] == [1, 2]
