"""What people may ask: roles, set-up, mosaic, occupancy; refused means nothing changed."""

import json
import sqlite3
import stat

import httpx
import pytest

from apps.retail_analytics.commands import MOSAIC_REST_S, ROLES
from apps.retail_analytics.scene_setup import FILE, read_setup
from common.errors import LinesideError
from common.inference.images import PAD_GREY
from common.service import ApiServer, build_api
from common.store import StoreUnavailable
from common.users import Users
from tests.apps.retail_analytics.retail_rig import ANNA, ERIC, NOON, VERA, Rig, standing

SQUARE = [[100, 100], [200, 100], [200, 200], [100, 200]]
DRAWING = {
    "lines": [{"name": "door", "points": [[600, 240], [40, 240]], "door": True}],
    "zones": [{"name": "shelf", "polygon": SQUARE}],
    "masks": [{"name": "desk", "polygon": SQUARE}],
    "homography": None,
}
FLOOR = {"picture_px": [[100, 400], [500, 400], [400, 200], [200, 200]],
         "floor_m": [[0, 0], [4, 0], [4, 6], [0, 6]]}  # fmt: skip


def apply(rig, user=ERIC, camera="door", reason="moved the shelf", **changes):
    return rig.command(
        "setup.apply", user, camera=camera, reason=reason, **{**DRAWING, **changes}
    )


def audited(rig):
    return rig.query("SELECT user, role, action, target, reason FROM audit ORDER BY seq")


# ------------------------------------------------------------------------------- roles


def test_who_may_do_what():
    assert ROLES["occupancy.reset"] == ROLES["occupancy.correct"] == "operator"
    assert ROLES["setup.apply"] == ROLES["setup.mosaic"] == "engineer"
    assert ROLES["acknowledge"] == "operator"
    assert ROLES["statement"] == "viewer"
    assert VERA.may(ROLES["statement"])
    assert not ANNA.may(ROLES["setup.mosaic"])


def test_the_api_refuses_who_may_not_and_audits_it(rig):
    trail = []
    users = Users(rig.folder / "users.json", rig.clock)
    users.add("anna", "operator", "correct-horse")
    server = ApiServer(build_api(rig.station, users, audit=trail.append), 0)
    server.start()
    answer = httpx.post(
        f"http://127.0.0.1:{server.port}/commands/setup.mosaic",
        auth=("anna", "correct-horse"), headers={"X-Nonce": "n" * 16},
        json={"camera": "door", "reason": "curious"}, trust_env=False,
    )  # fmt: skip
    server.stop()
    assert answer.status_code == 403
    assert "engineer" in answer.json()["detail"]
    assert [act.action for act in trail] == ["command refused"]


# ------------------------------------------------------------------------------ set-up


def test_a_set_up_is_in_force_kept_and_audited(rig):
    answer = apply(rig, homography=FLOOR)
    assert answer["version"] == 1
    setup = rig.snapshot()["setup"]
    (door,) = [camera for camera in setup["cameras"] if camera["name"] == "door"]
    assert (setup["version"], setup["by"], setup["reason"]) == (1, "eric", "moved the shelf")
    assert [zone["name"] for zone in door["zones"]] == ["shelf"]
    assert door["homography"]["floor_m"][2] == [4.0, 6.0]
    file = rig.folder / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["version"] == 1
    assert not (rig.folder / f"{FILE}.new").exists()
    assert (
        "eric",
        "engineer",
        "setup.apply",
        "camera/door set-up 0 → 1",
        "moved the shelf",
    ) in (audited(rig))
    (record,) = rig.records("setup")
    assert record.body["old"]["masks"][0]["name"] == "street"
    assert record.body["new"]["masks"][0]["name"] == "desk"


def test_new_masks_cover_the_very_next_picture(rig):
    apply(rig)
    rig.see("door")
    frame = rig.station.sense.watchers["door"].ring.newest(rig.clock.monotonic())
    assert (frame[110:190, 110:190] == PAD_GREY).all()


def test_what_was_counted_by_the_old_set_up_is_closed_as_partial(rig):
    rig.enter(4)
    apply(rig)
    rig.to_border()
    rig.to_border()
    first, second = rig.intervals()
    assert {"partial", "setup_changed"} <= set(first["marks"])
    assert first["lines"][0]["in"] == 4
    assert (first["config_version"], second["config_version"]) == (0, 1)
    assert [zone["zone"] for zone in second["zones"]] == ["shelf"]


@pytest.mark.parametrize("times", [2, 5])
def test_several_set_ups_in_one_interval_use_up_no_interval_to_come(rig, times):
    rig.enter(4)
    for _ in range(times):
        apply(rig)
        rig.watch("door", 1.0)
    rig.settle()
    (now,) = rig.intervals()
    assert now["interval_start"] <= rig.clock.wall()
    rig.to_border()
    rig.to_border()
    first, second = rig.intervals()
    assert (first["interval_start"], second["interval_start"]) == (NOON, NOON + 60)
    assert {"partial", "setup_changed"} <= set(first["marks"])
    assert {"partial", "setup_changed", "carried"} <= set(second["marks"])
    assert second["quality"]["dropped_s"] == pytest.approx(0.9 * (times - 1))
    assert second["config_version"] == times
    assert rig.station.recorder.refused == 0


def test_a_set_up_before_the_first_view_of_the_last_one_publishes_nothing_twice(rig):
    rig.enter(4)
    apply(rig)
    apply(rig)
    rig.to_border()
    rig.to_border()
    assert [one["interval_start"] for one in rig.intervals()] == [NOON, NOON + 60]
    assert rig.station.recorder.refused == 0


def test_a_stop_after_a_set_up_counts_the_interval_that_it_gives_up(rig):
    rig.watch("door", 2.0)
    apply(rig)
    rig.watch("door", 2.0)
    rig.station.recorder.finish(rig.station.crowd.document())
    assert [one["interval_start"] for one in rig.intervals()] == [NOON]
    found = rig.query("SELECT what, class, reason, count FROM drops")
    assert found == [("interval", "retail", "not begun", 1)]


def test_a_set_up_outlives_a_restart(tmp_path):
    rig = Rig(tmp_path)
    apply(rig)
    rig.stop()
    rig.start()
    assert rig.station.setup.version == 1
    assert [mask.name for mask in rig.station.cameras["door"].mask] == ["desk"]
    rig.stop()


def zone(polygon, name="z"):
    return {"zones": [{"name": name, "polygon": polygon}]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"masks": [{"name": "m", "polygon": [[-5, 0], [9, 0], [9, 9]]}]}, "outside the pic"),
        (zone([[0, 0], [9, 9], [9, 0], [0, 9]]), "crosses itself"),
        (zone([[0, 0], [9, 9], [0, 0]]), "no area|crosses itself"),
        (zone([[0, 0], [9, 0]]), "3 or more"),
        (zone(SQUARE, "a/b"), "is no name"),
        (zone(SQUARE * 40), "64 at most"),
        ({"zones": [{"name": "z", "polygon": SQUARE}] * 2}, "there twice"),
        ({"zones": [{"name": "q", "polygon": SQUARE, "queue": True}]}, "needs its till"),
        ({"zones": [{"name": "z", "polygon": SQUARE, "extra": 1}]}, "unknown key"),
        ({"zones": "all"}, "must be a list"),
        ({"lines": [{"name": "l", "points": [[5, 5], [5, 5]]}]}, "no length"),
        ({"lines": [{"name": "l", "points": [[5, "x"], [5, 9]]}]}, "must be"),
        ({"lines": [{"name": "l", "points": [[5, 5, 5], [5, 9, 9]]}]}, r"\[x, y\]"),
        ({"homography": {"picture_px": SQUARE, "floor_m": [[0, 0], [1, 1], [2, 2], [3, 3]]}},
         "in one row"),
        ({"homography": {"picture_px": SQUARE[:3], "floor_m": SQUARE[:3]}}, "four or more"),
        ({"version": 7}, "version 0 now"),
        ({"camera": "roof"}, "no camera roof; there are door, tills"),
        ({"reason": " "}, "reason must be"),
    ],
)  # fmt: skip
def test_a_wrong_set_up_is_one_clear_line_and_changes_nothing(rig, changes, words):
    before = rig.snapshot()["setup"]
    with pytest.raises((ValueError, LinesideError), match=words) as refused:
        apply(rig, **changes)
    assert "\n" not in str(refused.value)
    assert rig.snapshot()["setup"] == before
    assert not (rig.folder / FILE).exists()
    assert audited(rig) == []


def test_a_set_up_is_given_as_a_whole(rig):
    with pytest.raises(ValueError, match="masks is missing"):
        rig.command("setup.apply", camera="door", reason="x", lines=[], zones=[],
                    homography=None)  # fmt: skip


def test_a_set_up_that_cannot_be_kept_is_not_in_force(rig):
    (rig.folder / f"{FILE}.new").mkdir()  # the file cannot be written
    with pytest.raises(StoreUnavailable, match="not stored"):
        apply(rig)
    assert rig.snapshot()["setup"]["version"] == 0
    assert [mask.name for mask in rig.station.cameras["door"].mask] == ["street"]
    assert audited(rig) == []
    (rig.folder / f"{FILE}.new").rmdir()
    assert apply(rig)["version"] == 1


def full_disk(*_):
    raise OSError(28, "No space left on device")


def test_a_full_disk_refuses_a_set_up_and_ends_nothing(rig, monkeypatch):
    assert apply(rig)["version"] == 1
    monkeypatch.setattr("apps.retail_analytics.scene_setup.write_whole", full_disk)
    with pytest.raises(StoreUnavailable, match="not stored"):
        apply(rig)
    assert not any("set-up" in fault for fault in rig.station.faults())  # as it was
    assert rig.snapshot()["setup"]["version"] == 1


def test_a_file_that_cannot_be_put_back_is_a_fault_until_it_is_right(rig, monkeypatch):
    assert apply(rig)["version"] == 1
    refusing = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'x'); END"
    rig.store.submit(lambda connection: connection.execute(refusing)).result()
    with monkeypatch.context() as patch:
        patch.setattr("apps.retail_analytics.commands.put_back", full_disk)
        with pytest.raises(sqlite3.IntegrityError):
            apply(rig)
    (fault,) = rig.station.faults()
    assert "No space left" in fault
    with pytest.raises(sqlite3.IntegrityError):
        apply(rig)
    assert rig.station.faults() == []
    assert read_setup(rig.folder).version == rig.station.setup.version == 1


def test_two_set_ups_at_once_do_not_overwrite_each_other(rig):
    arguments = {"camera": "door", "reason": "x", **DRAWING}
    futures = [rig.station.command("setup.apply", arguments, ERIC) for _ in range(2)]
    rig.settle()
    for _ in range(20):
        rig.station.turn()
    assert futures[0].result(1.0)["version"] == 1
    with pytest.raises(ValueError, match="being applied"):
        futures[1].result(1.0)


# ------------------------------------------------------------------------------ mosaic


def test_a_mosaic_is_few_colours_of_the_masked_picture_and_is_audited(rig):
    rig.see("door")
    found = rig.command("setup.mosaic", camera="door", reason="drawing the line")
    assert found["width"] <= 64
    assert found["height"] <= 36
    assert len(found["cells"]) == found["height"]
    assert found["cells"][0][0] == [PAD_GREY] * 3  # the street is masked
    assert ("eric", "engineer", "setup.mosaic", "camera/door", "drawing the line") in (
        audited(rig)
    )


def test_a_mosaic_is_no_video(rig):
    rig.see("door")
    rig.command("setup.mosaic", camera="door", reason="x")
    rig.see("door")
    with pytest.raises(ValueError, match="one mosaic in 5 s"):
        rig.command("setup.mosaic", camera="door", reason="x")
    rig.clock.sleep(MOSAIC_REST_S)
    rig.see("door")
    assert rig.command("setup.mosaic", camera="door", reason="x")["camera"] == "door"


def test_there_is_no_mosaic_without_a_picture(rig):
    with pytest.raises(ValueError, match="door: no picture"):
        rig.command("setup.mosaic", camera="door", reason="x")
    assert audited(rig) == []


# --------------------------------------------------------------------------- occupancy


def test_an_operator_says_how_many_are_inside(rig):
    rig.enter(4)
    assert rig.command("occupancy.correct", ANNA, inside=23, reason="counted") == "taken over"
    occupancy = rig.snapshot()["occupancy"]
    assert (occupancy["inside"], occupancy["reset_by"]) == (25, "anna")
    assert rig.command("occupancy.reset", ANNA, reason="closed") == "nobody is inside"
    assert rig.snapshot()["occupancy"]["few"]
    rig.enter(1)
    assert rig.station.crowd._state.inside == 1
    assert [row[2] for row in audited(rig)] == ["occupancy.correct", "occupancy.reset"]
    assert [r.body["act"] for r in rig.records("occupancy")] == ["correct", "reset"]


@pytest.mark.parametrize(
    ("name", "more"), [("occupancy.reset", {}), ("occupancy.correct", {"inside": 23})]
)
def test_a_correction_that_cannot_be_kept_changes_no_count(rig, name, more):
    rig.enter(4)
    before = rig.station.crowd.document()
    refusing = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'x'); END"
    rig.store.submit(lambda connection: connection.execute(refusing)).result()
    with pytest.raises(sqlite3.IntegrityError):
        rig.command(name, ANNA, reason="counted", **more)
    assert rig.station.crowd._state.inside == 4
    assert rig.station.crowd.document() == before
    assert rig.records("occupancy") == []


@pytest.mark.parametrize("inside", [-1, 1.5, "ten", True, 10**7, None])
def test_what_is_no_number_of_people_changes_nothing(rig, inside):
    rig.enter(4)
    with pytest.raises(ValueError, match="inside must be"):
        rig.command("occupancy.correct", ANNA, inside=inside, reason="counted")
    assert rig.station.crowd._state.inside == 4
    assert audited(rig) == []


# --------------------------------------------------------------------------- statement


def test_everybody_may_read_the_statement(rig):
    words = rig.command("statement", VERA, language="en")
    assert "No picture is ever written" in words
    assert rig.command("statement", VERA).startswith("# What")
    with pytest.raises(ValueError, match="en, de"):
        rig.command("statement", VERA, language="fr")
    assert audited(rig) == []


def test_the_statement_follows_the_set_up(rig):
    apply(rig)
    rig.snapshot()
    assert "Masked: desk" in rig.command("statement", VERA)


def test_an_alarm_is_acknowledged_like_any_other(rig):
    rig.watch("tills", 8.0, [standing(100, 400), standing(200, 400), standing(300, 400)])
    assert rig.command("acknowledge", ANNA, alarm_id="queue_long.tills") == "acknowledged"
    assert rig.alarm("queue_long.tills") == "ACKED"
