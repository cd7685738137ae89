"""Figures say what they were measured with."""

import shutil
import subprocess

import pytest

from apps.measured import commit, measured


def test_figures_name_command_commit_and_machine():
    found = measured({"p50": 1.0}, ["bench", "telemetry", "--set", "a=b c"])
    assert found["p50"] == 1.0
    assert found["command"] == "lineside bench telemetry --set 'a=b c'"
    assert found["machine"]["cores"] >= 1
    assert "commit" in found


def test_a_folder_that_is_no_repository_has_no_commit(tmp_path):
    assert commit(tmp_path) is None


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
def test_a_changed_folder_is_called_dirty(tmp_path):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    (tmp_path / "a").write_text("1")
    for words in (["init", "-q"], ["add", "a"], [*who, "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)  # noqa: S607
    clean = commit(tmp_path)
    assert clean
    assert "dirty" not in clean
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == f"{clean}-dirty"
