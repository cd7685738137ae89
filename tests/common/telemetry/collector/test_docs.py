"""docs/collector.md says what is so: settings, keys, views and files exist."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from common.clock import HeldClock
from common.config import from_table
from common.telemetry.collector.archive import Archive
from common.telemetry.collector.collector import Collector
from common.telemetry.collector.ledger import Stream
from common.telemetry.collector.records import script
from common.telemetry.collector.report import _entry
from common.telemetry.collector.rows import EventRow
from common.telemetry.collector.settings import CollectorSettings, Settings

ROOT = Path(__file__).parents[4]
TEXT = (ROOT / "docs" / "collector.md").read_text()


def table(heading: str) -> set[str]:
    """The names in the first column of the table below a heading of that column."""
    part = TEXT.partition(f"\n| {heading}")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in part.splitlines()[2:]]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_the_settings_it_names_exist():
    known = {field.name for field in fields(CollectorSettings)}
    assert set(re.findall(r"`collector\.(\w+)", TEXT)) <= known


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL))
def test_its_settings_files_can_be_read(block):
    from_table(Settings, tomllib.loads(block), Path("collect.toml"))


def test_its_table_of_the_status_is_complete():
    collector = Collector(Archive(engine=None), Settings(), HeldClock())
    assert table("key | is") == set(collector.state())
    collector._link.stop()


def test_its_table_of_gaps_is_complete():
    assert table("key of an entry") == set(_entry(Stream("s", "e")))


def test_its_table_of_views_is_complete():
    views = {
        kind: set(re.findall(r"CREATE VIEW (\w+)", script(f"{kind}_2_views.sql")))
        for kind in ("sqlite", "postgresql")
    }
    assert table("view | shows") == views["postgresql"] == views["sqlite"] | {"stations"}


def test_the_columns_it_names_exist():
    named = {"source", "epoch", "sequence", "type", "subject", "data", "time", "suspect"}
    named |= {"recorded_time", "received_time", "corrected_time"}
    assert named <= set(EventRow._fields)
    for name in named:
        assert re.search(rf"`[\w, ]*\b{name}\b[\w, ]*`", TEXT), name


def test_the_files_it_names_exist():
    for name in re.findall(r"`((?:deploy|common)/[\w./-]+?)/?`", TEXT):
        assert (ROOT / name).exists(), name
