"""One verdict per part, its picture when it did not pass, and the event beside it."""

import hashlib
import json
import threading
from contextlib import closing
from dataclasses import replace

import cv2
import numpy as np
import pytest

from apps.defect_inspection.domain import (
    Challenge,
    Decision,
    Defect,
    Inspection,
    Shot,
    Verdict,
)
from apps.defect_inspection.record import CHALLENGE_EVENT, EVENT, PartProvenance, Recorder
from common.pipeline import Fault, Outcome
from common.ports import Sample, Trigger
from common.quality import Quality
from common.storage.queries import latest, open_readonly
from common.telemetry.outbox import Outbox

FRAME = np.arange(64, dtype=np.uint8).reshape(8, 8)
HOLE = Defect("open", 0.9, (1.0, 2.0, 3.0, 4.0), 0.05, (0.1, 0.2))
SOURCE = PartProvenance("cam01", "lineside 0.1", "pcb 1 (fp32)", "ab" * 32, "camera 7")


@pytest.fixture
def outbox(store, clock):
    return Outbox(source="urn:test", epoch=store.epoch, boot_id=store.boot_id, clock=clock)


@pytest.fixture
def recorder(store, outbox, shipped):
    return Recorder(store, outbox, ("mqtt", "webhook"), shipped, SOURCE)


def turn(verdict, part_id=7, frame=FRAME, sequence=1, **decided):
    sample = Sample(
        f"{sequence}/{part_id}",
        Shot(Trigger(part_id, encoder=99, recipe_id=1, batch=3), frame),
        sequence, 1_767_225_600.25, 5.0,
    )  # fmt: skip
    defects = () if verdict is Verdict.PASS else (HOLE,)
    percept = Inspection(part_id, 1, Quality.GOOD, "", defects, 20.0)
    decision = Decision(part_id, verdict, ("because",), latency_ms=21.456, **decided)
    return Outcome(sample, percept, decision, {"perceive": 15.12345, "total": 30.0})


def missed(part_id=8, sequence=2):
    fault = Fault("sense", "fake PLC", "nobody looked", f"{sequence}/{part_id}")
    decision = Decision(part_id, Verdict.NO_RESULT, ("sense: nobody looked",))
    return Outcome(None, fault, decision, {})


def kept(store, kind="verdict"):
    """Everything recorded, once the store has written it."""
    store.close()
    with closing(open_readonly(store.path)) as connection:
        return latest(connection, kind)


def events(store):
    store.close()
    with closing(open_readonly(store.path)) as connection:
        rows = connection.execute(
            "SELECT sink, class, payload FROM outbox WHERE class = 'verdict' ORDER BY seq"
        )
        return [(sink, of_class, json.loads(payload)) for sink, of_class, payload in rows]


def test_a_part_is_one_trace_record(recorder, store):
    recorder(turn(Verdict.REJECT))
    (record,) = kept(store)
    assert (record.subject, record.wall_time, record.monotonic) == (
        "1/7",
        1_767_225_600.25,
        5.0,
    )
    assert record.boot_id == store.boot_id
    body = dict(record.body)
    assert body.pop("image_sha256")
    assert body == {
        "schema": "lineside.inspection.verdict/1",
        "station": "cam01", "software": "lineside 0.1", "model": "pcb 1 (fp32)",
        "model_sha256": "ab" * 32, "camera": "camera 7",
        "part_id": 7, "batch": 3, "encoder": 99,
        "recipe_id": 1, "recipe": "Bare board, back-lit", "calibration": "",
        "t_trigger": "2026-01-01T00:00:00.250+00:00",
        "t_result": "2026-01-01T00:00:00.000+00:00",
        "verdict": "reject", "reasons": ["because"],
        "defects": [{"kind": "open", "score": 0.9, "box_px": [1.0, 2.0, 3.0, 4.0],
                     "size_mm": 0.05, "centre_mm": [0.1, 0.2]}],
        "latency_ms": {"perceive": 15.123, "total": 21.46},
        "challenge": False, "line_stop": "",
    }  # fmt: skip


def test_of_a_part_nobody_saw_nothing_is_made_up(recorder, store):
    recorder(missed())
    body = kept(store)[0].body
    unknown = ("batch", "encoder", "recipe_id", "t_trigger")
    assert [body[name] for name in unknown] == [None] * 4
    assert body["latency_ms"]["total"] is None


def test_the_result_is_dated_when_it_was_given(recorder, store, clock):
    held = store.submit(lambda _: clock.sleep(60.0))  # the disk is busy for a minute
    recorder(missed())
    held.result(5.0)
    (record,) = kept(store)
    assert record.body["t_result"] == "2026-01-01T00:00:00.000+00:00"
    assert record.wall_time == 1_767_225_600.0


@pytest.mark.parametrize("verdict", Verdict)
def test_a_picture_is_kept_of_what_did_not_pass(recorder, store, verdict):
    recorder(turn(verdict))
    (record,) = kept(store)
    assert (record.picture is None) is (verdict is Verdict.PASS)
    assert ("image_sha256" in record.body) is (verdict is not Verdict.PASS)


def test_the_hash_is_that_of_the_file_and_the_file_is_the_frame(recorder, store):
    recorder(turn(Verdict.HOLD))
    (record,) = kept(store)
    path = store.pictures.folder / record.picture
    assert hashlib.sha256(path.read_bytes()).hexdigest() == record.body["image_sha256"]
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), FRAME)


def test_pictures_of_passes_are_kept_where_wished(store, outbox, shipped):
    wished = replace(shipped, retention=replace(shipped.retention, keep_pass_pictures=True))
    Recorder(store, outbox, (), wished, SOURCE)(turn(Verdict.PASS))
    assert kept(store)[0].picture


@pytest.mark.parametrize(
    "frame",
    [np.zeros((0, 8), np.uint8), np.zeros((8, 8, 2), np.uint8)],
    ids=["empty", "2 channels"],
)
def test_a_frame_that_no_file_can_hold_costs_the_picture_not_the_record(recorder, store, frame):
    recorder(turn(Verdict.BAD_IMAGE, frame=frame))
    (record,) = kept(store)
    assert record.body["verdict"] == "bad_image"
    assert record.picture is None


def test_a_missed_part_has_its_record_too(recorder, store):
    recorder(missed())
    (record,) = kept(store)
    assert (record.subject, record.body["part_id"]) == ("2/8", 8)
    assert record.body["t_trigger"] is None
    assert record.body["reasons"] == ["sense: nobody looked"]


def test_a_fault_that_cost_no_part_is_no_record(recorder, store):
    decision = Decision(0, Verdict.NO_RESULT, ("sense: no answer",))
    recorder(Outcome(None, Fault("sense", "fake PLC", "no answer"), decision, {}))
    assert kept(store) == []


def test_an_unknown_recipe_is_kept_by_its_number(recorder, store):
    strange = turn(Verdict.NO_RESULT)
    trigger = replace(strange.sample.data.trigger, recipe_id=9)
    sample = replace(strange.sample, data=Shot(trigger, FRAME))
    recorder(replace(strange, sample=sample))
    body = kept(store)[0].body
    assert (body["recipe_id"], body["recipe"]) == (9, "")


def test_record_and_event_are_one(recorder, store):
    recorder(turn(Verdict.REJECT))
    recorder(turn(Verdict.PASS, part_id=8, sequence=2))
    told = events(store)
    assert [(sink, of_class) for sink, of_class, _ in told] == [
        ("mqtt", "verdict"), ("webhook", "verdict")] * 2  # fmt: skip
    bodies = [dict(record.body) for record in kept(store)]
    assert [event["data"] for _, _, event in told[::2]] == bodies
    assert {event["type"] for _, _, event in told} == {EVENT}
    assert told[0][2]["subject"] == "part/1/7"


def test_an_event_that_cannot_be_queued_takes_its_record_along(store, shipped):
    class Refusing:
        def append(self, *_):
            raise RuntimeError("the outbox is broken")

    Recorder(store, Refusing(), ("mqtt",), shipped, SOURCE)(turn(Verdict.REJECT))
    assert kept(store) == []
    assert store.failed == 1


def test_no_sink_no_event(store, outbox, shipped):
    Recorder(store, outbox, (), shipped, SOURCE)(turn(Verdict.REJECT))
    assert events(store) == []


def test_pictures_never_leave(recorder, store):
    recorder(turn(Verdict.REJECT))
    for _, _, event in events(store):
        assert "png" not in json.dumps(event)


def test_a_second_verdict_is_refused_counted_and_changes_nothing(recorder, store):
    recorder(turn(Verdict.REJECT))
    recorder(turn(Verdict.HOLD, frame=255 - FRAME))
    (record,) = kept(store)
    assert record.body["verdict"] == "reject"
    assert store.failed == 1
    assert "has a verdict already" in store.last_error
    assert len(events(store)) == 2
    picture = (store.pictures.folder / record.picture).read_bytes()
    assert hashlib.sha256(picture).hexdigest() == record.body["image_sha256"]


def test_the_same_part_number_after_the_wrap_is_another_part(recorder, store):
    recorder(turn(Verdict.REJECT, part_id=7, sequence=1))
    recorder(turn(Verdict.REJECT, part_id=7, sequence=65_536))
    assert [record.subject for record in kept(store)] == ["1/7", "65536/7"]


def test_handing_over_waits_for_no_disk(recorder, store):
    """The store's thread is busy: the loop does not notice."""
    begun, released = threading.Event(), threading.Event()

    def hold(_connection):
        begun.set()
        released.wait(5.0)

    store.submit(hold)
    begun.wait(5.0)
    for part_id in range(1, 20):
        recorder(turn(Verdict.REJECT, part_id=part_id))
    released.set()
    assert len(kept(store)) == 19


def test_a_challenges_outcome_is_kept_and_told(recorder, store):
    recorder.challenge(Challenge(2, frozenset({3, 1}), frozenset(), frozenset({1, 3, 5})))
    (record,) = kept(store, "challenge")
    assert record.body["outcome"] == "passed"
    assert (record.body["rejected"], record.body["confirmed"]) == ([1, 3], [1, 3])
    assert {event["type"] for _, _, event in events(store)} == {CHALLENGE_EVENT}
