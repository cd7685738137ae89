"""Python, SQLite, the broker, and the programs that some parts need beside it."""

import platform
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from hardware.doctor.finding import Finding

WAL_FIXED = (3, 51, 3)  # SQLite before it can corrupt a WAL file that two connections write
BROKER = ("127.0.0.1", 1883)
PROGRAMS = (
    ("mosquitto", "mosquitto", "an MQTT broker for the demo"),
    ("chromium", "chromium", "browser tests"),
    ("mbpoll", "mbpoll", "an independent Modbus client for tests"),
    ("gst-launch-1.0", "gstreamer1.0-tools", "GStreamer and Jetson CSI cameras"),
)
"""Name, package, what it is for."""
ENVIRONMENTS = (
    ("training", ".venv-train", "setup-train"),
    ("TFLite", ".venv-tflite", "setup-tflite"),
)
"""Beside the station's own: what makes models, never what runs them."""


def python() -> Iterator[Finding]:
    """What everything stands on."""
    fits = sys.version_info >= (3, 11)
    remedy = "" if fits else "install Python 3.11 or newer"
    about = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("Python", fits, True, about, remedy)
    version = tuple(int(part) for part in sqlite3.sqlite_version.split("."))
    note = (
        "" if version >= WAL_FIXED else " (one connection owns each file, so it is safe here)"
    )
    yield Finding("SQLite", True, True, sqlite3.sqlite_version + note)


def findings() -> Iterator[Finding]:
    """Programs by name, a broker on this host, and the environments that make models."""
    for name, package, use in PROGRAMS:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
        yield Finding(name, path is not None, False, path or f"not here ({use})",
                      f"apt install {package}")  # fmt: skip
    yield broker(*BROKER)
    for name, folder, target in ENVIRONMENTS:
        here = Path(folder, "bin", "python").exists()
        found = folder if here else "not set up"
        yield Finding(f"{name} environment", here, False, found, f"make {target}")


def broker(host: str, port: int) -> Finding:
    """Whether anything listens where stations look for an MQTT broker by default."""
    name = "MQTT broker"
    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError as error:
        found = f"{host}:{port} does not answer ({error.strerror})"
        remedy = "systemctl start mosquitto, or [telemetry] host in app.toml"
        return Finding(name, False, False, found, remedy)
    return Finding(name, True, False, f"{host}:{port} listens")
