"""The doctor: every finding is there, or comes with the one step that gets it."""

import json
from dataclasses import replace

import pytest

from hardware import doctor
from hardware.catalog import RUNTIMES, Backend
from hardware.doctor import Finding


@pytest.fixture(scope="module")
def findings():
    return doctor.examine()


def named(name):
    return next(f for f in doctor.examine_device() if f.name == name)


def test_each_thing_is_looked_for_once_and_said_in_words(findings):
    names = [finding.name for finding in findings]
    assert len(names) == len(set(names))
    assert {"Python", "SQLite", "USB cameras", "mosquitto"} < set(names)
    assert {f"runtime {name}" for name in RUNTIMES} < set(names)
    assert all(finding.found for finding in findings)


def test_whatever_is_missing_comes_with_its_remedy(findings):
    assert all(finding.remedy for finding in findings if not finding.ok)


def test_here_where_the_tests_run_nothing_needed_is_missing(findings):
    assert all(finding.ok for finding in findings if finding.needed)


def test_a_runtime_is_found_with_its_version():
    found = named("runtime onnxruntime")
    assert found.ok
    assert found.needed
    assert found.found[0].isdigit()


def test_a_runtime_that_is_not_installed_comes_with_the_command(monkeypatch):
    absent = replace(RUNTIMES["openvino"], package="no_such_vendor")
    monkeypatch.setitem(RUNTIMES, "openvino", absent)
    assert named("runtime openvino") == Finding(
        "runtime openvino", False, False, "not installed", absent.install
    )


def test_a_runtime_that_cannot_be_loaded_is_not_called_here(monkeypatch, tmp_path):
    (tmp_path / "torn_vendor.py").write_text("raise OSError('libtorn.so: wrong ELF class')")
    monkeypatch.syspath_prepend(tmp_path)
    torn = Backend("torn_vendor", "Open", package="torn_vendor", install="apt install torn")
    monkeypatch.setitem(RUNTIMES, "torn", torn)
    found = named("runtime torn")
    assert not found.ok
    assert (found.found, found.remedy) == ("libtorn.so: wrong ELF class", "apt install torn")


def test_a_runtime_under_another_packages_name_is_here(monkeypatch):
    other = replace(RUNTIMES["onnxruntime"], package="importlib")  # no distribution bears it
    monkeypatch.setitem(RUNTIMES, "onnxruntime", other)
    assert named("runtime onnxruntime").found == "here, under another name"


def test_the_text_marks_what_is_here_needed_and_optional():
    text = doctor.as_text(
        [
            Finding("camera", True, False, "/dev/video0", "connect one"),
            Finding("Python", False, True, "3.9", "install 3.11"),
            Finding("broker", False, False, "not here", "apt install mosquitto"),
        ]
    )
    lines = text.splitlines()
    assert [line[0] for line in lines] == ["✓", "✗", "–"]
    assert "→" not in lines[0]
    assert lines[1].endswith("3.9  → install 3.11")
    assert lines[2].endswith("not here  → apt install mosquitto")


def test_the_json_says_the_same(findings):
    table = json.loads(doctor.as_json(findings))
    assert [row["name"] for row in table] == [finding.name for finding in findings]
    assert all(row.keys() == {"name", "ok", "needed", "found", "remedy"} for row in table)
