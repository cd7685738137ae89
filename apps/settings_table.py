"""A settings file with `--set key.sub=value` laid over it."""

import tomllib
from pathlib import Path
from typing import Any

from common.config import read_toml
from common.errors import ConfigError


def settings_table(path: Path | None, changes: list[str]) -> dict[str, Any]:
    """The TOML in `path`, or nothing, with the changes laid over it; raises ConfigError."""
    table = read_toml(path) if path else {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise ConfigError(f"--set {change}: write KEY=VALUE")
        place = table
        *parents, last = key.strip().split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {key}: {parent} is not a table")
        place[last] = _toml_value(value.strip())
    return table


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word is meant as a string
