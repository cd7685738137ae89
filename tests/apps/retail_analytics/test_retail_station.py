"""The whole station on fakes and a real store: counts, bad views, calls, days, restarts."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from apps.retail_analytics.record import EVENT
from common.errors import ConfigError
from tests.apps.retail_analytics.retail_rig import (
    DOOR,
    ERIC,
    NOON,
    TILLS,
    Rig,
    picture,
    settings_for,
    standing,
)

QUEUE = [standing(100, 400), standing(200, 400), standing(300, 400)]


# ------------------------------------------------------------------------------ counting


def test_people_through_the_door_are_published_when_the_interval_closes(rig):
    rig.enter(4)
    assert rig.intervals() == []
    rig.to_border()
    (interval,) = rig.intervals()
    line = interval["lines"][0]
    assert (line["in"], line["out"]) == (4, 0)
    assert interval["interval_end"] == NOON + 60
    assert interval["usable"]
    assert interval["station"] == "retail-analytics"
    assert interval["config_version"] == 0
    assert interval["model"].startswith("fake 1")


def test_the_record_the_ledger_and_the_event_are_one(rig):
    rig.enter(4)
    rig.to_border()
    (interval,) = rig.intervals()
    (record,) = [r for r in rig.records("interval") if r.subject == "door"]
    assert dict(record.body) == interval
    payloads = rig.query("SELECT payload FROM outbox WHERE class = 'verdict'")
    events = [json.loads(body) for (body,) in payloads]
    told = [event["data"] for event in events if event["type"] == EVENT]
    assert interval in told


def test_few_people_are_told_nowhere(rig):
    rig.enter(2)
    rig.to_border()
    (interval,) = rig.intervals()
    assert interval["lines"][0]["in"] is None
    assert interval["lines"][0]["suppressed"]
    snapshot = rig.snapshot()
    assert snapshot["today"]["in"] == 0
    assert snapshot["today"]["suppressed"] == 1
    assert snapshot["occupancy"]["inside"] is None
    assert snapshot["occupancy"]["few"]


def test_the_snapshot_says_how_the_process_of_the_model_fares(rig):
    assert rig.snapshot()["model"]["process"] == {"alive": True}


def test_who_is_inside_is_told_rounded_and_once_a_minute(rig):
    rig.enter(7)
    before = rig.snapshot()["occupancy"]["inside"]
    rig.clock.sleep(60.0)
    after = rig.snapshot()["occupancy"]
    assert after["inside"] == 5
    assert before in (None, 5)
    assert after["over"]  # judged by the exact number: 7 of 4
    assert rig.snapshot()["occupancy"]["inside"] == 5
    rig.enter(1)
    told = {rig.station.snapshot()["occupancy"]["inside"]}
    assert told == {5}  # within the minute nothing moves, though one came


def test_nothing_technical_tells_a_count_of_people(rig):
    rig.enter(7)
    words = rig.station.metrics().decode()
    assert "7.0" not in [line.split()[-1] for line in words.splitlines() if line[0] != "#"]
    assert "crossing" not in words


# -------------------------------------------------------------------------- bad pictures


def test_a_dark_camera_is_not_an_empty_shop(rig):
    rig.watch("door", 30.0, frame=np.full((480, 640, 3), 2, np.uint8))
    found = rig.camera()
    assert found["state"] == "dark"
    assert rig.station.snapshot()["occupancy"]["usable"] is False
    rig.to_border()
    (interval,) = rig.intervals()
    assert not interval["usable"]
    assert interval["lines"][0]["in"] is None
    assert interval["quality"]["reasons"]["dark"] > 25


def test_a_dark_camera_raises_an_alarm_while_the_shop_is_open(rig):
    rig.watch("door", 12.0, frame=np.full((480, 640, 3), 2, np.uint8))
    assert rig.alarm("camera_blind.door") == "UNACK"
    rig.watch("door", 7.0)
    assert rig.alarm("camera_blind.door") == "RTNUN"


def test_darkness_is_expected_when_the_shop_is_closed(tmp_path):
    from apps.retail_analytics.config import Hours  # noqa: PLC0415

    rig = Rig(tmp_path, settings_for(hours=Hours("03:00", "03:01")))
    rig.watch("door", 12.0, frame=np.full((480, 640, 3), 2, np.uint8))
    assert rig.camera()["state"] == "dark"
    assert rig.alarm("camera_blind.door") == "NORM"
    rig.stop()


def test_a_frozen_picture_is_not_looked_at(rig):
    frame = picture(1)
    for _ in range(80):
        rig.see("door", [standing(300, 300)], frame.copy())
    assert rig.camera()["state"] == "frozen"


def test_a_turned_camera_is_told_and_a_new_set_up_takes_it_as_right(rig):
    rig.watch("door", 5.0)
    turned = [np.roll(picture(number), 90, axis=1) for number in range(100)]
    for frame in turned:
        rig.see("door", (), frame.copy())
    assert rig.camera()["state"] == "moved"
    assert rig.alarm("camera_moved.door") == "UNACK"
    (now,) = [c for c in rig.snapshot()["setup"]["cameras"] if c["name"] == "door"]
    drawing = {name: now[name] for name in ("lines", "zones", "masks", "homography")}
    rig.command("setup.apply", camera="door", reason="turned on purpose", **drawing)
    for frame in turned[:20]:
        rig.see("door", (), frame.copy())
    assert rig.camera()["state"] == "good"


def test_a_picture_of_another_size_is_refused_and_painted_over(rig):
    small = picture(1)[:240, :320].copy()
    rig.see("door", (), small)
    assert rig.camera()["state"] == "size"
    assert (small == small[0, 0]).all()


def test_a_camera_that_dies_is_unobserved_time_and_comes_back(rig):
    rig.watch("door", 20.0)
    rig.cameras["door"].away = "the cable is out"
    for _ in range(40):
        rig.station.sense.watchers["door"].step()
        rig.station.turn()
        rig.clock.sleep(0.5)
    found = rig.camera()
    assert found["state"] == "gone"
    assert "the cable is out" in found["reason"]
    assert "part 0" not in found["reason"]
    assert rig.alarm("camera_away.door") == "UNACK"
    rig.cameras["door"].away = ""
    rig.to_border()
    (interval,) = rig.intervals()
    assert interval["quality"]["reasons"]["gone"] == pytest.approx(20.0, abs=2.0)
    assert not interval["usable"]
    assert rig.camera()["state"] == "good"


def test_a_camera_that_says_nothing_at_all_is_unobserved_time(rig):
    rig.watch("door", 5.0)
    rig.idle(turns=60, seconds=1.0)
    (interval,) = rig.intervals()
    assert rig.camera()["state"] == "gone"
    assert not interval["usable"]
    assert interval["lines"][0]["in"] is None


def test_one_picture_a_second_follows_nobody(rig):
    rig.watch("door", 20.0, [standing(300, 300)], fps=1.0)
    found = rig.camera()
    assert found["state"] == "slow"
    assert found["reason"].startswith("slow: 1.0 pictures/s")
    rig.watch("door", 12.0, fps=1.0)
    assert rig.alarm("camera_slow.door") == "UNACK"


def test_five_pictures_a_second_are_enough(rig):
    rig.watch("door", 10.0, fps=5.0)
    assert rig.camera()["state"] == "good"


def test_a_network_that_fails_makes_blind_time_and_never_a_zero(rig):
    rig.detector.broken = "out of memory"
    rig.watch("door", 5.0)
    assert rig.camera()["state"] == "model"
    assert rig.alarm("inference_failed") == "UNACK"
    assert not rig.station.snapshot()["healthy"]
    rig.to_border()
    (interval,) = rig.intervals()
    assert not interval["usable"]
    assert interval["lines"][0]["in"] is None
    rig.detector.broken = ""
    rig.watch("door", 2.0)
    assert rig.alarm("inference_failed") == "RTNUN"


def test_a_driver_with_a_bug_does_not_end_the_camera(rig):
    rig.cameras["door"].frames.append(None)  # no array at all
    rig.station.sense.watchers["door"].step()
    rig.station.turn()
    rig.clock.sleep(0.1)
    assert rig.camera()["state"] == "gone"
    rig.watch("door", 1.0)
    assert rig.camera()["state"] == "good"


def test_pictures_that_nobody_could_look_at_are_counted_and_told(rig):
    for _ in range(15):
        for _ in range(15):  # many for one turn of the loop
            rig.cameras["door"].frames.append(picture(rig.number))
            rig.number += 1
            rig.station.sense.watchers["door"].step()
            rig.clock.sleep(0.1)
        rig.station.turn()
    assert rig.camera()["dropped"] > 50
    assert rig.alarm("overload") == "UNACK"
    assert "pictures of the last minute dropped" in rig.board.alarm("overload").detail


def test_with_several_under_way_the_counts_are_the_same(tmp_path):
    settings = settings_for()
    counts = []
    for depth in (1, 3):
        folder = tmp_path / str(depth)
        folder.mkdir()
        rig = Rig(folder, replace(settings, model=replace(settings.model, depth=depth)))
        rig.enter(4)
        rig.leave(3)
        rig.to_border()
        rig.idle(turns=5, seconds=0.0)  # what is still under way
        counts.append([(i["lines"][0]["in"], i["lines"][0]["out"]) for i in rig.intervals()])
        rig.stop()
    assert counts == [[(4, 3)], [(4, 3)]]


# --------------------------------------------------------------------- queues and calls


def test_a_long_queue_calls_staff_and_ends_the_call(rig):
    rig.watch("tills", 8.0, QUEUE)
    assert rig.alarm("queue_long.tills") == "UNACK"
    detail = rig.board.alarm("queue_long.tills").detail
    assert detail == "queue: 2 or more for 3 s"  # the limits, never the number
    rig.clock.sleep(10.0)
    (queue,) = rig.snapshot()["queues"]
    assert queue["called"]
    assert queue["since"] is not None
    rig.watch("tills", 20.0)
    assert rig.alarm("queue_long.tills") == "RTNUN"
    (queue,) = rig.snapshot()["queues"]
    assert not queue["called"]


def test_a_call_stands_while_the_queue_is_not_seen(rig):
    rig.watch("tills", 8.0, QUEUE)
    rig.watch("tills", 30.0, frame=np.full((480, 640, 3), 2, np.uint8))
    assert rig.alarm("queue_long.tills") == "UNACK"
    (queue,) = rig.snapshot()["queues"]
    assert queue["called"]
    assert not queue["usable"]
    assert queue["length"] is None


def test_more_people_than_allowed_is_an_alarm_that_tells_the_limit(rig):
    rig.enter(5)
    rig.watch("door", 6.0)
    assert rig.alarm("occupancy_limit") == "UNACK"
    assert rig.board.alarm("occupancy_limit").detail == "more than 4 inside"


# ------------------------------------------------------------------ clocks and restarts


def test_a_restart_inside_an_interval_counts_nobody_twice(tmp_path):
    rig = Rig(tmp_path)
    rig.enter(4)
    rig.stop()
    rig.start()
    rig.enter(3)
    rig.to_border()
    rig.to_border()
    first, second = rig.intervals()
    assert first["partial"]
    assert first["lines"][0]["in"] == 4
    assert second["lines"][0]["in"] == 3
    assert "carried" in second["marks"]
    assert [first["interval_end"], second["interval_end"]] == [NOON + 60, NOON + 120]
    rig.stop()


def test_wider_intervals_after_a_restart_begin_at_their_own_border(tmp_path):
    rig = Rig(tmp_path)
    rig.enter(4)
    rig.to_border()
    rig.stop()
    privacy = replace(rig.settings.privacy, interval_min=5)
    rig.settings = replace(rig.settings, privacy=privacy)
    rig.start()
    rig.enter(3)
    rig.watch("door", 600.0, fps=4.0)
    rig.settle()
    narrow, cut, wide = rig.intervals()[:3]
    assert rig.station.recorder.refused == 0
    assert narrow["interval_end"] == NOON + 60
    assert wide["interval_start"] == NOON + 300
    assert wide["lines"][0]["in"] == 3
    assert "carried" in wide["marks"]
    assert cut["partial"]  # what the first start had open when it ended
    rig.stop()


def test_a_power_failure_loses_the_open_interval_and_says_partial(tmp_path):
    rig = Rig(tmp_path)
    rig.enter(4)
    rig.kill()
    rig.start()
    rig.enter(3)
    rig.to_border()
    (interval,) = rig.intervals()
    assert interval["partial"]
    assert "started" in interval["marks"]
    assert interval["lines"][0]["in"] == 3
    rig.stop()


@pytest.mark.parametrize(("step", "refused"), [(-50.0, 0), (-300.0, 1), (300.0, 0)])
def test_a_clock_that_steps_over_a_border_counts_nobody_twice(rig, step, refused):
    rig.enter(4)
    rig.to_border()
    rig.enter(3)
    rig.watch("door", 5.0)
    rig.clock.set_wall(rig.clock.wall() + step)
    rig.enter(3)
    rig.watch("door", abs(step) + 61.0)
    rig.settle()
    counts = [interval["lines"][0]["in"] for interval in rig.intervals()]
    assert sum(count or 0 for count in counts) == 10
    assert any("clock_stepped" in interval["marks"] for interval in rig.intervals())
    assert rig.station.recorder.refused == refused  # of a time that was told of already


def test_a_set_clock_is_told(rig):
    rig.watch("door", 1.0)
    rig.clock.set_wall(rig.clock.wall() + 3600.0)
    rig.watch("door", 1.0)
    assert rig.alarm("clock_stepped") in ("UNACK", "RTNUN")


def test_occupancy_over_a_restart_is_what_was_told_and_no_more(tmp_path):
    rig = Rig(tmp_path)
    rig.enter(7)
    rig.stop()
    ((kept,),) = [(json.loads(v),) for (v,) in _meta(tmp_path, "retail_occupancy")]
    assert kept["inside"] == 5
    assert set(kept) == {"inside", "drift", "day", "reset", "reset_by"}
    rig.start()
    assert rig.station.crowd.told.inside == 5
    rig.stop()


def test_a_new_business_day_empties_the_shop(rig):
    rig.enter(7)
    before = rig.station.crowd.reset_at
    rig.clock.set_wall(rig.station.crowd.day_start(rig.clock.wall()) + 86_400.0 + 60.0)
    rig.idle()
    occupancy = rig.snapshot()["occupancy"]
    assert occupancy["few"]
    assert occupancy["reset_by"] == "clock"
    assert occupancy["reset"] > before


# --------------------------------------------------------------------------- other things


def test_published_intervals_are_erased_when_their_days_are_over(rig):
    rig.enter(4)
    rig.to_border()
    assert len(rig.intervals()) == 1
    rig.clock.sleep(761 * 86_400.0)
    rig.store.submit(lambda _: None).result()
    for _ in range(100):
        if not rig.intervals():
            break
        threading.Event().wait(0.1)
    assert rig.intervals() == []
    assert rig.query("SELECT * FROM retail_cells") == []
    assert rig.query("SELECT count FROM drops WHERE what = 'interval'") == [(1,)]


def test_the_statement_stands_in_the_file(rig):
    rig.settle()
    (words,) = [json.loads(v)["text"] for (v,) in _meta(rig.folder, "statement:de")]
    assert words.startswith("# Was retail-analytics")


def test_a_broken_set_up_file_is_one_clear_line(tmp_path):
    rig = Rig(tmp_path)
    rig.stop()
    (tmp_path / "setup.json").write_text('{"version": 1, "cameras": {"door": {"lines": 3}}}')
    with pytest.raises(ConfigError, match=r"setup\.json: .*lines.*delete it to go back"):
        rig.start()
    rig.store.close()


def test_run_turns_until_it_is_stopped_and_closes_what_is_open(tmp_path):
    rig = Rig(tmp_path, settings_for(DOOR, TILLS))
    rig.enter(4)
    for camera in rig.cameras.values():
        camera.away = "the film is over"
    stop = threading.Event()
    stop.set()
    rig.station.run(stop)
    (interval,) = rig.intervals()
    assert interval["partial"]
    assert interval["lines"][0]["in"] == 4
    rig.store.close()


def test_a_correction_that_the_disk_is_just_taking_is_in_what_a_stop_keeps(tmp_path):
    rig = Rig(tmp_path, settings_for(DOOR, TILLS))
    stop = threading.Event()
    asked = rig.station.command("occupancy.correct", {"inside": 20, "reason": "counted"}, ERIC)
    rig.station._queue.carry_out(rig.station._commands.carry_out)  # and not one turn more
    stop.set()
    rig.station.run(stop)
    assert asked.result(0) == "taken over"
    rig.store.close()
    rig.start()
    assert rig.station.crowd.document()["inside"] == 20
    rig.store.close()


def test_the_cameras_threads_feed_the_loop(tmp_path):
    rig = Rig(tmp_path)
    for name, camera in rig.cameras.items():
        camera.frames.extend(picture(number) for number in range(3))
        rig.station.sense.watchers[name].settings.fps  # noqa: B018 - as set
    rig.station.sense.start()
    seen = set()
    for _ in range(40):
        turn = rig.station.turn()
        rig.clock.sleep(0.01)
        if turn is not None:
            seen.add(turn.decision.camera)
        if seen == {"door", "tills"}:
            break
    assert seen == {"door", "tills"}
    rig.stop()


def _meta(folder, key):
    from contextlib import closing  # noqa: PLC0415

    from common.storage.queries import open_readonly  # noqa: PLC0415

    with closing(open_readonly(folder / "station.sqlite")) as connection:
        return connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchall()


def test_a_minute_after_somebody_left_nothing_knows_their_number_or_way(rig):
    settings = rig.settings
    assert settings.privacy.interval_min == 1
    rig.walk("door", (300, 420), (300, 60), seconds=4.0)
    book = rig.station.recorder.books["door"]
    assert book._marks._known
    assert book._heat.first
    rig.watch("door", 62.0)
    assert book._marks._known == {}
    assert book._heat.first == {}
    state = rig.station.pipeline.state["door"]
    assert state.seen == {}
    assert state.aliases == {}
    assert all(not line for line in state.lines.values())
