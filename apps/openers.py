"""The apps by name, and what opens each: an app joins the command line by one line here."""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from apps.base import Opener

VAR = Path(os.environ.get("LINESIDE_VAR", "var"))
OPENERS = {"defect_inspection": "apps.open_inspection"}
"""Imported when an app is chosen: its libraries are its own."""
APPS = tuple(OPENERS)


def opener_of(app: str) -> "Opener":
    """The opener of one of APPS."""
    return cast("Opener", importlib.import_module(OPENERS[app]))


def default_config(app: str) -> Path:
    """The app's own app.toml."""
    return Path(__file__).parent / app / "app.toml"
