"""Two tables for documents: what was measured on which device, and which file is for which.

Both come from files: reports of `lineside bench --model`, and the model cards.
"""

from collections.abc import Iterable
from pathlib import Path

from apps.model_bench.merge import merged
from apps.model_bench.report import as_markdown
from common.inference.bundle import ModelCard, open_bundle
from hardware.doctor import shipped
from hardware.runtimes.presence import DEVICES

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "figures"
EXPECTED = (
    "NVIDIA Jetson",
    "Raspberry Pi",
    "Coral Edge TPU",
    "Hailo-8",
    "Intel GPU",
    "Intel NPU",
)
MOST = "All but the CPU"
WORDS = {
    "NVIDIA Jetson": ("jetson", "nvidia orin", "tensorrt", ":cuda"),
    "Raspberry Pi": ("raspberry",),
    "Coral Edge TPU": (":edgetpu",),
    "Hailo-8": ("hailo",),
    "Intel GPU": ("openvino:gpu",),
    "Intel NPU": ("openvino:npu",),
}
"""What a report's device, or a row of it that ran, has in its name where it is this device."""


def measured(figures: Path = FIGURES) -> str:
    """The committed reports, then every device of which there is none yet."""
    reports = merged(sorted(figures.glob("models-*.json")))
    named = [report["device"]["model"].lower() for report in reports]
    named += [
        row["label"].lower() for report in reports for row in report["rows"] if row["runs"]
    ]
    absent = [
        device
        for device in EXPECTED
        if not any(word in name for name in named for word in WORDS[device])
    ]
    return as_markdown(reports, tuple(absent)) + "\n"


def artefacts(folders: Iterable[Path] | None = None) -> str:
    """Each shipped model's files by kind of device; then what makes those that are absent."""
    cards = [open_bundle(folder).card for folder in (shipped() if folders is None else folders)]
    lines = [f"| model | {' | '.join(DEVICES)} |", "|---" * (1 + len(DEVICES)) + "|"]
    for card in cards:
        cells = (_cell(card, kind) for kind in DEVICES)
        lines.append(f"| {card.name} | {' | '.join(cells)} |")
    made: dict[str, list[str]] = {}
    for card in cards:
        for entry in card.not_built:
            step = f": `{entry.command}`" if entry.command else ""
            devices = (
                MOST if len(entry.devices) == len(DEVICES) - 1 else ", ".join(entry.devices)
            )
            made.setdefault(f"{devices}: {entry.reason}{step}", []).append(card.name)
    lines += ["", *(f"* {text} ({', '.join(names)})" for text, names in made.items())]
    return "\n".join(lines) + "\n"


def _cell(card: ModelCard, kind: str) -> str:
    found = [one.label for one in card.candidates() if one.runtime in DEVICES[kind]]
    if found:
        return ", ".join(found)
    commands = [entry.command for entry in card.not_built if kind in entry.devices]
    if not commands:
        return "not spoken of"
    return "not built" if any(commands) else "CPU serves"
