"""Which normal recordings a labelled one is judged by: those of its machine and speed."""

from pathlib import Path

from apps.predictive_maintenance.evaluation.recordings import optional
from common.errors import ConfigError

NORMAL = "normal"
Row = dict[str, str]
Key = tuple[str, float | None]
"""Machine and speed."""


def groups_of(data: Path, rows: list[Row]) -> dict[Key, list[Row]]:
    """The rows by machine and speed of the normal ones that they are judged by, in order."""
    keys = [_key(data, row) for row in rows]
    healthy = {key: None for key, row in zip(keys, rows, strict=True) if is_normal(row)}
    if not healthy:
        raise ConfigError(f"{data / 'index.csv'}: no row's condition is {NORMAL!r}")
    if {machine for machine, _ in keys} - {machine for machine, _ in healthy}:
        return groups_of(data, [{**row, "machine": ""} for row in rows])
    groups: dict[Key, list[Row]] = {key: [] for key in healthy}
    for (machine, rpm), row in zip(keys, rows, strict=True):
        able = [key for key in groups if key[0] == machine]
        nearest = min(able, key=lambda key: abs((key[1] or 0.0) - (rpm or 0.0)))
        groups[nearest].append(row)
    return groups


def _key(data: Path, row: Row) -> Key:
    return row.get("machine") or "", optional(row, "rpm", data / row["file"])


def normal(rows: list[Row]) -> list[Row]:
    """The rows of healthy time."""
    return [row for row in rows if is_normal(row)]


def is_normal(row: Row) -> bool:
    """Whether it is of a machine in order."""
    return row["condition"].strip().lower() == NORMAL
