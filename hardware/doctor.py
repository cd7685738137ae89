"""What is here, what is missing, and the one command that gets it."""

import json
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from common.errors import BackendMissing
from hardware.catalog import RUNTIMES, Backend, installed, load_module

WAL_FIXED = (3, 51, 3)  # SQLite before it can corrupt a WAL file that two connections write


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for."""

    name: str
    ok: bool
    needed: bool
    """Whether Lineside cannot do its work without it."""
    found: str
    remedy: str = ""
    """The one command or step that gets it; empty when it is there."""


def examine() -> list[Finding]:
    """Everything this device has to offer or lacks."""
    return [
        *_python(),
        *_runtimes(),
        *_devices(),
        *_programs(),
        _training(),
    ]


def as_text(findings: list[Finding]) -> str:
    """One line per finding: ✓ here, ✗ missing and needed, – missing and optional."""
    lines = []
    for finding in findings:
        mark = "✓" if finding.ok else ("✗" if finding.needed else "–")
        remedy = f"  → {finding.remedy}" if finding.remedy and not finding.ok else ""
        lines.append(f"{mark} {finding.name:<22} {finding.found}{remedy}")
    return "\n".join(lines)


def as_json(findings: list[Finding]) -> str:
    """The same for programs."""
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def _python() -> Iterator[Finding]:
    fits = sys.version_info >= (3, 11)
    remedy = "" if fits else "install Python 3.11 or newer"
    yield Finding("Python", fits, True, platform.python_version(), remedy)
    version = tuple(int(part) for part in sqlite3.sqlite_version.split("."))
    note = (
        "" if version >= WAL_FIXED else " (one connection owns each file, so it is safe here)"
    )
    yield Finding("SQLite", True, True, sqlite3.sqlite_version + note)


def _runtimes() -> Iterator[Finding]:
    for name, backend in RUNTIMES.items():
        here, found = _loaded(name, backend)
        needed = name == "onnxruntime"
        yield Finding(f"runtime {name}", here, needed, found, "" if here else backend.install)


def _loaded(name: str, backend: Backend) -> tuple[bool, str]:
    if not installed(backend):
        return False, "not installed"
    try:
        load_module("runtime", name, backend)
    except BackendMissing as error:
        return False, str(error.__cause__)
    return True, _version(backend.package)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # e.g. Jetson's onnxruntime-gpu
        return "here, under another name"


def _devices() -> Iterator[Finding]:
    cameras = sorted(str(path) for path in Path("/dev").glob("video*"))
    remedy = "connect a camera; its user must be in the group video"
    yield Finding("USB cameras", bool(cameras), False, ", ".join(cameras) or "none", remedy)
    serial = sorted(str(path) for path in Path("/dev").glob("apex_*"))
    yield Finding("Coral Edge TPU", bool(serial), False, ", ".join(serial) or "none",
                  "not supported yet; models run on the processor")  # fmt: skip
    gpu = Path("/proc/driver/nvidia/version").exists() or Path("/etc/nv_tegra_release").exists()
    yield Finding("NVIDIA GPU", gpu, False, "driver loaded" if gpu else "none",
                  "not used yet; models run on the processor")  # fmt: skip


def _programs() -> Iterator[Finding]:
    for name, use in (
        ("mosquitto", "an MQTT broker for the demo"),
        ("chromium", "browser tests"),
        ("mbpoll", "an independent Modbus client for tests"),
        ("gst-launch-1.0", "GStreamer and Jetson CSI cameras"),
    ):
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
        package = "gstreamer1.0-tools" if name.startswith("gst") else name
        yield Finding(name, path is not None, False, path or f"not here ({use})",
                      f"apt install {package}")  # fmt: skip


def _training() -> Finding:
    here = Path(".venv-train/bin/python").exists()
    found = ".venv-train" if here else "not set up"
    return Finding("training environment", here, False, found, "make setup-train")
