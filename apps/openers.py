"""The apps by name, and what opens each: an app joins the command line by one line here."""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from apps.asked import Asked
    from apps.base import Opener

VAR = Path(os.environ.get("LINESIDE_VAR", "var"))
OPENERS = {
    "defect_inspection": "apps.open_inspection",
    "predictive_maintenance": "apps.open_maintenance",
    "retail_analytics": "apps.open_retail",
    "patient_monitoring": "apps.open_ward",
}
"""Imported when an app is chosen: its libraries are its own."""
APPS = tuple(OPENERS)


def opener_of(app: str) -> "Opener":
    """The opener of one of APPS."""
    return cast("Opener", importlib.import_module(OPENERS[app]))


class Measure(Protocol):
    """What an app's measure module gives `evaluate` and `bench`."""

    def evaluate(self, asked: "Asked") -> dict[str, Any]:
        """Accuracy on data, beside plain methods."""

    def bench(self, asked: "Asked") -> dict[str, Any]:
        """Speed, beside the bare parts."""


def measure_of(app: str) -> Measure:
    """The measure module of one of APPS."""
    return cast("Measure", importlib.import_module(OPENERS[app].replace("open_", "measure_")))


def default_config(app: str) -> Path:
    """The app's own app.toml."""
    return Path(__file__).parent / app / "app.toml"
