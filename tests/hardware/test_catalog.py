"""Backends by name: what is unknown, absent or wrongly set is one line with the way out."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from common.clock import HeldClock
from common.config import from_table
from common.errors import BackendMissing, ConfigError
from hardware import catalog
from hardware.catalog import CAMERAS, GATES, RUNTIMES, Backend, installed

FILE = Path("app.toml")
TABLES = {"runtime": RUNTIMES, "camera": CAMERAS, "plc": GATES}
EVERY = [(kind, name) for kind, table in TABLES.items() for name in table]
ABSENT = {"package": "no_such_vendor", "install": "pip install 'lineside[vendor]'"}


def opening(kind, name, options=None):
    if kind == "runtime":
        return catalog.open_runtime(name, Path("net.onnx"))
    opener = catalog.open_camera if kind == "camera" else catalog.open_gate
    return opener(name, options or {}, FILE, HeldClock())


def refusal(kind, name, options=None, error=BackendMissing):
    with pytest.raises(error) as caught:
        opening(kind, name, options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_name_leads_to_an_opener_and_its_settings(kind, name):
    backend = TABLES[kind][name]
    module = catalog.load_module(kind, name, backend)
    assert callable(getattr(module, backend.opener))
    if backend.settings:
        assert hasattr(getattr(module, backend.settings), "__dataclass_fields__")


@pytest.mark.parametrize("kind", TABLES)
def test_an_unknown_name_is_told_the_known_ones(kind):
    assert refusal(kind, "abacus") == (
        f"no {kind} named abacus; there are: {', '.join(TABLES[kind])}"
    )


def test_one_that_is_not_installed_is_told_the_command_and_the_alternatives(monkeypatch):
    for name in set(RUNTIMES) - {"onnxruntime"}:
        absent = replace(RUNTIMES["openvino"], **ABSENT)
        monkeypatch.setitem(RUNTIMES, name, absent)
    assert refusal("runtime", "openvino") == (
        "runtime openvino is not installed: pip install 'lineside[vendor]'. "
        "Available instead: onnxruntime"
    )


def test_where_nothing_else_is_installed_none_is_said(monkeypatch):
    monkeypatch.setitem(GATES, "modbus", replace(GATES["modbus"], **ABSENT))
    assert refusal("plc", "modbus").endswith("Available instead: none")


def test_a_vendor_package_that_is_there_but_broken_is_told_apart(monkeypatch, tmp_path):
    package = tmp_path / "halfvendor"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('libvendor.so.3: not found')")
    monkeypatch.syspath_prepend(tmp_path)
    broken = Backend("halfvendor", "Open", package="halfvendor", install="apt install vendor")
    monkeypatch.setitem(RUNTIMES, "halfvendor", broken)
    assert installed(broken)
    assert refusal("runtime", "halfvendor") == (
        "runtime halfvendor is installed but cannot be loaded (libvendor.so.3: not found): "
        "apt install vendor"
    )


def test_looking_whether_a_package_is_there_does_not_import_it(monkeypatch, tmp_path):
    (tmp_path / "dangerous_vendor.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert installed(Backend("x", "Open", package="dangerous_vendor"))
    assert "dangerous_vendor" not in sys.modules


@pytest.mark.parametrize(
    ("kind", "name", "options", "text"),
    [
        ("camera", "files", {}, "app.toml: camera.options.path is missing"),
        ("camera", "files", {"path": 3}, "app.toml: camera.options.path = 3 must be of type"),
        (
            "camera",
            "files",
            {"path": "x", "lop": 1},
            "app.toml: unknown key camera.options.lop",
        ),
        (
            "plc",
            "modbus",
            {"port": "x"},
            "app.toml: plc.options.port = 'x' must be of type int",
        ),
        ("plc", "modbus", {"port": 70_000}, "plc.options.port = 70000; allowed: "),
        ("plc", "modbus", {"word_order": "X"}, "plc.options.word_order = 'X'; allowed: "),
        ("plc", "modbus", {"prot": 502}, "app.toml: unknown key plc.options.prot; known here:"),
    ],
)
def test_wrong_options_are_named_with_file_and_key(kind, name, options, text):
    assert text in refusal(kind, name, options, ConfigError)


def test_right_options_open_the_device(tmp_path):
    camera = opening("camera", "files", {"path": str(tmp_path)})
    assert camera.name == f"files camera {tmp_path.name}"
    camera.close()


@pytest.mark.parametrize("name", CAMERAS)
def test_no_camera_setting_is_taken_that_it_does_not_have(name):
    backend = CAMERAS[name]
    module = catalog.load_module("camera", name, backend)
    with pytest.raises(ConfigError, match=r"unknown key camera\.options\.typo"):
        from_table(getattr(module, backend.settings), {"typo": 1}, FILE, "camera.options")
