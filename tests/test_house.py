"""The rules of the house that no single file can keep: layers, names, shapes, hygiene."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from apps import cli
from apps.demo_shows import SHOWS
from common.inference.bundle import open_bundle

ROOT = Path(__file__).parents[1]
SHIPPED = [
    path for top in ("apps", "common", "hardware") for path in (ROOT / top).rglob("*.py")
]
APPS = [ROOT / "apps" / name for name in cli.APPS]
BUNDLES = sorted(path.parent for path in ROOT.glob("apps/*/models/*/model.toml"))
STEPS = ("sense", "perceive", "decide", "act", "record")
APP_FILES = (
    "README.md", "app.toml", "domain.py", "config.py", *(f"{step}.py" for step in STEPS),
    "station.py", "simulate.py", "screen.py", "evaluate.py", "training",
)  # fmt: skip
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
    "contracts"
]
MOST_BYTES = 30 * 10**6  # per weight set, so that a clone stays small


def relative(path):
    return str(path.relative_to(ROOT))


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607
        cwd=ROOT, capture_output=True, check=False, text=True,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("no git here: an unpacked archive")
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


# ------------------------------------------------------------------ layers and shape


def test_the_import_contracts_hold():
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_every_app_is_under_the_contracts(app):
    sources = [contract.get("source_modules", []) for contract in CONTRACTS]
    independent = [contract.get("modules", []) for contract in CONTRACTS]
    assert any(f"apps.{app.name}" in modules for modules in sources)
    assert any(f"apps.{app.name}.decide" in modules for modules in sources)
    steps = {f"apps.{app.name}.{step}" for step in STEPS}
    assert any(steps <= set(modules) for modules in independent)


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
@pytest.mark.parametrize("name", APP_FILES)
def test_every_app_has_the_same_shape(app, name):
    assert (app / name).exists()


def test_every_app_plays_in_the_demo():
    assert set(SHOWS) == set(cli.APPS)


def test_no_module_bears_a_name_of_the_standard_library():
    """Streamlit puts a page's folder first on the path, and `import queue` would find it."""
    names = {part for path in SHIPPED for part in path.relative_to(ROOT).with_suffix("").parts}
    assert names & sys.stdlib_module_names <= {"__main__", "__future__"}


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for path in SHIPPED}
    assert [
        relative(folder) for folder in folders if not (folder / "__init__.py").exists()
    ] == []


# ------------------------------------------------------------------ what code must not do

FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load",
    "yaml.unsafe_load", "np.save", "tempfile.mktemp",
}  # fmt: skip
FORBIDDEN_ARGUMENTS = {("shell", True), ("allow_pickle", True), ("verify", False)}


def wrongs(path):
    """Line and what is wrong there, for each forbidden thing in a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").partition(".")[0]}
        elif isinstance(node, ast.Call):
            yield from wrong_calls(path, node)
            continue
        else:
            continue
        yield from (f"{relative(path)}:{node.lineno} {n}" for n in names & FORBIDDEN_IMPORTS)


def wrong_calls(path, call):
    name = ast.unparse(call.func)
    given = {
        (word.arg, word.value.value)
        for word in call.keywords
        if isinstance(word.value, ast.Constant)
    }
    if name in FORBIDDEN_CALLS or given & FORBIDDEN_ARGUMENTS:
        yield f"{relative(path)}:{call.lineno} {ast.unparse(call)[:60]}"


def test_shipped_code_loads_no_pickles_runs_no_text_and_starts_no_shell():
    assert [wrong for path in SHIPPED for wrong in wrongs(path)] == []


@pytest.mark.parametrize(
    "text",
    ["import pickle", "from joblib import load", "eval('1')", "subprocess.run(c, shell=True)",
     "np.load(f, allow_pickle=True)", "os.system('ls')", "yaml.load(text)"],
)  # fmt: skip
def test_the_check_above_sees(tmp_path, text, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "wrong.py"
    path.write_text(text)
    assert len(list(wrongs(path))) == 1


# ------------------------------------------------------------------ what is installed

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
REQUIREMENTS = [line for line in LOCK.splitlines() if re.match(r"[a-zA-Z0-9]", line)]


def test_the_lock_names_no_index_and_no_address():
    options = [line for line in LOCK.splitlines() if re.match(r"\s*-(?!-hash=sha256:)", line)]
    assert options == []
    assert "://" not in LOCK


def test_everything_in_the_lock_is_pinned_and_hashed():
    assert all(re.fullmatch(r"[a-z0-9._-]+==\S+( ; .+)? \\", line) for line in REQUIREMENTS)
    assert LOCK.count("--hash=sha256:") >= len(REQUIREMENTS) > 20


def test_training_is_not_in_the_lock():
    names = {line.partition("==")[0] for line in REQUIREMENTS}
    assert names & {"torch", "torchvision", "ultralytics", "nncf", "opencv-python"} == set()
    assert {"numpy", "onnxruntime", "openvino", "opencv-python-headless", "pytest"} <= names


# ------------------------------------------------------------------ what is tracked

MACHINE_PATH = re.compile(rb"(?<![\w.:~-])/(?:work|root|home/\w+|Users/\w+)/[\w.-]+")
PACKAGE_INDEX = re.compile(
    rb"https?://[^\s\"']*(?:pypi|pythonhosted|artifactory|nexus|devpi|/simple\b)"
    rb"|(?<!no-emit-)(?:index-url|trusted-host|find-links)\b"
)


@pytest.mark.parametrize("pattern", [MACHINE_PATH, PACKAGE_INDEX], ids=["path", "index"])
def test_no_tracked_file_names_this_machine_or_a_package_index(pattern):
    found = {
        relative(path): match[0]
        for path in tracked()
        if path != Path(__file__) and (match := pattern.search(path.read_bytes()))
    }
    assert found == {}


def test_the_patterns_see_what_they_look_for():
    assert MACHINE_PATH.search(b'bundle = "%sroot/models/pcb"' % b"/")
    assert MACHINE_PATH.search(b"cd /home/anna/lineside")
    assert not MACHINE_PATH.search(b"var/home/x apps/work/y https://x.org/root/z")
    assert PACKAGE_INDEX.search(
        b"pip install --index%surl https://mirror.local/%s x" % (b"-", b"simple")
    )
    assert not PACKAGE_INDEX.search(b"--no-emit-index-url --no-emit-trusted-host")


def test_no_weights_of_training_and_no_data_are_tracked():
    kinds = {".pt", ".pth", ".ckpt", ".pkl", ".sqlite", ".db", ".zip", ".engine"}
    assert [relative(path) for path in tracked() if path.suffix in kinds] == []


# ------------------------------------------------------------------ the shipped models


def test_every_app_with_a_model_ships_one():
    assert {bundle.parents[1].name for bundle in BUNDLES} >= {"defect_inspection"}


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: folder.name)
def test_a_shipped_model_is_whole_and_small_enough(folder):
    bundle = open_bundle(folder)
    named = {"model.toml"}
    for artefact in bundle.card.artefacts:
        files = [name for name in (artefact.file, artefact.companion) if name]
        bundle.path(artefact)  # raises unless every byte is the card's
        assert sum((folder / name).stat().st_size for name in files) < MOST_BYTES
        named.update(files)
    weights = {path.name for path in folder.iterdir() if path.suffix not in {".json", ".md"}}
    weights.discard("NOTICE")  # what a licence wants said of those it was learned from
    assert weights == named, "a file lies here that the card does not know"
