"""What every station stands on, opened as it ships."""

import json
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from apps import open_inspection
from apps.base import open_base
from common.storage.queries import open_readonly
from common.telemetry.outbox import MQTT, Message

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
