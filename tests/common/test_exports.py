"""Exports: everything is there, and no spreadsheet finds a formula."""

import csv
import io
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import exports
from common.exports import as_csv, as_parquet, guarded, kinds, record_row
from common.records import Record

CELL = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
ROWS = st.lists(st.dictionaries(st.text(), CELL, max_size=5), max_size=6)


def back(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@given(st.text())
def test_no_text_is_a_formula(text: str) -> None:
    cell = str(guarded(text))
    first = cell.lstrip(" \u00a0\ufeff")[:1]
    assert first not in exports.FORMULA
    assert cell.replace("'", "") == text.replace("\0", "\ufffd").replace("'", "")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\u00a0=1", "=cmd|' /C calc'!A0",
     "\uff1d1+1", "|x", "%x"],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "cell"), [(None, ""), (True, "true"), (-1.5, -1.5), (7, 7), ("a=1", "a=1")]
)
def test_what_is_no_text_stays_as_it_is(value: Any, cell: object) -> None:
    assert guarded(value) == cell


@settings(deadline=None)  # the first call imports pyarrow
@given(ROWS)
def test_any_rows_become_files(rows: list[dict[str, Any]]) -> None:
    assert as_csv(lambda: rows).startswith(b"\xef\xbb\xbf")
    table = pq.read_table(io.BytesIO(as_parquet(lambda: rows)))
    assert table.num_rows == (len(rows) if kinds(lambda: rows) else 0)
    assert table.column_names == list(kinds(lambda: rows))


def test_csv_has_every_column_of_every_row() -> None:
    rows = [{"a": 1, "b": "x\ny"}, {"a": 2.5, "c": 'say "hi", all'}]
    found = back(as_csv(lambda: rows))
    assert found == [
        {"a": "1", "b": "x\ny", "c": ""},
        {"a": "2.5", "b": "", "c": 'say "hi", all'},
    ]


def test_parquet_keeps_numbers_and_makes_mixed_columns_text() -> None:
    rows = [
        {"n": 1, "f": 1, "m": 1, "b": True, "none": None, "big": 10**30},
        {"n": 2, "f": 2.5, "m": "x", "b": False, "none": None, "big": 1},
    ]
    table = pq.read_table(io.BytesIO(as_parquet(lambda: rows)))
    assert table.to_pylist() == [
        {"n": 1, "f": 1.0, "m": "1", "b": True, "none": None, "big": 1e30},
        {"n": 2, "f": 2.5, "m": "x", "b": False, "none": None, "big": 1.0},
    ]


def test_more_rows_than_one_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PORTION", 3)
    rows = [{"n": number} for number in range(10)]
    table = pq.read_table(io.BytesIO(as_parquet(lambda: rows)))
    assert table.column("n").to_pylist() == list(range(10))


def test_a_record_is_one_flat_row() -> None:
    body = {"verdict": "pass", "defects": [{"kind": "ö"}], "none": None}
    row = record_row("press-1", Record("verdict", "1/2", 0.0, 0.0, "b", body, None, 7))
    assert row == {
        "station": "press-1", "seq": 7, "kind": "verdict", "subject": "1/2",
        "time": "1970-01-01T00:00:00.000+00:00", "picture": "", "body.verdict": "pass",
        "body.defects": '[{"kind": "ö"}]', "body.none": None,
    }  # fmt: skip


@pytest.mark.parametrize("parted", [",", ";", "\t"])
@pytest.mark.parametrize(
    "said", ["x;=1+1", "x\n=1+1", "x\t@a", 'x;"=1+1"', "x; \u00a0-2", "x\r|c", "\t=1"]
)
def test_no_cell_is_a_formula_wherever_a_spreadsheet_parts_cells(
    said: str, parted: str
) -> None:
    """Excel parts a file of commas by semicolons where commas are decimal, as in German."""
    text = as_csv(lambda: [{"station": "press", "reason": said, "n": 1}]).decode("utf-8-sig")
    lines = io.StringIO(text, newline=None)
    cells = [cell for row in csv.reader(lines, delimiter=parted) for cell in row]
    assert not [cell for cell in cells if cell.lstrip(" \u00a0").startswith(exports.FORMULA)]


def test_a_text_is_changed_only_where_it_must_be() -> None:
    assert guarded("ok; then -5 °C, a=b\nnext") == "ok; then -5 °C, a=b\nnext"
