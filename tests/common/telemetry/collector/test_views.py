"""What users see: views of both databases, and the dashboard's own queries."""

import json
import re
from contextlib import closing
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
import yaml

from common.telemetry.collector.archive import Archive, open_archive
from common.telemetry.collector.rows import Batch, Dropped, Rejected, Seen
from common.telemetry.event import iso_time
from tests.common.telemetry.collector.rig import EPOCH, NOW, STATION, query, row

GRAFANA = Path(__file__).parents[4] / "deploy" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "lineside.json").read_text())
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
HOUR = 3600.0
MACROS = {
    r"\$__timeFilter\((\w+)\)": r"\1 BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-02T00:00:00Z'",
    r"\$__timeGroupAlias\((\w+), \$__interval\)": (
        r"date_bin('1 hour', \1, '2000-01-01') AS time"
    ),
    r"\(\$(site|device|app)\)": lambda found: {
        "site": "('plant1')", "device": "('cam01', 'cam02')", "app": "('inspection')",
    }[found[1]],
}  # fmt: skip


def verdict(sequence, verdict, hours=0.0, **more):
    time = iso_time(NOW + hours * HOUR)
    return row(
        sequence, type="lineside.inspection.verdict.v1", time=time, corrected_time=time,
        recorded_time=time, received_time=iso_time(NOW + hours * HOUR + 90),
        data=json.dumps({"verdict": verdict}), **more,
    )  # fmt: skip


def alarm(sequence, name, state, epoch=EPOCH, **more):
    data = {"alarm_id": name, "state": state, "priority": 2, "text": f"{name} is wrong"}
    facts = {"type": "lineside.alarm.v1", "subject": f"alarm/{name}", "data": json.dumps(data)}
    return row(sequence, epoch=epoch, **{**facts, **more})


def fill(archive: Archive) -> None:
    """A day of one station, with an epoch before it."""
    key, old = (STATION.source, EPOCH), (STATION.source, "e0")
    before = (alarm(8, "plc", "UNACK", "e0"), alarm(900, "camera", "UNACK", "e0"))
    archive.store(
        Batch(rows=before, seen={old: Seen(iso_time(NOW - HOUR), 1.0, None)}), NOW - HOUR
    )
    rows = (
        verdict(1, "PASS"), verdict(2, "FAIL"), verdict(3, "PASS", 7.0),
        verdict(4, "NO_RESULT", 7.5), verdict(5, "FAIL", 99.0, suspect="356400 s ahead"),
        alarm(6, "plc", "UNACK"), alarm(7, "plc", "NORM"), alarm(10, "disk", "ACKED"),
    )  # fmt: skip
    archive.store(
        Batch(
            rows=rows,
            tidings=(Dropped(STATION.source, (EPOCH, 10), EPOCH, (8, 9), 1),),
            rejected=(Rejected("v1/x", "why", b"{", 1, iso_time(NOW)),),
            seen={key: Seen(iso_time(NOW + 90), 90.0, -7.5)},
        ),
        NOW,
    )


def moment(value) -> float:
    return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).timestamp()


@pytest.fixture
def url(archive_url) -> str:
    with closing(open_archive(archive_url)) as archive:
        fill(archive)
    return archive_url


def test_last_seen_and_backlog_are_those_of_the_newest_epoch(url):
    ((source, epoch, seen, behind, offset),) = query(
        url, "SELECT source, epoch, last_seen, behind_s, clock_offset_s FROM last_seen"
    )
    assert (source, epoch, behind, offset) == (STATION.source, EPOCH, 90.0, -7.5)
    assert moment(seen) == NOW + 90
    assert query(url, "SELECT behind_seconds FROM backlog_age") == [(90.0,)]


def test_events_per_hour_leave_out_what_cannot_be_believed(url):
    found = query(
        url,
        "SELECT hour, events FROM events_per_hour"
        " WHERE type = 'lineside.inspection.verdict.v1' ORDER BY hour",
    )
    assert [(moment(hour), events) for hour, events in found] == [
        (NOW, 2), (NOW + 7 * HOUR, 2),
    ]  # fmt: skip


def test_verdicts_are_counted_by_shift(url):
    zone = "%20-ctimezone%3DUTC" if "postgresql" in url else ""
    found = query(
        url + zone,
        "SELECT shift_start, parts, rejects FROM verdicts_per_shift ORDER BY shift_start",
    )
    spelt = [
        (str(start)[:16].replace("T", " "), parts, rejects) for start, parts, rejects in found
    ]
    assert spelt == [("2025-12-31 22:00", 2, 1), ("2026-01-01 06:00", 2, 1)]


def test_open_alarms_are_the_newest_word_of_the_newest_epoch(url):
    """ "camera" was left open by an epoch that has ended, with a higher sequence."""
    found = query(url, "SELECT alarm_id, state, priority FROM open_alarms ORDER BY alarm_id")
    assert found == [("alarm/camera", "UNACK", 2), ("alarm/disk", "ACKED", 2)]


def test_gaps_are_shown_with_what_explains_them(url):
    found = query(
        url,
        "SELECT epoch, received, missing, missing_count, told_dropped, unexplained"
        " FROM gaps WHERE epoch = 'e1'",
    )
    ((epoch, received, missing, *numbers),) = found
    ranges = json.loads(missing) if isinstance(missing, str) else missing
    assert (epoch, received, ranges, numbers) == (EPOCH, 8, [[8, 9]], [2, 1, 1])


# ------------------------------------------------------------------ Grafana


def as_grafana_sends(sql):
    for pattern, text in MACROS.items():
        sql = re.sub(pattern, text, sql)
    assert "$" not in sql, f"unknown macro or variable in: {sql}"
    return sql


@pytest.fixture(scope="module")
def filled(postgresql):
    url = postgresql.schema()
    with closing(open_archive(url)) as archive:
        fill(archive)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        yield connection


def shown(connection, title):
    (target,) = PANELS[title]["targets"]
    cursor = connection.execute(as_grafana_sends(target["rawSql"]))
    names = [column.name for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor]


@pytest.mark.parametrize("title", PANELS)
def test_every_panels_query_runs_and_gives_something(filled, title):
    assert shown(filled, title)


def test_the_panels_say_what_is_so(filled):
    def value(title):
        (row,) = shown(filled, title)
        return row.popitem()[1]

    assert value("Stations silent") == 1
    assert value("Open alarms") == 2
    assert value("Largest backlog") == 90.0
    assert value("Missing, unexplained") == 1 + 891
    assert value("Rejected messages and events") == 1
    assert [row["reject_ratio"] for row in shown(filled, "Rejected share of parts")] == [
        0.5,
        0.5,
    ]
    assert [row["behind_seconds"] for row in shown(filled, "Backlog age")][:1] == [90]
    assert {row["clock_offset_seconds"] for row in shown(filled, "Stations")} == {-7.5}
    assert [row["parts"] for row in shown(filled, "Verdicts per shift")] == [2, 2]


@pytest.mark.parametrize(
    "variable", DASHBOARD["templating"]["list"], ids=lambda one: one["name"]
)
def test_the_dashboards_variables_offer_what_there_is(filled, variable):
    found = filled.execute(as_grafana_sends(variable["query"])).fetchall()
    expected = {"site": "plant1", "device": "cam01", "app": "inspection"}
    assert found == [(expected[variable["name"]],)]


def test_panels_name_their_units_and_one_data_source():
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"]["uid"] == "lineside-archive"
        units = {
            override["matcher"]["options"]: override["properties"][0]["value"]
            for override in panel["fieldConfig"]["overrides"]
        }
        for name in re.findall(
            r"AS (\w+_(?:seconds|ratio|bytes))", panel["targets"][0]["rawSql"]
        ):
            unit = units.get(name) or panel["fieldConfig"]["defaults"].get("unit")
            assert unit in {"s", "percentunit", "bytes"}, (panel["title"], name)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_grafana_is_provisioned_with_the_same_names():
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/lineside.yaml").read_text())
    (source,) = sources["datasources"]
    assert (source["uid"], source["type"]) == (
        "lineside-archive",
        PANELS["Gaps"]["datasource"]["type"],
    )
    assert source["secureJsonData"]["password"].startswith("$"), "no secret in the file"
    boards = yaml.safe_load((GRAFANA / "provisioning/dashboards/lineside.yaml").read_text())
    assert boards["providers"][0]["type"] == "file"
