"""Figures on data of known truth: two forms, keys as promised, bad data in one line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from apps.predictive_maintenance import config
from apps.predictive_maintenance import evaluate as evaluate_module
from apps.predictive_maintenance.config import ModelSettings, Settings
from apps.predictive_maintenance.evaluate import evaluate, read_index, run
from apps.predictive_maintenance.evaluation import labelled, runs, weeks
from apps.predictive_maintenance.evaluation.offline import METHODS, confirmed
from apps.predictive_maintenance.rotor import Running, draw_rotor, waveform
from common.config import load
from common.errors import ConfigError
from hardware.catalog import open_runtime

FS = 6400


def record(rotor, seconds, number, damage="", severity=0.0, axes=1):
    rng = np.random.default_rng(number)
    running = Running(rotor.nominal_rpm, 0.7, (0.0, 0.0), damage, severity)
    return waveform(rotor, running, FS, (axes, int(seconds * FS)), rng)


class Folder:
    """A data folder under construction."""

    def __init__(self, root):
        self.root, self.rows = root, []
        self.rotor = draw_rotor(np.random.default_rng(8))
        root.mkdir()

    def recording(self, name, seconds, condition="normal", rotor=None, **row):
        damage = "" if condition == "normal" else "outer_race"
        x = record(rotor or self.rotor, seconds, len(self.rows), damage, 0.3)
        np.savez(self.root / name, x=x[0])
        self.rows.append({"file": name, "condition": condition, "fs_hz": FS, **row})

    def run(self, name, snapshots=300, worn_from=180):
        rng = np.random.default_rng(9)
        rows = []
        for at in range(snapshots):
            grown = max(0.0, (at - worn_from) / 50)
            rows.append(
                record(self.rotor, 0.2, int(rng.integers(1 << 30)), "outer_race", grown, 2)
            )
        acc = np.stack(rows).transpose(0, 2, 1) / 9.80665e-3
        times = 10 * (1 + np.arange(snapshots))
        np.savez(self.root / name, acc_mg=acc.astype(np.int32), t_s=times)
        self.rows.append(
            {"file": name, "rpm": 1800, "fs_hz": FS, "end_of_test_s": 10 * snapshots}
        )

    def written(self):
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        lines = [",".join(columns)]
        lines += [",".join(str(row.get(c, "")) for c in columns) for row in self.rows]
        (self.root / "index.csv").write_text("\n".join(lines))
        return self.root


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "data")


def figures(folder, model=None, simulated=0.0):
    found = evaluate(Settings(), folder.written(), model, simulated_weeks=simulated)
    return json.loads(json.dumps(found))


# -------------------------------------------------------------------------------- labelled


def test_labelled_recordings_give_areas_per_method(folder, model):
    for name in ("n1.npz", "n2.npz", "n3.npz"):
        folder.recording(name, 6)
    folder.recording("outer.npz", 6, "outer_race")
    found = figures(folder, model)
    assert found["form"] == "labelled"
    assert set(found["methods"]) == set(METHODS)
    for name in ("signature", "pca", "lstm", "fused"):
        assert found["methods"][name]["auroc"] == 1.0
        assert found["methods"][name]["auprc"] == 1.0
        assert found["methods"][name]["pooled_auroc"] == 1.0
    assert (found["healthy_windows"], found["faulty_windows"]) == (6, 6)
    assert found["auroc_by_bearing"]["outer.npz"]["fused"] == 1.0


def test_of_a_single_normal_row_the_first_half_is_learned_from(folder):
    folder.recording("n.npz", 20)
    folder.recording("outer.npz", 4, "outer_race")
    found = figures(folder)
    assert (found["healthy_windows"], found["faulty_windows"]) == (10, 4)
    assert found["methods"]["fused"]["auroc"] == 1.0
    assert found["methods"]["lstm"]["auroc"] is None, "no model: no figure, not a bad one"


def test_every_machine_and_speed_has_its_own_baseline(folder):
    for seed, machine in ((1, "a"), (2, "b")):
        rotor = draw_rotor(np.random.default_rng(seed))
        for number in (1, 2):
            folder.recording(f"{machine}{number}.npz", 6, machine=machine, rpm=900, rotor=rotor)
        folder.recording(f"{machine}x.npz", 4, "ball", machine=machine, rpm=900, rotor=rotor)
    folder.recording("bfast.npz", 4, "ball", machine="b", rpm=1000, rotor=rotor)
    found = figures(folder)
    assert found["groups"] == 2, "the fast one is judged by the nearest speed"
    assert found["healthy_windows"] == 12
    assert found["methods"]["fused"]["auroc"] == 1.0
    assert set(found["auroc_by_bearing"]) == {"ax.npz", "bx.npz", "bfast.npz"}


def test_a_machine_without_a_normal_row_is_a_specimen(folder):
    """The column then names bearings, and the normal ones are everybody's."""
    for number in (1, 2):
        folder.recording(f"n{number}.npz", 6, machine="good bearing")
    folder.recording("outer.npz", 4, "outer_race", machine="bad bearing")
    found = figures(folder)
    assert found["groups"] == 1
    assert found["methods"]["fused"]["auroc"] == 1.0


def test_another_unit_or_a_bias_changes_nothing(folder):
    """Recordings that state no unit: counts of a converter, volts, whatever."""
    for name in ("n1.npz", "n2.npz"):
        folder.recording(name, 6)
    folder.recording("outer.npz", 4, "outer_race")
    plain = figures(folder)
    for name in ("n1.npz", "n2.npz", "outer.npz"):
        x = np.load(folder.root / name)["x"]
        np.savez(folder.root / name, x=(1e-6 * (x + 50)).astype(np.float64))
    changed = figures(folder)
    assert changed["windows_not_judged"] == 0
    for name in METHODS[:-2]:
        assert changed["methods"][name]["auroc"] == plain["methods"][name]["auroc"]


def test_short_recordings_are_cut_into_shorter_windows(folder):
    for name in ("n1.npz", "n2.npz"):
        folder.recording(name, 1)
    folder.recording("outer.npz", 1, "outer_race")
    found = figures(folder)
    assert found["methods"]["fused"]["auroc"] == 1.0
    assert found["faulty_windows"] > 1


def test_healthy_time_that_cannot_be_learned_from_says_why(folder):
    folder.recording("n1.npz", 4)
    folder.recording("outer.npz", 4, "outer_race")
    np.savez(folder.root / "n1.npz", x=np.full(4 * FS, np.nan))
    with pytest.raises(ConfigError, match=r"0 windows of healthy time in n1.npz.*NaN"):
        figures(folder)


def test_windows_of_a_broken_sensor_are_counted_not_scored(folder):
    folder.recording("n1.npz", 6)
    folder.recording("n2.npz", 6)
    folder.recording("outer.npz", 3, "outer_race")
    x = np.load(folder.root / "outer.npz")["x"]
    x[FS : FS + 2000] = 0.0
    np.savez(folder.root / "outer.npz", x=x)
    found = figures(folder)
    assert found["windows_not_judged"] == 1
    assert found["faulty_windows"] == 2


# ------------------------------------------------------------------------------------ runs


def test_a_run_to_failure_gives_lead_and_no_false_alarm(folder, model):
    folder.run("r1.npz")
    found = figures(folder, model)
    assert found["form"] == "runs"
    (run,) = found["runs"]
    assert {"file", "first_alarm_s", "lead_s", "lead_fraction", "false_alarms"} <= set(run)
    assert run["onset_s"] == pytest.approx(1800, abs=150)
    assert run["false_alarms"] == 0
    assert run["onset_s"] <= run["first_alarm_s"] < 2000
    assert run["lead_s"] == 3000 - run["first_alarm_s"]
    assert run["lead_fraction"] == pytest.approx(run["lead_s"] / 3000, abs=1e-4)
    assert found["median_lead_fraction"] == run["lead_fraction"]
    for name in METHODS:
        assert found["methods"][name]["auroc"] > 0.8


def test_an_alarm_before_the_onset_is_a_false_one(folder):
    """A change that goes away again, long before the real one."""
    folder.run("r1.npz")
    with np.load(folder.root / "r1.npz") as file:
        arrays = dict(file)
    arrays["acc_mg"][100:130] *= 3
    np.savez(folder.root / "r1.npz", **arrays)
    (run,) = figures(folder)["runs"]
    assert run["false_alarms"] == 1
    assert run["first_alarm_s"] < 1300 < run["onset_s"]


def test_a_run_that_never_changes_has_no_alarm(folder):
    folder.run("r1.npz", worn_from=300)
    found = figures(folder)
    (run,) = found["runs"]
    assert run["first_alarm_s"] is None
    assert run["lead_fraction"] is None
    assert found["methods"]["fused"]["runs_with_alarm"] == 0
    assert found["methods"]["fused"]["median_lead_fraction"] == 0.0


def test_confirmed_is_the_reading_at_which_enough_held():
    assert confirmed(np.array([1, 1, 0, 1, 1, 1, 0], bool), 3) == 5
    assert confirmed(np.array([1, 1, 0, 1, 1], bool), 3) is None


# --------------------------------------------------------------------------- simulated weeks


def test_healthy_weeks_are_watched_for_false_alarms(folder, monkeypatch):
    monkeypatch.setattr(weeks, "BASELINE_WEEKS", 0.12)
    monkeypatch.setattr(weeks, "SAMPLES", 2048)
    folder.recording("n.npz", 8)
    folder.recording("outer.npz", 3, "outer_race")
    found = figures(folder, simulated=0.1)
    assert found["simulated"]["machine_weeks"] == pytest.approx(0.1, abs=0.01)
    assert 0 < found["simulated"]["judged"] <= found["simulated"]["windows"]
    rates = {m: found["methods"][m]["false_alarms_per_machine_week"] for m in METHODS}
    assert rates["fused"] == found["false_alarms_per_machine_week"]
    assert rates["lstm"] == 0.0


# ---------------------------------------------------------------------- as the commands run it


def test_the_settings_name_the_model_and_may_switch_it_off(folder, monkeypatch):
    monkeypatch.setattr(weeks, "BASELINE_WEEKS", 0.12)
    monkeypatch.setattr(weeks, "SAMPLES", 2048)
    monkeypatch.setattr(evaluate_module, "SIMULATED_WEEKS", 0.05)
    folder.recording("n.npz", 8)
    folder.recording("outer.npz", 3, "outer_race")
    data, path = folder.written(), config.APP / "app.toml"
    found = run(load(Settings, path), path, data, open_runtime)
    assert found["model"] == "vibration 1.0.0"
    assert found["methods"]["lstm"]["auroc"] is not None
    off = replace(Settings(), model=replace(ModelSettings(), enabled=False))
    without = run(off, path, data, open_runtime)
    assert without["model"] is None
    assert without["methods"]["lstm"]["auroc"] is None


def test_an_unknown_folder_is_said_before_a_model_is_opened(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        run(Settings(), tmp_path / "app.toml", tmp_path, open_runtime)


# --------------------------------------------------------------------------------- bad data


def test_an_index_that_is_neither_form_says_what_it_needs(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_index(tmp_path)
    (tmp_path / "index.csv").write_text("file,colour\na,b\n")
    with pytest.raises(ConfigError, match=r"needs condition, file, fs_hz \(labelled\); or"):
        read_index(tmp_path)
    (tmp_path / "index.csv").write_text("file,condition,fs_hz\n")
    with pytest.raises(ConfigError, match="has no rows"):
        read_index(tmp_path)
    (tmp_path / "index.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is no CSV file"):
        read_index(tmp_path)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"file": "missing.npz"}, "cannot be read"),
        ({"file": "../out.npz"}, "lies outside"),
        ({"fs_hz": "fast"}, "needs a positive number"),
        ({"fs_hz": ""}, "gives no fs_hz"),
        ({"condition": "ball"}, "no row's condition is 'normal'"),
    ],
)
def test_a_row_that_cannot_be_used_names_the_file(folder, row, why):
    folder.recording("n.npz", 4)
    folder.rows[0] |= row
    with pytest.raises(ConfigError, match=why):
        figures(folder)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"y": np.zeros(5)}, "holds no array x"),
        ({"x": np.array(["a"])}, "not numbers"),
        ({"x": np.zeros((5, 6, 7))}, "x must be"),
    ],
)
def test_arrays_of_the_wrong_kind_are_refused(folder, arrays, why):
    folder.recording("n.npz", 4)
    np.savez(folder.root / "n.npz", **arrays)
    with pytest.raises(ConfigError, match=why):
        figures(folder)


def test_a_file_that_is_no_npz_or_was_damaged_is_one_clear_line(folder):
    folder.recording("n.npz", 4)
    path = folder.root / "n.npz"
    np.savez_compressed(path, x=np.arange(20_000) % 97)
    damaged = bytearray(path.read_bytes())
    damaged[300:330] = bytes(range(30))
    np.save(folder.root / "one.npy", np.zeros(5))
    for content in (bytes(damaged), (folder.root / "one.npy").read_bytes(), b"0.1;0.2"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"n\.npz: cannot be read") as caught:
            figures(folder)
        assert "\n" not in str(caught.value)
        assert "pickle" not in str(caught.value)


def test_a_run_that_is_too_short_to_learn_from_says_so(folder):
    folder.run("r1.npz", snapshots=20)
    with pytest.raises(ConfigError, match=r"r1\.npz: 4 windows of healthy time"):
        figures(folder)


def test_an_index_may_have_blanks_and_a_byte_order_mark(folder):
    folder.recording("n.npz", 8)
    folder.recording("outer.npz", 3, "outer_race")
    path = folder.written() / "index.csv"
    path.write_text("\ufeff" + path.read_text().replace(",", ", ") + "\n\n", "utf-8")
    form, rows = read_index(folder.root)
    assert (form, len(rows)) == ("labelled", 2)
    assert rows[1] == {"file": "outer.npz", "condition": "outer_race", "fs_hz": str(FS)}
    path.write_text("file,condition,fs_hz\nn.npz,normal\n")
    with pytest.raises(ConfigError, match=r"a row has 2 values for 3 columns: n\.npz, normal"):
        read_index(folder.root)
    path.write_text("file,condition,fs_hz\nn.npz,normal,1\nn.npz,ball,1\n")
    with pytest.raises(ConfigError, match=r"two rows name n\.npz"):
        read_index(folder.root)
    path.write_text("file,condition,fs_hz\nn.npz,normal,1\nouter.npz, ,1\n")
    with pytest.raises(ConfigError, match=r"gives no condition of outer\.npz"):
        read_index(folder.root)


def test_a_pickled_array_is_not_opened(folder):
    folder.recording("n.npz", 4)
    np.savez(folder.root / "n.npz", x=np.array([{}], dtype=object))
    with pytest.raises(ConfigError, match="cannot be read"):
        figures(folder)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda a: a | {"t_s": a["t_s"][::-1]}, "goes backwards"),
        (lambda a: a | {"acc_mg": a["acc_mg"][:-1]}, "must be"),
        (lambda a: a | {"t_s": a["t_s"][:, None]}, "must be"),
        (lambda a: a | {"t_s": a["t_s"] + 100}, "end_of_test_s is 200 s, .* at 300 s"),
    ],
)
def test_a_run_whose_arrays_do_not_fit_is_refused(folder, change, why):
    folder.run("r1.npz", snapshots=20)
    with np.load(folder.root / "r1.npz") as file:
        arrays = dict(file)
    np.savez(folder.root / "r1.npz", **change(arrays))
    with pytest.raises(ConfigError, match=why):
        figures(folder)


def test_windows_and_onset_are_cut_as_said():
    cut = labelled.windows(np.zeros((1, 25), np.float32), 10.0, 1.0)
    assert [window.acceleration.shape for window in cut] == [(1, 10), (1, 10)]
    short = labelled.windows(np.zeros((1, 7), np.float32), 10.0, 1.0)
    assert [window.acceleration.shape for window in short] == [(1, 7)]
    assert runs.HEALTHY_SHARE == 0.2
