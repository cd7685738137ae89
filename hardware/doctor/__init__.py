"""What is here, what is missing, and the one command that gets it.

It tells the truth: runtimes are loaded, drivers are asked and every model is run once, the
risky ones in a process of their own. Nothing is changed (save that an engine that TensorRT
builds is kept for the station), nothing is downloaded.
"""

from collections.abc import Iterable
from pathlib import Path

from hardware.doctor import artefacts, devices, host, programs, runtimes
from hardware.doctor.finding import Finding, as_json, as_text

__all__ = ["Finding", "as_json", "as_text", "examine", "examine_device", "shipped"]

ROOT = Path(__file__).parents[2]


def examine(models: Iterable[Path] | None = None) -> list[Finding]:
    """Everything this device has to offer or lacks; `models` are folders of bundles."""
    return [
        *examine_device(),
        *artefacts.findings(shipped() if models is None else models),
    ]


def examine_device() -> list[Finding]:
    """The same without the models, which take seconds."""
    return [
        *programs.python(),
        *runtimes.findings(),
        *devices.findings(),
        *host.findings(),
        *programs.findings(),
    ]


def shipped(root: Path = ROOT) -> list[Path]:
    """Folders of the models that came with the apps."""
    return sorted(path.parent for path in root.glob("apps/*/models/*/model.toml"))
