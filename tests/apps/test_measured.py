"""Figures say what they were measured with."""

import io
import shutil
import subprocess
import sys

import pytest

from apps.measured import commit, measured, progress


def test_figures_name_command_commit_and_machine():
    found = measured({"p50": 1.0}, ["bench", "telemetry", "--set", "a=b c"])
    assert found["p50"] == 1.0
    assert found["command"] == "lineside bench telemetry --set 'a=b c'"
    assert found["machine"]["cores"] >= 1
    assert "commit" in found


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self):
        return True


def test_progress_goes_over_one_line_of_a_terminal_and_leaves_it_empty(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress() as say:
        say("1 of 2")
        say("2 of 2")
    assert sys.stderr.getvalue() == "\r\x1b[K1 of 2\r\x1b[K2 of 2\r\x1b[K"
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress() as say:
        say("1 of 2")
    assert sys.stderr.getvalue() == capsys.readouterr().out == ""


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
