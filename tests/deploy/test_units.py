"""The systemd units: what they start exists, is understood by systemd and may do little."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from apps.cli import parser
from apps.openers import APPS

DEPLOY = Path(__file__).parents[2] / "deploy"
STATION, SCREEN = DEPLOY / "lineside@.service", DEPLOY / "lineside-screen.service"
UNITS = sorted(DEPLOY.glob("*.service"))
ANALYZE = shutil.which("systemd-analyze")
NO_ANALYZE = "systemd-analyze is not installed"


def started(unit):
    found = re.search(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    return shlex.split(found[1])


@pytest.mark.parametrize("app", APPS)
def test_a_station_is_started_with_a_command_that_exists(app):
    program, *words = (word.replace("%i", app) for word in started(STATION))
    assert program == "/opt/lineside/.venv/bin/lineside"
    options = parser().parse_args(words)
    assert (options.app, options.config) == (app, Path(f"/etc/lineside/{app}.toml"))
    assert options.var == Path("/var/lib/lineside")


def test_the_collector_is_started_with_a_command_that_exists():
    _, *words = started(DEPLOY / "lineside-collect.service")
    options = parser().parse_args(words)
    assert options.to == "${LINESIDE_ARCHIVE}"
    assert options.config == Path("/etc/lineside/collect.toml")


def test_the_screens_are_the_page_that_is_there():
    words = started(SCREEN)
    assert words[1:4] == ["-m", "streamlit", "run"]
    page = Path(words[4].removeprefix("/opt/lineside/"))
    assert (DEPLOY.parent / page).is_file()
    assert "127.0.0.1" in words


def test_every_drop_in_is_an_apps():
    names = {folder.name for folder in DEPLOY.glob("lineside@*.service.d")}
    assert names <= {f"lineside@{app}.service.d" for app in APPS}
    assert "lineside@defect_inspection.service.d" in names


def test_only_what_makes_no_machine_code_may_not():
    """OpenVINO cannot load a network where memory is either written or run."""
    for app in APPS:
        drop_ins = (DEPLOY / f"lineside@{app}.service.d").glob("*.conf")
        strict = any("MemoryDenyWriteExecute=yes" in path.read_text() for path in drop_ins)
        cards = (DEPLOY.parent / "apps" / app / "models").glob("*/model.toml")
        openvino = any('runtime = "openvino"' in card.read_text() for card in cards)
        assert not (strict and openvino), app


@pytest.fixture
def installed(tmp_path):
    """The units with the programs they name at hand."""
    shutil.copytree(DEPLOY, tmp_path / "units", ignore=shutil.ignore_patterns("docker", "sql"))
    programs = tmp_path / "lineside" / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("lineside", "python"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    for unit in (tmp_path / "units").glob("*.service"):
        unit.write_text(unit.read_text().replace("/opt/lineside", f"{tmp_path}/lineside"))
    return tmp_path / "units"


def verified(folder, unit):
    done = subprocess.run(
        [ANALYZE, "verify", "--man=no", "--recursive-errors=no", unit],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    if "Unknown" in done.stderr or "unrecognized" in done.stderr:
        pytest.skip(f"this systemd-analyze is too old: {done.stderr.splitlines()[0]}")
    return [line for line in done.stderr.splitlines() if str(folder) in line or unit in line]


@pytest.mark.skipif(ANALYZE is None, reason=NO_ANALYZE)
@pytest.mark.parametrize(
    "unit",
    [*(f"lineside@{app}.service" for app in APPS), SCREEN.name, "lineside-collect.service"],
)
def test_systemd_understands_every_line(installed, unit):
    assert verified(installed, unit) == []


@pytest.mark.skipif(ANALYZE is None, reason=NO_ANALYZE)
def test_the_check_above_sees_a_wrong_line_in_a_drop_in(installed):
    drop_in = installed / "lineside@defect_inspection.service.d" / "devices.conf"
    drop_in.write_text(drop_in.read_text() + "DevicePolicy=nonsense\n")
    assert any(
        "nonsense" in line for line in verified(installed, "lineside@defect_inspection.service")
    )


@pytest.mark.skipif(ANALYZE is None, reason=NO_ANALYZE)
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_they_have_little_to_lose(unit):
    done = subprocess.run(
        [ANALYZE, "security", "--offline=yes", unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    if found is None:
        pytest.skip("systemd-analyze is too old to judge a unit that is not installed")
    assert float(found[1]) <= 2.0
