"""The collector's systemd unit: what it starts exists, and it may do little."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from apps.cli import parser

UNIT = Path(__file__).parents[2] / "deploy" / "lineside-collect.service"


def test_it_starts_a_command_that_exists():
    command = re.search(r"^ExecStart=\S+/lineside (.*)$", UNIT.read_text(), re.MULTILINE)
    options = parser().parse_args(shlex.split(command[1]))
    assert options.to == "${LINESIDE_ARCHIVE}"
    assert options.config == Path("/etc/lineside/collect.toml")


def test_it_has_little_to_lose():
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(
        [analyze, "security", "--offline=yes", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    if found is None:
        pytest.skip("systemd-analyze is too old to judge a unit that is not installed")
    assert float(found[1]) <= 2.0
