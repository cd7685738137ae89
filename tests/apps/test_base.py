"""What every station stands on, opened as it ships."""

import json
import os
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from apps import open_inspection, open_maintenance, open_retail, open_ward
from apps.base import Opener, open_base
from common import audit
from common.errors import ConfigError
from common.storage.queries import open_readonly
from common.telemetry.outbox import MQTT, WEBHOOK, Message

TOML = Path(__file__).parents[2] / "apps" / "defect_inspection" / "app.toml"


def test_an_event_says_how_far_the_devices_clock_may_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.base.clock_quality", lambda: "ptp")
    settings = open_inspection.load(TOML, [])
    with ExitStack() as opened:
        base = open_base("defect_inspection", open_inspection, settings, TOML, tmp_path, opened)
        message = Message("metric", "test.v1", "clock", {}, 1.0, sinks=(MQTT,))
        base.store.submit(lambda connection: base.outbox.append(connection, message)).result(10)
        with closing(open_readonly(base.store.path)) as connection:
            (payload,) = connection.execute(
                "SELECT payload FROM outbox ORDER BY seq DESC LIMIT 1"
            ).fetchone()
    assert json.loads(payload)["clockquality"] == "ptp"


def test_whatever_the_umask_nobody_else_reaches_into_what_stations_keep(tmp_path: Path) -> None:
    settings, before = open_inspection.load(TOML, []), os.umask(0)
    try:
        with ExitStack() as opened:
            var = tmp_path / "kept" / "var"
            base = open_base("defect_inspection", open_inspection, settings, TOML, var, opened)
    finally:
        os.umask(before)
    for path in (var, *var.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
    assert base.folder.parent == var


def test_a_webhook_that_is_switched_off_may_be_left_out_but_not_misspelt(
    tmp_path: Path,
) -> None:
    settings = open_inspection.load(TOML, [])
    with ExitStack() as opened:
        short = replace(settings, webhook={})
        base = open_base("defect_inspection", open_inspection, short, TOML, tmp_path, opened)
        assert WEBHOOK not in base.sinks
    for webhook in ({"enabled": False, "uri": "http://127.0.0.1:9"}, {"enabled": True}):
        wrong = replace(settings, webhook=webhook)
        with ExitStack() as opened, pytest.raises(ConfigError, match="webhook"):
            open_base("defect_inspection", open_inspection, wrong, TOML, tmp_path, opened)


@pytest.mark.parametrize(
    ("app", "opener", "informed"),
    [
        ("defect_inspection", open_inspection, {MQTT}),
        ("predictive_maintenance", open_maintenance, {MQTT}),
        ("retail_analytics", open_retail, {MQTT, WEBHOOK}),
        ("patient_monitoring", open_ward, {MQTT, WEBHOOK}),
    ],
)
def test_who_books_parts_or_orders_is_told_of_no_alarm_and_no_audit(
    app: str, opener: Opener, informed: set[str], tmp_path: Path
) -> None:
    toml = TOML.parents[1] / app / "app.toml"
    nobody = "webhook.url='http://127.0.0.1:9/nobody'"
    settings = opener.load(
        toml, ["telemetry.enabled=true", "telemetry.port=9", "webhook.enabled=true", nobody]
    )
    alarms = opener.definitions(settings)
    alarm_id = next(name for name, alarm in alarms.items() if not alarm.on_delay_s)
    with ExitStack() as opened:
        base = open_base(app, opener, settings, toml, tmp_path, opened)
        base.alarms.set(alarm_id, active=True)
        audit.submit(base.store, audit.Act("eve", "operator", "note", "m0")).result(10)
        for operation in base.store._upkeep:
            base.store.submit(operation).result(10)
        with closing(open_readonly(base.store.path)) as connection:
            rows = connection.execute("SELECT sink, payload FROM outbox").fetchall()
    told = {(sink, json.loads(payload)["type"]) for sink, payload in rows}
    for kind in ("lineside.alarm.v1", "lineside.audit.v1"):
        assert {sink for sink, its in told if its == kind} == informed
