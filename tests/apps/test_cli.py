"""What a user's mistakes look like: one clear line, the right exit code, no traceback."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from apps.cli import main
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
    assert str(file / "patient-monitoring") in error


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
    "words",
    [("screen", "--port", "99999"), ("screen", "--port", "80"), ("demo", "--for", "-5"),
     ("demo", "--for", "nan"), ("demo", "--for", "soon"), ("chaos", "--kills", "-1"),
     ("chaos", "--cuts", "some")],
)  # fmt: skip
def test_a_port_a_time_or_a_number_that_is_none_is_refused(capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    assert f"argument {words[1]}" in capsys.readouterr().err


def test_a_demo_of_an_app_that_is_none_says_which_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "nothing"])
    assert "'nothing' is none of defect_inspection, pred" in capsys.readouterr().err


def test_the_screens_look_where_the_stations_were_told_to_keep_their_files(
    tmp_path, monkeypatch
):
    asked = []
    ended = SimpleNamespace(wait=lambda: 0)
    monkeypatch.setattr("apps.demo.open_screen", lambda *a: asked.append(a) or ended)
    assert main(["screen", "--var", str(tmp_path)]) == 0
    assert asked == [(8501, tmp_path)]


def test_users_are_added_to_stations_that_exist(capsys, tmp_path):
    code, error = failed(capsys, "user", "nowhere", "eve", "--var", tmp_path)
    assert code == 2
    assert "no such station" in error


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
