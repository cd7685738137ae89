"""Records as files for other programs: CSV for spreadsheets, Parquet for data tools.

A spreadsheet takes a cell that begins with =, +, - or @ for a formula, and would run what a
device or a stranger wrote into a name. Such texts get an apostrophe in front; numbers stay.
Where commas are decimal, as in German, it parts our cells at semicolons and ends them at line
ends: behind these a text is looked at as at its beginning.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from common.audit import AuditRow
from common.records import Record

Row = Mapping[str, Any]
Rows = Callable[[], Iterable[Row]]
"""Gives the rows, each time anew: they are gone through twice and never all in memory."""
PORTION = 5000
FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "|",
    "%",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)
"""What a cell must not begin with; the last four are the same signs in full width."""

WITHIN = re.compile(r"([;\t\r\n][\s\ufeff\"]*)(?=[=+\-@|%\uff1d\uff0b\uff0d\uff20])")
"""Where such a cell would begin within a text."""


def record_row(station: str, record: Record) -> dict[str, Any]:
    """A record as one flat row; what is nested in its body is JSON."""
    row = {
        "station": station, "seq": record.seq, "kind": record.kind, "subject": record.subject,
        "time": iso(record.wall_time), "picture": record.picture or "",
    }  # fmt: skip
    row |= {f"body.{key}": _flat(value) for key, value in record.body.items()}
    return row


def audit_row(station: str, row: AuditRow) -> dict[str, Any]:
    """A row of the audit trail."""
    return {
        "station": station, "seq": row.seq, "time": iso(row.wall_time), "user": row.user,
        "role": row.role, "action": row.action, "target": row.target, "reason": row.reason,
        "hash": row.hash,
    }  # fmt: skip


def iso(wall: float) -> str:
    """UTC wall time as ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")


def _flat(value: object) -> object:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return json.dumps(value, ensure_ascii=False)


def as_csv(rows: Rows) -> bytes:
    """The rows as CSV (RFC 4180, UTF-8 with the mark that spreadsheets look for)."""
    names = list(kinds(rows))
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([guarded(name) for name in names])
    for row in rows():
        writer.writerow([guarded(row.get(name)) for name in names])
    return text.getvalue().encode("utf-8-sig", "replace")


def guarded(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return value
    text = str(value).replace("\0", "\ufffd")
    text = WITHIN.sub(r"\1'", text)
    return f"'{text}" if text.lstrip(" \u00a0\ufeff").startswith(FORMULA) else text


def as_parquet(rows: Rows) -> bytes:
    """The rows as a Parquet file; a column of mixed kinds is text."""
    # Heavy, and only an export needs it; comes with Streamlit.
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415

    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    found = kinds(rows)
    schema = pa.schema([(name, types[kind]) for name, kind in found.items()])
    file, waiting = io.BytesIO(), iter(rows())
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while portion := list(islice(waiting, PORTION)):
            columns = {
                name: [_as(row.get(name), kind) for row in portion]
                for name, kind in found.items()
            }
            writer.write_table(pa.table(columns, schema=schema))
    return file.getvalue()


def _as(value: Any, kind: type) -> Any:
    if value is None or type(value) is kind:
        return value
    return float(value) if kind is float else str(value)


def kinds(rows: Rows) -> dict[str, type]:
    """Every name that occurs, in order, and the kind of its values: text where they differ."""
    found: dict[str, type] = {}
    for row in rows():
        for name, value in row.items():
            found[name] = _common(found.get(name), value)
    return {name: str if kind is type(None) else kind for name, kind in found.items()}


def _common(known: type | None, value: Any) -> type:
    kind = type(value)
    if kind is int and not -(2**63) <= value < 2**63:
        kind = float
    if known in (None, type(None), kind):
        return kind
    if kind is type(None):
        return known
    return float if {known, kind} == {int, float} else str
