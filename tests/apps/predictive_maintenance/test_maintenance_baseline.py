"""What a baseline learns, when it is refused, and that it survives the disk."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.predictive_maintenance.baseline import Healthy, known_states, learn
from apps.predictive_maintenance.config import BaselineRules, Machine
from apps.predictive_maintenance.scatter import fit, running_median
from apps.predictive_maintenance.shelf import Shelf
from apps.predictive_maintenance.wizard import healthy_time, propose
from common.errors import ConfigError

RULES = BaselineRules(smooth_windows=3, min_windows=50, min_state_windows=10)
MOTOR = Machine(power_kw=90.0, group=2)


def healthy(count=100, features=8, states=("a",), seed=1, **changes):
    """Windows whose features are noise around a level of each state's own."""
    rng = np.random.default_rng(seed)
    keys = tuple(states[at % len(states)] for at in range(count))
    level = np.array([3.0 * states.index(key) for key in keys])
    values = rng.standard_normal((count, 1, features)) * 0.3 + level[:, None, None]
    made = Healthy(
        values.astype(np.float32), keys, np.full(count, 1.0, np.float32),
        np.full(count, 2.0, np.float32), np.full(count, 3.0, np.float32),
        np.arange(count) * 600.0,
    )  # fmt: skip
    return replace(made, **changes)


def test_every_state_has_its_own_centre():
    learned = learn("m", healthy(states=("a", "b")), RULES)
    assert learned.states == ("a", "b")
    assert learned.centres[0] == pytest.approx(np.zeros(8), abs=0.2)
    assert learned.centres[1] == pytest.approx(np.full(8, 3.0), abs=0.2)
    assert learned.state_index("b") == 1
    assert learned.state_index("c") is None


def test_rare_states_are_not_learned():
    assert known_states(["a"] * 20 + ["b"] * 3, 10) == ("a",)
    assert known_states(["a", "b", "b"], 10) == ("b",), "the commonest, when all are rare"


def test_features_that_a_sensor_lacks_are_left_out():
    values = healthy().features.copy()
    values[:, :, 5] = np.nan
    learned = learn("m", healthy(features=8, **{}), RULES)
    lacking = learn("m", replace(healthy(), features=values), RULES)
    assert learned.used.sum() == 8
    assert lacking.used.sum() == 7
    assert lacking.residual(values[0], 0).shape == (7,)
    assert lacking.over_noise(np.ones((2, 7))).shape == (2, 1, 8)
    assert learned.residual(values[0], 0) is None, "a feature it learned is missing"
    assert learned.residual(values[0, :, :4], 0) is None


def test_the_limit_holds_for_healthy_time_that_was_not_learned_from():
    learned = learn("m", healthy(300), RULES)
    unseen = healthy(2000, seed=9)
    residuals = np.stack([learned.residual(f, 0) for f in unseen.features])
    smoothed = running_median(residuals, RULES.smooth_windows)
    assert np.mean(learned.scatter.signature(smoothed) > learned.limits["signature"]) < 0.01
    assert np.mean(learned.scatter.reconstruction(smoothed) > learned.limits["pca"]) < 0.01
    shifted = smoothed + 0.5
    assert np.median(learned.scatter.signature(shifted)) > learned.limits["signature"]


def test_one_odd_part_does_not_move_the_limit():
    calm = learn("m", healthy(), RULES)
    values = healthy().features.copy()
    values[:20] += 1.5
    odd = learn("m", replace(healthy(), features=values), RULES)
    assert odd.limits["signature"] < 1.5 * calm.limits["signature"]


@settings(deadline=None)
@given(windows=st.integers(1, 12), rows=st.integers(1, 30))
def test_the_running_median_looks_back_only(windows, rows):
    values = np.random.default_rng(rows).standard_normal((rows, 3))
    found = running_median(values, windows)
    for at in range(rows):
        past = values[max(0, at - windows + 1) : at + 1]
        assert found[at] == pytest.approx(np.median(past, axis=0))


def test_a_few_windows_still_give_a_usable_scatter():
    scatter = fit(np.random.default_rng(1).standard_normal((4, 30)), 1)
    assert np.isfinite(scatter.signature(np.ones((2, 30)))).all()
    assert scatter.signature(np.full((1, 30), 9.0)) > scatter.signature(np.ones((1, 30)))


# ---------------------------------------------------------------------------- the wizard


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"kurtosis": np.full(100, 6.0, np.float32)}, "raw kurtosis 6.0"),
        ({"velocity_mm_s": np.full(100, 2.9, np.float32)}, "2.9 mm/s is zone C"),
        ({"verdicts": ("run",) * 60 + ("watch",) * 40}, ""),
        ({"verdicts": ("run",) * 99 + ("plan",)}, "1 of 100 records were judged plan"),
        ({"verdicts": ("stop",) * 63 + ("plan",) * 37}, "63 of 100 records were judged stop"),
    ],
)
def test_a_machine_that_is_ill_already_is_refused(changes, why):
    notes = propose("m", healthy(**changes), MOTOR, RULES).notes
    assert (why in notes[0]) if why else notes == ()


def test_too_little_and_unsteady_time_is_refused():
    assert "49 windows; 50 are needed" in propose("m", healthy(49), MOTOR, RULES).notes[0]
    values = healthy().features.copy()
    values[80:] += 2.0
    notes = propose("m", replace(healthy(), features=values), MOTOR, RULES).notes
    assert "unsteady" in notes[0]


def test_zones_refuse_nothing_outside_their_scope():
    loud = healthy(velocity_mm_s=np.full(100, 9.0, np.float32))
    assert propose("m", loud, Machine(kind="rig"), RULES).notes == ()


def test_healthy_time_takes_only_what_was_judged(rotors):
    perceive, pairs = rotors.perceive(), []
    for number, change in enumerate([0.0, 500.0, 0.0]):
        window = rotors.window("m0", number, rpm_change=change)
        (health,), measured = perceive.look((window,))
        pairs.append((health, measured.get("m0")))
    assert len(healthy_time(pairs)) == 2
    with pytest.raises(ConfigError, match="no window"):
        healthy_time([pairs[1]])


# ----------------------------------------------------------------------------- the shelf


def test_a_baseline_comes_back_as_it_was_put(tmp_path, baseline):
    shelf = Shelf(tmp_path)
    kept = shelf.put(baseline)
    found = shelf.current("m0")
    assert found.version == kept.version == 1
    for name in ("asset", "states", "limits", "smooth", "notes", "kurtosis", "model"):
        assert getattr(found, name) == getattr(baseline, name)
    row = np.linspace(-1, 1, int(baseline.used.sum()))[None]
    assert found.scatter.signature(row) == pytest.approx(baseline.scatter.signature(row))
    assert found.acceleration_usual(0) == pytest.approx(baseline.acceleration_usual(0))


def test_versions_are_kept_and_one_may_go_back(tmp_path, baseline):
    shelf = Shelf(tmp_path)
    assert shelf.current("m0") is None
    shelf.put(baseline)
    assert shelf.put(replace(baseline, notes=("second",))).version == 2
    assert shelf.versions("m0") == [1, 2]
    assert shelf.current("m0").notes == ("second",)
    assert shelf.use("m0", 1).notes == baseline.notes
    assert shelf.current("m0").version == 1
    assert shelf.put(baseline).version == 3, "going back renames nothing"
    with pytest.raises(ConfigError, match="no baseline 9"):
        shelf.use("m0", 9)
    assert shelf.current("m0").version == 3


@pytest.mark.parametrize("asset", ["../m", "", "a/b", ".hidden", "m\n"])
def test_an_asset_cannot_name_another_folder(tmp_path, asset):
    with pytest.raises(ConfigError, match="named by letters"):
        Shelf(tmp_path).current(asset)


def test_a_file_that_is_no_baseline_is_one_clear_line(tmp_path, baseline):
    shelf = Shelf(tmp_path)
    shelf.put(baseline)
    path = tmp_path / "m0" / "0001.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="is no baseline of m0"):
        shelf.current("m0")
    at = whole.index(b"PK\x01\x02") + 10  # how the first part is said to be compressed
    path.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
    with pytest.raises(ConfigError, match="is no baseline of m0"):
        shelf.current("m0")
    path.write_bytes(whole)
    (tmp_path / "m1").mkdir()
    (tmp_path / "m1" / "0001.npz").write_bytes(whole)
    with pytest.raises(ConfigError, match="is no baseline of m1"):
        shelf.get("m1", 1)
    (tmp_path / "m0" / "in-use").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="number of a version"):
        shelf.current("m0")
    (tmp_path / "m0" / "in-use").write_text("../../etc")
    with pytest.raises(ConfigError, match="number of a version"):
        shelf.current("m0")


@pytest.mark.parametrize("wrong", ["centres", "precision", "limits"])
def test_a_baseline_that_cannot_decide_is_refused(tmp_path, baseline, wrong):
    shelf = Shelf(tmp_path)
    shelf.put(baseline)
    path = tmp_path / "m0" / "0001.npz"
    with np.load(path) as file:
        arrays = dict(file)
    if wrong == "limits":
        facts = json.loads(str(arrays["facts"]))
        facts["limits"]["signature"] = 0.0
        arrays["facts"] = np.array(json.dumps(facts))
    else:
        arrays[wrong] = arrays[wrong] * np.nan
    np.savez(path, **arrays)
    with pytest.raises(ConfigError, match="NaN, infinity or a limit"):
        shelf.current("m0")
