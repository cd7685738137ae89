"""Recordings as a source: every format, cut into windows, with their own timing or without."""

import numpy as np
import pytest
from scipy.io import savemat, wavfile

from common.errors import SensorError
from hardware.sensors.files import FilesSettings, FilesSource, ReplaySettings
from hardware.sensors.records import BadFile, G, read_records

WAVE = np.sin(np.arange(3000) / 7).astype(np.float32)


def source(clock, path, kind=FilesSettings, **options):
    return FilesSource(kind(path=path, **options), clock)


def npz(path, **more):
    np.savez(path, **({"acceleration": np.stack([WAVE, 2 * WAVE]), "fs_hz": 1000.0} | more))
    return path


def test_an_npz_is_cut_into_windows_in_order(tmp_path, clock):
    npz(tmp_path / "fan-3.npz", rpm=1480.0)
    files = source(clock, tmp_path)
    found = [files.poll(0.1)[0] for _ in range(3)]
    assert [one.elapsed_s for one in found] == [0.0, 1.0, 2.0]
    assert {one.asset for one in found} == {"fan-3"}
    assert all(one.acceleration.shape == (2, 1000) and one.rpm == 1480.0 for one in found)
    assert np.array_equal(np.hstack([one.acceleration[1] for one in found]), 2 * WAVE)
    with pytest.raises(SensorError, match="at its end; set loop"):
        files.poll(0.1)


def test_a_loop_goes_on_in_time(tmp_path, clock):
    npz(tmp_path / "a.npz")
    files = source(clock, tmp_path, loop=True)
    times = [files.poll(0.1)[0].elapsed_s for _ in range(7)]
    assert times == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_a_csv_says_its_rate_by_its_time(tmp_path, clock):
    rows = "\n".join(f"{n / 500},{n},{-n},1480,0.5" for n in range(500))
    (tmp_path / "pump_monday.csv").write_text(f"t_s,x,y,rpm,load\n{rows}\n")
    (one,) = source(clock, tmp_path).poll(0.1)
    assert (one.asset, one.fs_hz, one.rpm, one.load) == ("pump", 500.0, 1480.0, 0.5)
    assert one.acceleration.shape == (2, 500)
    assert one.acceleration[1, 3] == -3.0


def test_a_wav_and_a_mat(tmp_path, clock):
    wavfile.write(tmp_path / "w.wav", 1000, (WAVE * 32767).astype(np.int16))
    (one,) = source(clock, tmp_path / "w.wav", asset="m", scale=50.0).poll(0.1)
    assert one.acceleration == pytest.approx(50 * WAVE[None, :1000], abs=0.01)
    savemat(tmp_path / "k.mat", {"x": WAVE[:, None], "fs_hz": 1000.0, "rpm": 900.0})
    (two,) = source(clock, tmp_path / "k.mat").poll(0.1)
    assert (two.asset, two.fs_hz, two.rpm) == ("k", 1000.0, 900.0)
    assert np.array_equal(two.acceleration[0], WAVE[:1000])


def test_a_history_has_the_times_of_its_snapshots(tmp_path):
    acc = np.ones((3, 256, 2), np.int16)
    np.savez(tmp_path / "b.npz", acc_mg=acc, t_s=[0.0, 10.0, 20.0], fs_hz=25_600.0)
    found = list(read_records(tmp_path / "b.npz", 0.0, 1.0))
    assert [record.start_s for record in found] == [0.0, 10.0, 20.0]
    assert found[0].acceleration.shape == (2, 256)
    assert found[0].acceleration[0, 0] == pytest.approx(G / 1000)


def test_a_folder_is_a_machine_and_two_machines_share_the_time(tmp_path, clock):
    for asset in ("fan-1", "fan-2"):
        (tmp_path / asset).mkdir()
        npz(tmp_path / asset / "day.npz")
    files = source(clock, tmp_path)
    found = [files.poll(0.1)[0] for _ in range(6)]
    assert [one.asset for one in found] == ["fan-1", "fan-2"] * 3
    assert [one.elapsed_s for one in found] == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]


def test_a_replay_keeps_the_original_timing_or_runs_faster(tmp_path, clock):
    npz(tmp_path / "a.npz")
    slow = source(clock, tmp_path, ReplaySettings)
    assert len(slow.poll(0.1)) == 1
    assert slow.poll(0.4) == []
    assert clock.monotonic() == pytest.approx(0.4)
    assert [one.elapsed_s for one in slow.poll(0.7)] == [1.0]
    assert clock.monotonic() == pytest.approx(1.0)
    fast = source(clock, tmp_path, ReplaySettings, speed=10.0)
    fast.poll(0.1)
    clock.sleep(0.25)
    assert [one.elapsed_s for one in fast.poll(0.1)] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", "t_s,q\n0,1\n", "no column x, y or z"),
        ("a.csv", "x\n1\ntwo\n", "could not convert"),
        ("a.csv", "t_s,x\n0,1\n0,2\n", "t_s does not rise"),
        ("a.csv", "x\n1\n2\n", "set fs_hz"),
        ("a.csv", "", "no column"),
        ("a.npz", "no zip", "cannot be read"),
        ("a.mat", "nothing", "cannot be read"),
        ("a.wav", "nothing", "cannot be read"),
    ],
)
def test_a_bad_file_is_one_reading_with_a_fault(tmp_path, clock, name, content, why):
    (tmp_path / name).write_text(content)
    npz(tmp_path / "b.npz")
    files = source(clock, tmp_path)
    found = [files.poll(0.1)[0] for _ in range(4)]
    (bad,) = [one for one in found if one.asset == "a"]
    assert why in bad.fault
    assert [one.fault for one in found if one.asset == "b"] == ["", "", ""]


def test_an_npz_of_objects_is_never_unpickled(tmp_path):
    np.savez(tmp_path / "o.npz", x=np.array([{"a": 1}], object), fs_hz=1.0)
    with pytest.raises(BadFile, match="cannot be read"):
        list(read_records(tmp_path / "o.npz", 0.0, 1.0))


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_no_recordings_is_an_error(tmp_path, clock, what):
    path = tmp_path if what == "empty" else tmp_path / "nowhere"
    with pytest.raises(SensorError):
        source(clock, path).poll(0.1)
