"""The gate over real TCP against a register server that plays the PLC; time is held."""

import pytest

from common.errors import PassWithheld, PlcError
from common.ports import PartGate, PartResult, ResultCode, Trigger
from hardware.fieldbus.blocks import PlcBlock, VisionBlock
from hardware.fieldbus.modbus import AGAIN_S, ModbusSettings, open_gate
from hardware.fieldbus.register_server import GRANTED, Memory, RegisterServer
from hardware.fieldbus.registers import Coil, Control, Status

ENABLED = Control.TRIG_ENABLE
TRIGGERED = ENABLED | Control.TRIGGER
OTHER_CODES = [code for code in ResultCode if code is not ResultCode.PASS]


def grant(_access):
    return GRANTED


class PlayedPlc:
    """A register server and what was written to it, in order.

    `meanwhile` happens once, between what the next request does and its answer.
    """

    def __init__(self):
        self.memory = Memory(132)
        self.writes = []
        self.refuse, self.meanwhile = grant, None
        self.server = RegisterServer(
            self.memory, "127.0.0.1", 0,
            gatekeeper=self._admit, hold_up=self._hold_up, written=self.writes.append,
        )  # fmt: skip
        self.server.start()
        self.heartbeat = 0

    async def _admit(self, access):
        return self.refuse(access)

    async def _hold_up(self, _access):
        happen, self.meanwhile = self.meanwhile, None
        if happen:
            happen()

    def say(self, control, part_id=0, beats=0, **more):
        self.heartbeat += beats
        block = PlcBlock(heartbeat=self.heartbeat, control=control, part_id=part_id, **more)
        self.memory.write(0, block.words("CDAB"))

    @property
    def vision(self):
        return VisionBlock.parse(self.memory.read(100, 18), "CDAB")

    @property
    def coils(self):
        return tuple(self.memory.coils()[: len(Coil)])


@pytest.fixture
def plc():
    played = PlayedPlc()
    yield played
    played.server.close()


@pytest.fixture
def make_gate(plc, clock):
    made = []

    def make(**settings):
        settings = {"timeout_s": 1.0, "trigger_age_s": 0.0, "retries": 0} | settings
        gate = open_gate(ModbusSettings(port=plc.server.port, **settings), clock)
        made.append(gate)
        return gate

    yield make
    for gate in made:
        gate.close()


@pytest.fixture
def gate(make_gate, plc):
    return ready(make_gate(), plc)


def ready(gate: PartGate, plc: PlayedPlc) -> PartGate:
    """The PLC proves its life and enables triggers."""
    for _ in range(2):
        plc.say(ENABLED, beats=1)
        assert gate.wait_for_part(0) is None
    assert Status.TRIG_READY in plc.vision.status
    return gate


def take(gate, plc, part_id, **more):
    plc.say(TRIGGERED, part_id, **more)
    trigger = gate.wait_for_part(0)
    assert trigger is not None
    plc.writes.clear()
    return trigger


def settle(gate, plc):
    """The PLC drops its trigger and acknowledges the result; one reading each."""
    plc.say(ENABLED | Control.RESULT_ACK)
    gate.wait_for_part(0)
    plc.say(ENABLED)
    gate.wait_for_part(0)


def test_safe_words_come_before_anything_else(plc, make_gate):
    plc.memory.write(100, [9] * 18)
    plc.memory.write_coils(0, [True] * 4)
    plc.say(TRIGGERED, 7, beats=1)
    gate = make_gate()
    assert gate.view() is None
    assert gate.wait_for_part(0) is None
    coils, words = plc.writes[:2]
    assert (coils.is_coils, coils.values) == (True, (0, 0, 0, 0))
    assert (words.address, words.count) == (101, 17)
    safe = Status(words.values[0])
    assert Status.REJECT_ALL_ACTIVE in safe
    assert not safe & (Status.TRIG_READY | Status.RESULT_VALID | Status.PASS)
    assert set(words.values[1:]) == {0}


def test_one_part_from_trigger_to_acknowledge(gate, plc):
    plc.say(TRIGGERED, 1, encoder=100_000, recipe_id=4, batch=6)
    assert gate.wait_for_part(0) == Trigger(1, encoder=100_000, recipe_id=4, batch=6)
    told = plc.vision
    assert Status.TRIG_ACK | Status.BUSY in told.status
    assert told.part_id == 1  # the acknowledge says of which part
    assert not told.status & (Status.TRIG_READY | Status.EXPOSURE_COMPLETE)
    gate.exposed()
    assert Status.EXPOSURE_COMPLETE in plc.vision.status
    gate.answer(PartResult(1, ResultCode.PASS, score=0.5, latency_ms=31))
    told = plc.vision
    assert Status.RESULT_VALID | Status.PASS in told.status
    assert (told.part_id, told.part_id_copy, told.code) == (1, 1, ResultCode.PASS)
    assert (told.encoder, told.score, told.latency_ms) == (100_000, 500, 31)
    assert plc.coils == (True, True, True, True)
    settle(gate, plc)
    assert not plc.vision.status & (Status.RESULT_VALID | Status.TRIG_ACK)
    assert Status.TRIG_READY in plc.vision.status
    assert not plc.coils[Coil.PASS_PULSE]


def test_result_words_are_written_before_the_valid_bit(gate, plc):
    take(gate, plc, 1)
    gate.answer(PartResult(1, ResultCode.PASS))
    words, status = [w for w in plc.writes if not w.is_coils]
    assert (words.address, words.count) == (102, 16)
    assert words.values[0] == words.values[-1] == 1
    assert (status.address, status.count) == (101, 1)
    assert Status.RESULT_VALID in Status(status.values[0])
    assert plc.writes[-1].is_coils  # and what opens a gate by coil comes last of all


@pytest.mark.parametrize("code", OTHER_CODES)
def test_only_pass_sets_pass(gate, plc, code):
    take(gate, plc, 1)
    gate.answer(PartResult(1, code))
    assert Status.RESULT_VALID | Status.FAIL in plc.vision.status
    assert Status.PASS not in plc.vision.status
    assert not plc.coils[Coil.PASS_PULSE]
    assert plc.vision.code == code


def test_counts_are_told(gate, plc):
    codes = (ResultCode.PASS, ResultCode.FAIL, ResultCode.LATE, ResultCode.BAD_IMAGE)
    for part_id, code in enumerate(codes, start=1):
        take(gate, plc, part_id)
        gate.answer(PartResult(part_id, code))
        settle(gate, plc)
    counts = plc.vision.counts
    assert (counts.passed, counts.failed, counts.no_result) == (1, 1, 2)


def test_a_trigger_is_taken_once(gate, plc):
    take(gate, plc, 1)
    assert gate.wait_for_part(0.05) is None
    assert gate.view().refused == 0


@pytest.mark.parametrize("part_id", [0, 1])
def test_zero_and_a_repeated_id_are_refused(gate, plc, part_id):
    take(gate, plc, 1)
    gate.answer(PartResult(1, ResultCode.FAIL))
    settle(gate, plc)
    plc.say(TRIGGERED, part_id)
    assert gate.wait_for_part(0) is None
    assert gate.view().refused == 1
    assert Status.MISSED_TRIGGER in plc.vision.status


def test_a_trigger_raised_while_busy_is_missed_not_taken(gate, plc):
    """Its part may be gone by the time we look: a picture now would be the next part's."""
    take(gate, plc, 1)
    plc.say(TRIGGERED, 2)
    gate.answer(PartResult(1, ResultCode.FAIL))
    assert gate.wait_for_part(0) is None
    assert Status.MISSED_TRIGGER in plc.vision.status
    plc.say(ENABLED)
    gate.wait_for_part(0)
    take(gate, plc, 3)
    assert gate.view().stale == 1


def test_a_trigger_found_after_a_long_pause_is_not_taken(make_gate, plc, clock):
    gate = ready(make_gate(trigger_age_s=0.1), plc)
    clock.sleep(0.2)
    plc.say(TRIGGERED, 1, beats=1)
    for _ in range(3):
        assert gate.wait_for_part(0) is None
    assert Status.MISSED_TRIGGER in plc.vision.status
    assert gate.view().stale == 1


def test_behind_a_plc_that_always_answers_late_every_trigger_is_told_as_missed(
    make_gate, plc, clock
):
    gate = ready(make_gate(trigger_age_s=0.15), plc)
    for part in (1, 2, 3):
        for control in (ENABLED, TRIGGERED):
            plc.say(control, part, beats=1)
            plc.meanwhile = lambda: clock.sleep(0.1)
            assert gate.wait_for_part(0) is None
    assert (gate.view().stale, gate.view().refused) == (3, 0)


@pytest.mark.parametrize("held_s", [0.1, 0.2], ids=["still fresh", "too old"])
def test_a_part_that_came_while_an_answer_was_held_up_is_as_old_as_the_question(
    make_gate, plc, clock, held_s
):
    gate = ready(make_gate(trigger_age_s=0.15), plc)
    asked = clock.monotonic()
    plc.meanwhile = lambda: plc.say(TRIGGERED, 1) or clock.sleep(held_s)
    assert gate.wait_for_part(0) is None
    trigger = gate.wait_for_part(0)
    assert (trigger is not None) is (held_s < 0.15)
    if trigger:
        assert trigger.since == asked
    else:
        assert Status.MISSED_TRIGGER in plc.vision.status


def test_without_trig_enable_nothing_is_ready(gate, plc):
    plc.say(Control(0))
    gate.wait_for_part(0)
    assert Status.TRIG_READY not in plc.vision.status
    plc.say(Control.TRIGGER, 1)
    assert gate.wait_for_part(0) is None


def test_waiting_polls_until_the_timeout(gate, plc, clock):
    start = clock.monotonic()
    assert gate.wait_for_part(0.02) is None
    assert clock.monotonic() - start == pytest.approx(0.02)


def test_a_poll_is_one_read_and_no_write(gate, plc):
    plc.writes.clear()
    reads = []
    plc.refuse = lambda access: reads.append(access) or GRANTED
    gate.wait_for_part(0)
    assert [(a.address, a.count, a.values) for a in reads] == [(0, 13, None)]
    assert plc.writes == []


def test_the_heartbeat_moves_only_with_beat(gate, plc):
    before = plc.vision.heartbeat
    for _ in range(20):
        gate.wait_for_part(0)
    gate.request(line_stop=False, challenge=False)
    gate.safe_state("a reason")
    assert plc.vision.heartbeat == before
    gate.beat()
    assert plc.vision.heartbeat == before + 1


def test_a_lost_plc_heartbeat_drops_everything_and_its_return_restores(gate, plc, clock):
    assert gate.view().heartbeat_alive
    clock.sleep(1.4)
    gate.wait_for_part(0)
    assert gate.view().heartbeat_alive
    clock.sleep(0.2)
    gate.wait_for_part(0)
    assert not gate.view().heartbeat_alive
    assert Status.TRIG_READY not in plc.vision.status
    assert Status.REJECT_ALL_ACTIVE in plc.vision.status
    assert plc.coils == (False,) * 4
    plc.say(TRIGGERED, 1)
    assert gate.wait_for_part(0) is None
    ready(gate, plc)
    assert plc.coils == (False, True, True, True)


def test_a_pass_under_reject_all_is_written_as_no_result(gate, plc):
    plc.say(TRIGGERED | Control.REJECT_ALL_REQUEST, 1)
    assert gate.wait_for_part(0) is not None
    with pytest.raises(PlcError, match="withheld"):
        gate.answer(PartResult(1, ResultCode.PASS))
    assert plc.vision.code == ResultCode.NO_RESULT
    assert Status.RESULT_VALID | Status.FAIL in plc.vision.status


def test_a_pass_past_the_deadline_is_written_as_late(make_gate, plc, clock):
    gate = ready(make_gate(pass_deadline_s=0.5), plc)
    take(gate, plc, 1)
    clock.sleep(0.5)
    with pytest.raises(PlcError, match="part 1 withheld"):
        gate.answer(PartResult(1, ResultCode.PASS))
    assert plc.vision.code == ResultCode.LATE
    assert not plc.coils[Coil.PASS_PULSE]


def test_a_pass_whose_words_took_too_long_is_written_as_late(make_gate, plc, clock):
    gate = ready(make_gate(pass_deadline_s=0.3), plc)
    take(gate, plc, 1)
    real = gate._registers.write

    def slow(address, values):
        clock.sleep(0.4)
        real(address, values)

    gate._registers.write = slow
    with pytest.raises(PlcError, match="withheld"):
        gate.answer(PartResult(1, ResultCode.PASS))
    assert plc.vision.code == ResultCode.LATE
    assert not plc.coils[Coil.PASS_PULSE]
    assert not any(w.is_coils and w.values[Coil.PASS_PULSE] for w in plc.writes)
    assert (plc.vision.counts.passed, plc.vision.counts.no_result) == (0, 1)


@pytest.mark.parametrize("slow", ["STATUS", "coils"])
def test_a_pass_that_took_too_long_to_tell_is_taken_back(make_gate, plc, clock, slow):
    gate = ready(make_gate(pass_deadline_s=0.3), plc)
    take(gate, plc, 1)

    def slow_one(access):
        if access.is_coils == (slow == "coils") and access.address != 102:
            plc.meanwhile, plc.refuse = lambda: clock.sleep(0.4), grant
        return GRANTED

    plc.refuse = slow_one
    with pytest.raises(PassWithheld):
        gate.answer(PartResult(1, ResultCode.PASS))
    assert not plc.vision.status & (Status.PASS | Status.RESULT_VALID)
    assert (plc.vision.part_id, plc.vision.code) == (1, ResultCode.NO_RESULT)
    assert not plc.coils[Coil.PASS_PULSE]
    raised = [w for w in plc.writes if w.is_coils and w.values[Coil.PASS_PULSE]]
    assert len(raised) == (slow == "coils")
    settle(gate, plc)
    take(gate, plc, 2)
    gate.answer(PartResult(2, ResultCode.PASS))
    assert (plc.vision.counts.passed, plc.vision.counts.no_result) == (1, 1)


def test_the_lines_deadline_holds_where_the_plcs_settings_name_none(plc, clock):
    settings = ModbusSettings(port=plc.server.port, timeout_s=1.0, retries=0, trigger_age_s=0.0)
    gate = ready(open_gate(settings, clock, 0.3), plc)
    take(gate, plc, 1)
    clock.sleep(0.3)
    with pytest.raises(PlcError, match="withheld"):
        gate.answer(PartResult(1, ResultCode.PASS))
    assert plc.vision.code == ResultCode.LATE
    gate.close()


def test_a_missed_part_needs_no_words_and_gets_no_pass(gate, plc):
    take(gate, plc, 5)
    gate.answer(PartResult(4, ResultCode.NO_RESULT))
    with pytest.raises(PlcError, match="part 4 withheld"):
        gate.answer(PartResult(4, ResultCode.PASS))
    assert plc.writes == []
    gate.answer(PartResult(5, ResultCode.PASS))
    assert plc.vision.part_id == 5


def test_an_acknowledge_left_over_does_not_take_the_next_result(gate, plc):
    take(gate, plc, 1)
    gate.answer(PartResult(1, ResultCode.PASS))
    settle(gate, plc)
    plc.say(TRIGGERED | Control.RESULT_ACK, 2)
    assert gate.wait_for_part(0) is not None
    gate.answer(PartResult(2, ResultCode.PASS))
    plc.say(ENABLED | Control.RESULT_ACK)
    gate.wait_for_part(0)
    assert Status.RESULT_VALID in plc.vision.status
    settle(gate, plc)  # drops, and rises again with the next acknowledge
    settle(gate, plc)
    assert Status.RESULT_VALID not in plc.vision.status


def test_a_result_that_was_never_fetched_is_an_overrun(gate, plc):
    take(gate, plc, 1)
    gate.answer(PartResult(1, ResultCode.PASS))
    plc.say(ENABLED)
    gate.wait_for_part(0)
    take(gate, plc, 2)
    assert Status.BUFFER_OVERRUN in plc.vision.status
    assert not plc.vision.status & (Status.RESULT_VALID | Status.PASS)


def test_a_known_recipe_is_acknowledged(gate, plc):
    plc.say(ENABLED, recipe_id=4)
    gate.wait_for_part(0)
    gate.accept_recipe(4, known=True)
    assert plc.vision.recipe_ack == 4
    assert Status.RECIPE_ACK | Status.MODEL_OK | Status.TRIG_READY in plc.vision.status
    plc.say(ENABLED, recipe_id=5)
    gate.wait_for_part(0)
    assert Status.RECIPE_ACK not in plc.vision.status


def test_an_unknown_recipe_withdraws_ready_until_the_plc_runs_another(gate, plc):
    plc.say(ENABLED, recipe_id=9)
    gate.wait_for_part(0)
    gate.accept_recipe(9, known=False)
    assert not plc.vision.status & (Status.TRIG_READY | Status.RECIPE_ACK | Status.MODEL_OK)
    assert plc.vision.recipe_ack == 0
    plc.say(ENABLED, recipe_id=4)
    gate.wait_for_part(0)
    assert Status.TRIG_READY in plc.vision.status


def test_what_a_dead_request_wrote_late_is_written_over(gate, plc, clock):
    plc.memory.write_coils(0, [True] * 4)
    plc.memory.write(101, [int(Status.RESULT_VALID | Status.PASS)])
    clock.sleep(2 * AGAIN_S)
    gate.wait_for_part(0)
    assert not plc.coils[Coil.PASS_PULSE]
    assert Status.PASS not in plc.vision.status


def test_the_acknowledge_of_a_part_takes_the_code_of_the_last_one_away(gate, plc):
    take(gate, plc, 1)
    gate.answer(PartResult(1, ResultCode.PASS))
    settle(gate, plc)
    take(gate, plc, 2)
    told = plc.vision
    assert (told.part_id, told.code) == (2, ResultCode.NONE)


def test_the_pulse_of_a_pass_that_nobody_acknowledges_ends(make_gate, plc, clock):
    gate = ready(make_gate(pass_pulse_s=0.5), plc)
    for part_id in (1, 2):
        take(gate, plc, part_id)
        gate.answer(PartResult(part_id, ResultCode.PASS))
        plc.say(ENABLED, beats=1)
        gate.wait_for_part(0.4)
        assert plc.coils[Coil.PASS_PULSE]
        gate.wait_for_part(0.1)
        assert plc.coils == (False, True, True, True)
        assert Status.RESULT_VALID | Status.PASS in plc.vision.status


def test_requests_stand_until_taken_back(gate, plc):
    gate.request(line_stop=True, challenge=True)
    assert Status.LINE_STOP_REQUEST | Status.CHALLENGE_REQUEST in plc.vision.status
    assert not plc.coils[Coil.LINE_PERMIT]
    gate.request(line_stop=False, challenge=False)
    assert not plc.vision.status & (Status.LINE_STOP_REQUEST | Status.CHALLENGE_REQUEST)
    assert plc.coils[Coil.LINE_PERMIT]


def test_a_challenge_piece_is_passed_on(gate, plc):
    plc.say(TRIGGERED | Control.CHALLENGE_MODE, 1)
    assert gate.wait_for_part(0).challenge


def test_safe_state_takes_a_standing_pass_back(gate, plc):
    take(gate, plc, 1)
    gate.answer(PartResult(1, ResultCode.PASS))
    gate.safe_state("the camera is gone")
    assert Status.ERROR | Status.REJECT_ALL_ACTIVE in plc.vision.status
    assert not plc.vision.status & (Status.PASS | Status.RESULT_VALID | Status.MODEL_OK)
    assert plc.coils == (False,) * 4
    assert (plc.vision.part_id, plc.vision.code) == (1, ResultCode.NO_RESULT)


def test_coils_fall_before_status_and_rise_after_it(gate, plc):
    plc.writes.clear()
    gate.safe_state("the camera is gone")
    assert [w.is_coils for w in plc.writes] == [True, False]
    plc.writes.clear()
    plc.say(ENABLED | Control.CLEAR_ERROR)
    gate.wait_for_part(0)
    assert [w.is_coils for w in plc.writes] == [False, True]


def test_only_a_real_verdict_ends_the_safe_state(gate, plc):
    gate.safe_state("the camera is gone")
    for part_id, code, is_safe in [
        (1, ResultCode.NO_RESULT, True),
        (2, ResultCode.FAIL, False),
    ]:
        take(gate, plc, part_id)
        gate.answer(PartResult(part_id, code))
        assert (Status.ERROR in plc.vision.status) is is_safe
        settle(gate, plc)


def test_safe_state_never_raises_and_holds_after_the_return(gate, plc, clock):
    plc.server.close()
    gate.safe_state("a reason")
    gate.safe_state("again")
    plc.server.start()
    clock.sleep(10)
    ready(gate, plc)
    assert Status.ERROR | Status.REJECT_ALL_ACTIVE in plc.vision.status


def test_refused_words_leave_no_pass(gate, plc):
    take(gate, plc, 1)
    plc.refuse = lambda access: 6 if access.address == 102 else GRANTED
    with pytest.raises(PlcError, match="device busy"):
        gate.answer(PartResult(1, ResultCode.PASS))
    plc.refuse = grant
    gate.safe_state("it was not heard")
    assert not plc.vision.status & (Status.PASS | Status.RESULT_VALID)
    with pytest.raises(PlcError, match="withheld"):
        gate.answer(PartResult(1, ResultCode.PASS))


@pytest.mark.parametrize("refused", ["coils", "STATUS"])
@pytest.mark.parametrize("leave", [lambda gate: gate.safe_state("why"), lambda g: g.close()])
def test_where_the_plc_refuses_one_table_the_other_takes_the_pass_back(
    gate, plc, refused, leave
):
    take(gate, plc, 1)
    gate.answer(PartResult(1, ResultCode.PASS))
    plc.refuse = lambda access: 2 * (access.is_coils == (refused == "coils"))
    leave(gate)
    plc.refuse = grant
    if refused == "coils":
        assert not plc.vision.status & (Status.PASS | Status.RESULT_VALID)
        assert plc.vision.code is not ResultCode.PASS
    else:
        assert plc.coils == (False,) * 4


def test_a_refused_write_takes_a_standing_pass_back(gate, plc):
    take(gate, plc, 1)
    gate.answer(PartResult(1, ResultCode.PASS))
    plc.refuse = lambda access: 6 if access.address == 100 else GRANTED
    with pytest.raises(PlcError, match="device busy"):
        gate.beat()
    assert not plc.vision.status & (Status.PASS | Status.RESULT_VALID)
    assert plc.coils == (False,) * 4


def test_after_a_drop_the_plc_is_told_everything_anew(gate, plc, clock):
    take(gate, plc, 1)
    plc.server.close()
    with pytest.raises(PlcError):
        gate.answer(PartResult(1, ResultCode.PASS))
    plc.server.start()
    plc.writes.clear()
    clock.sleep(10)
    plc.say(TRIGGERED, 1, beats=1)
    assert gate.wait_for_part(0) is None  # the same part, still standing there
    assert [w.address for w in plc.writes[:2]] == [0, 101]
    ready(gate, plc)
    take(gate, plc, 2)


def test_close_takes_every_permission_back(gate, plc):
    gate.close()
    assert plc.vision.status == Status(0)
    assert plc.coils == (False,) * 4
    gate.close()


def test_who_leaves_a_plc_that_refuses_coils_is_not_online_any_more(gate, plc):
    plc.refuse = lambda access: 2 if access.is_coils else GRANTED
    gate.close()
    assert plc.vision.status == Status(0)


def test_close_of_a_gate_whose_plc_is_gone_does_not_raise(gate, plc):
    plc.server.close()
    gate.close()


def test_without_coils_none_are_written(make_gate, plc):
    plc.refuse = lambda access: 2 if access.is_coils else GRANTED
    gate = ready(make_gate(coils=False), plc)
    take(gate, plc, 1)
    gate.answer(PartResult(1, ResultCode.PASS))
    assert Status.PASS in plc.vision.status
    assert not any(w.is_coils for w in plc.writes)


def test_the_word_order_is_obeyed_both_ways(make_gate, plc):
    gate = ready(make_gate(word_order="DCBA"), plc)
    plc.memory.write(0, PlcBlock(3, 1, 6, TRIGGERED, 1, 100_000).words("DCBA"))
    assert gate.wait_for_part(0).encoder == 100_000
    gate.answer(PartResult(1, ResultCode.FAIL))
    assert plc.memory.read(106, 2) == [0xA086, 0x0100]
