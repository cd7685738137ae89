"""What a user's mistakes look like: one clear line, the right exit code, no traceback."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps.cli import main
from common.clock import SystemClock
from common.users import Users
from hardware.runtimes.presence import DEVICES

APP = Path(__file__).parents[2] / "apps" / "defect_inspection"
SHIPPED = APP / "models" / "pcb"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "pcb"
    shutil.copytree(SHIPPED, folder)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "images" / "val").mkdir(parents=True)
    labels = "[open, short, mousebite, spur, copper, pinhole]"
    (tmp_path / "data.yaml").write_text(f"val: images/val\nnames: {labels}\n")
    return tmp_path


def failed(capsys: pytest.CaptureFixture[str], *command: object) -> tuple[int, str]:
    code = main([str(word) for word in command])
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert error.startswith("lineside: ")
    assert error.count("\n") == 1
    return code, error


def evaluate(data: Path, *more: object) -> list[object]:
    return ["evaluate", "defect_inspection", "--data", data, *more]


def test_no_model_is_said_with_its_folder(capsys, data, tmp_path):
    code, error = failed(capsys, *evaluate(data, "--model", tmp_path / "nothing"))
    assert code == 1
    assert "model.toml is missing" in error


def test_an_altered_artefact_is_refused(capsys, data, bundle):
    with (bundle / "fp32.onnx").open("ab") as file:
        file.write(b"x")
    code, error = failed(
        capsys, *evaluate(data, "--model", bundle, "--runtime", "onnxruntime",
                          "--artefact", "fp32")
    )  # fmt: skip
    assert code == 1
    assert "SHA-256" in error


def test_a_missing_artefact_is_named(capsys, data, bundle):
    (bundle / "int8.xml").unlink()
    code, error = failed(capsys, *evaluate(data, "--model", bundle))
    assert code == 1
    assert "int8.xml" in error


def test_a_network_of_another_shape_is_refused(capsys, data, bundle):
    card = bundle / "model.toml"
    card.write_text(card.read_text().replace("640, 640", "320, 320"))
    code, error = failed(capsys, *evaluate(data, "--model", bundle, "--runtime", "openvino"))
    assert code == 1
    assert "model.toml says" in error


def test_an_unknown_runtime_names_what_there_is(capsys, data):
    code, error = failed(capsys, *evaluate(data, "--runtime", "abacus"))
    assert code == 2
    assert "onnxruntime" in error


def test_a_folder_without_data_yaml(capsys, tmp_path):
    code, error = failed(capsys, *evaluate(tmp_path))
    assert code == 2
    assert "data.yaml" in error


def test_a_folder_without_pictures(capsys, data):
    code, error = failed(capsys, *evaluate(data, "--runtime", "openvino", "--artefact", "int8"))
    assert code == 2
    assert "no pictures" in error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("line.deadline_ms=-1", "line.deadline_ms = -1"),
        ("line.deadline=300", "unknown key line.deadline"),
        ("simulation.enabled=perhaps", "simulation.enabled"),
        ("camera.backend=abacus", "no camera named abacus"),
        ('telemetry.enabled="true"', "telemetry.enabled = 'true': must be true or false"),
        ('station.name=".."', "device = '..'"),
        ('station.name="line/1"', "device = 'line/1'"),
        ("nonsense", "KEY=VALUE"),
    ],
)
def test_wrong_settings_name_file_and_key(capsys, tmp_path, change, said):
    code, error = failed(
        capsys, "run", "defect_inspection", "--var", tmp_path,
        "--set", "simulation.enabled=false", "--set", change,
    )  # fmt: skip
    assert code == 2
    assert said in error


def test_of_several_sources_the_wrong_one_is_named(capsys, tmp_path):
    code, error = failed(
        capsys, "run", "predictive_maintenance", "--var", tmp_path,
        "--set", "simulation.enabled=false", "--set", "machines.fan-3.kind=fan",
        "--set", "sources.hall-1.backend=mqtt", "--set", "sources.hall-2.backend=files",
    )  # fmt: skip
    assert code == 2
    assert "sources.hall-2.options.path is missing" in error


def test_an_unreadable_settings_file(capsys, tmp_path):
    missing = tmp_path / "none.toml"
    code, error = failed(capsys, "run", "defect_inspection", "--config", missing)
    assert code == 2
    assert str(missing) in error


def test_a_folder_that_cannot_be_made_is_one_clear_line(capsys, tmp_path):
    file = tmp_path / "file"
    file.touch()
    code, error = failed(capsys, "run", "patient_monitoring", "--var", file,
                         "--set", "simulation.enabled=false")  # fmt: skip
    assert code == 1
    assert str(file) in error


def test_an_error_of_the_system_that_names_no_file_is_a_bug_and_keeps_its_traceback(
    monkeypatch,
):
    def broken(options):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("apps.carry_out.doctor", broken)
    with pytest.raises(OSError, match="Bad file"):
        main(["doctor"])


def test_a_password_is_asked_for_at_a_terminal(capsys, tmp_path, monkeypatch):
    def nobody(prompt):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody)
    (tmp_path / "press-1").mkdir()
    code, error = failed(capsys, "user", "press-1", "eve", "--var", tmp_path)
    assert code == 2
    assert "no password" in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("screen --port 99999", "'99999': a whole number, from 1024 to 65535, is needed"),
        ("screen --port 80", "'80': a whole number, from 1024"),
        ("screen --port http", "'http': a whole number"),
        ("demo --for -5", "'-5': a number, from 0.001 to 1000000000, is needed"),
        ("demo --for nan", "'nan': a number"),
        ("demo --for soon", "'soon': a number"),
        ("chaos --kills -1", "'-1': a whole number, 0 or more, is needed"),
        ("chaos --cuts some", "'some': a whole number"),
        ("bench screen --hours -1", "'-1': a number, from 0 to 8760, is needed"),
        ("quantize M --data D --to tflite-int8 --limit nan", "'nan': a number, from 0 to 1"),
        ("baseline fan-3 --between 0 inf", "'inf': a number"),
        ("baseline fan-3 --back 0", "'0': a whole number, 1 or more"),
        ("evaluate defect_inspection --data=", "the name of a file or folder is needed"),
        ("run defect_inspection --var=", "the name of a file or folder is needed"),
    ],
)
def test_what_is_no_port_time_number_or_name_is_refused_in_words(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    option = next(word for word in reversed(words.split()) if word.startswith("--"))
    told = capsys.readouterr().err
    assert f"argument {option.rstrip('=')}: {said}" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bench telemetry --model X", "bench telemetry: --model is not for this"),
        ("bench screen --config X", "bench screen: --config is not for this"),
        ("bench defect_inspection --data X", "bench defect_inspection: --data is not"),
        ("bench retail_analytics --hours 1", "bench retail_analytics: --hours is not"),
        ("bench --model X --artefact int8", "bench --model: --artefact is not"),
        ("bench --merge X --set a=b", "bench --model: --set is not"),
    ],
)
def test_an_option_that_a_bench_would_not_heed_is_refused(capsys, words, said):
    code, error = failed(capsys, *words.split())
    assert code == 2
    assert said in error


@pytest.mark.parametrize("model", ["X", APP / "models" / "pcb", APP / "models/pcb/fp32.onnx"])
def test_labelled_pictures_that_tell_nothing_are_refused_before_anything_is_measured(
    capsys, tmp_path, model
):
    code, error = failed(capsys, "bench", "--model", model, "--data", tmp_path / "gone")
    assert code == 2
    assert ": " in error


def test_a_bench_of_a_model_that_runs_nowhere_has_failed(capsys, tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"none")
    plot = tmp_path / "gone" / "plot.svg"
    words = ["bench", "--model", tmp_path / "net.onnx", "--runtimes", "onnxruntime", "--quick"]
    assert main([str(word) for word in words]) == 1
    assert "best here: nothing runs" in capsys.readouterr().out
    assert main([str(word) for word in [*words, "--plot", plot]]) == 1
    seen = capsys.readouterr()
    assert "best here: nothing runs" in seen.out
    assert str(plot) in seen.err


@pytest.mark.parametrize("many", [False, True])
def test_output_that_nobody_takes_is_one_line_and_a_failure(tmp_path, many):
    (tmp_path / "r.json").write_text(json.dumps({
        "schema": "lineside.model-bench.v1", "time": "", "best": None, "rows": [],
        "device": {"model": "x" * (many * 200_000), "cpu": "", "cores": 1},
        "model": {"name": "m"},
    }))  # fmt: skip
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "apps.cli", "bench", "--merge", tmp_path / "r.json"],
        stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "lineside: output: Broken pipe\n")


@pytest.mark.parametrize("words", ["--accept=", "--back=0"])
def test_a_change_of_a_baseline_that_lacks_its_word_is_none_and_no_look(
    capsys, tmp_path, words
):
    with contextlib.suppress(SystemExit):
        assert main(["baseline", "fan-3", "--var", str(tmp_path), words]) == 2
    assert "no such station" not in capsys.readouterr().err


def test_a_demo_of_an_app_that_is_none_says_which_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "nothing"])
    assert "'nothing' is none of defect_inspection, pred" in capsys.readouterr().err


class Server:
    """Stands for the screens: told to end while it is waited for, as by systemd."""

    def __init__(self, handlers):
        self.handlers, self.code = handlers, 0

    def wait(self):
        self.handlers[signal.SIGTERM]()
        return self.code

    def terminate(self):
        self.code = -signal.SIGTERM


def test_the_screens_look_where_stations_keep_their_files_and_end_with_who_started_them(
    tmp_path, monkeypatch
):
    asked, handlers = [], {}
    server = Server(handlers)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr("apps.demo.open_screen", lambda *a: asked.append(a) or server)
    assert main(["screen", "--var", str(tmp_path)]) == 0
    assert asked == [(8501, tmp_path)]
    assert server.code == -signal.SIGTERM
    assert handlers.keys() == {signal.SIGINT, signal.SIGTERM}


def test_users_are_added_to_stations_that_exist(capsys, tmp_path):
    code, error = failed(capsys, "user", "nowhere", "eve", "--var", tmp_path)
    assert code == 2
    assert "no such station" in error


def test_an_access_is_taken_away_without_a_password(capsys, tmp_path):
    (tmp_path / "press-1").mkdir()
    users = Users(tmp_path / "press-1" / "users.json", SystemClock())
    users.add("eve", "operator", "correct horse")
    assert main(["user", "press-1", "eve", "--remove", "--var", str(tmp_path)]) == 0
    assert "may no longer sign in at press-1" in capsys.readouterr().out
    assert users.find("eve") is None
    code, error = failed(capsys, "user", "press-1", "eve", "--remove", "--var", tmp_path)
    assert (code, "no user 'eve'" in error) == (2, True)


def test_the_doctor_speaks_json(capsys):
    assert main(["doctor", "--json"]) == 0
    names = [finding["name"] for finding in json.loads(capsys.readouterr().out)]
    assert "Python" in names
    assert "runtime onnxruntime" in names


def test_training_without_its_environment_says_how_to_get_it(capsys, data, monkeypatch):
    monkeypatch.chdir(data)
    code, error = failed(capsys, "train", "defect_inspection", "--data", data)
    assert code == 2
    assert "make setup-train" in error


def test_the_help_names_every_runtime(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    told = capsys.readouterr().out
    families = {name.partition(":")[0] for names in DEVICES.values() for name in names}
    assert [name for name in sorted(families) if name not in told] == []
