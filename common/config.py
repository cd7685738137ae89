"""app.toml as typed, frozen settings: wrong input is one clear line, at once.

A settings class is a frozen dataclass whose fields carry unit, limits and choices:

    @dataclass(frozen=True)
    class Camera:
        exposure_us: int = setting(2000, low=10, high=100_000, unit="µs")
        source: str = setting("simulated", choices=("simulated", "usb"))

Nested dataclasses are TOML tables; `tuple[X, ...]` of dataclasses is an array of tables;
`dict[str, X]` is a table of tables. Unknown keys are errors, so a typing slip is found at
start and not at 3 a.m.
"""

import dataclasses
import math
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from common.errors import ConfigError

Settings = TypeVar("Settings")


def setting(
    default: Any = dataclasses.MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] | None = None,
    unit: str = "",
) -> Any:
    """A dataclass field with limits (inclusive), choices and a unit."""
    metadata = {"low": low, "high": high, "choices": choices, "unit": unit}
    return dataclasses.field(default=default, metadata=metadata)


def load(kind: type[Settings], path: Path) -> Settings:
    """The settings in file `path`; raises ConfigError naming file, key, value and range."""
    return from_table(kind, read_toml(path), path)


def read_toml(path: Path) -> dict[str, Any]:
    """The table in file `path`; raises ConfigError when it is unreadable or not TOML."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a 5000-digit number
        raise ConfigError(f"{path}: is not valid TOML: {error}") from error


def from_table(
    kind: type[Settings], table: dict[str, Any], path: Path, key: str = ""
) -> Settings:
    """The settings in a parsed table; `path` and `key` say in errors where it stood."""
    return typing.cast(Settings, _dataclass(kind, table, path, key))


def _dataclass(kind: Any, table: Any, path: Path, key: str) -> Any:
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {key} = {table!r} must be a table")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(table) - set(fields))
    if unknown:
        name = _join(key, unknown[0])
        raise ConfigError(f"{path}: unknown key {name}; known here: {', '.join(fields)}")
    values = {}
    for name, field in fields.items():
        where = _join(key, name)
        if name in table:
            values[name] = _value(hints[name], table[name], path, where, _allowed(field))
            _check(field, values[name], path, where)
        elif (
            field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ):
            raise ConfigError(f"{path}: {where} is missing{_allowed(field)}")
    try:
        return kind(**values)
    except ValueError as error:  # a rule between keys, from __post_init__
        raise ConfigError(f"{path}: {key or 'settings'}: {error}") from error


def _value(hint: Any, value: Any, path: Path, key: str, allowed: str) -> Any:
    if hint is Any:  # a device's own options, checked by whoever opens the device
        return value
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, value, path, key)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = next(a for a in arguments if a is not type(None))
        return _value(inner, value, path, key, allowed)
    if origin is tuple:
        _require(isinstance(value, list), f"a list{allowed}", value, path, key)
        one = arguments[0]
        return tuple(_value(one, v, path, f"{key}[{i}]", allowed) for i, v in enumerate(value))
    if origin is dict:
        _require(isinstance(value, dict), "a table", value, path, key)
        return {
            k: _value(arguments[1], v, path, _join(key, k), allowed) for k, v in value.items()
        }
    return _scalar(hint, value, path, key, allowed)


def _scalar(hint: Any, value: Any, path: Path, key: str, allowed: str) -> Any:
    if hint is float and type(value) is int and abs(value) < 2**63:  # TOML's range
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    right = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    _require(right, f"of type {hint.__name__}{allowed}", value, path, key)
    if hint is float:  # TOML knows nan and inf; no setting means either
        _require(math.isfinite(value), f"a finite number{allowed}", value, path, key)
    return value


def _require(ok: bool, what: str, value: Any, path: Path, key: str) -> None:
    if not ok:
        raise ConfigError(f"{path}: {key} = {value!r} must be {what}")


def _check(field: "dataclasses.Field[Any]", value: Any, path: Path, key: str) -> None:
    if isinstance(value, tuple):  # limits of a list are those of each of its values
        for index, one in enumerate(value):
            _check(field, one, path, f"{key}[{index}]")
        return
    limits = field.metadata
    choices, low, high = limits.get("choices"), limits.get("low"), limits.get("high")
    other = choices is not None and value not in choices
    below = low is not None and value < low
    above = high is not None and value > high
    if other or below or above:
        raise ConfigError(f"{path}: {key} = {value!r}{_allowed(field)}")


def _allowed(field: "dataclasses.Field[Any]") -> str:
    limits = field.metadata
    if limits.get("choices"):
        return f"; allowed: {', '.join(str(c) for c in limits['choices'])}"
    low, high, unit = limits.get("low"), limits.get("high"), limits.get("unit") or ""
    if low is None and high is None:
        return ""
    ends = f"{'' if low is None else low} … {'' if high is None else high}".strip()
    return f"; allowed: {ends} {unit}".rstrip()


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
