"""docs/ward-outgoing.md: its settings work, and its words are those of the code."""

import re
import tomllib
from pathlib import Path

from apps.patient_monitoring.config import APP
from apps.patient_monitoring.outgoing.settings import OutgoingSettings
from common.config import from_table

DOC = Path(__file__).parents[4] / "docs" / "ward-outgoing.md"
TEXT = DOC.read_text("utf-8")


def test_the_settings_shown_there_are_settings():
    (block,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    shown = from_table(OutgoingSettings, tomllib.loads(block)["outgoing"], DOC, "outgoing")
    assert shown.hl7.enabled
    assert shown.hl7.tls
    assert shown.fhir.identify
    assert shown.siem.enabled


def test_the_settings_that_ship_send_nothing():
    table = tomllib.loads((APP / "app.toml").read_text("utf-8"))["outgoing"]
    shipped = from_table(OutgoingSettings, table, APP / "app.toml", "outgoing")
    assert [shipped.hl7.enabled, shipped.fhir.enabled, shipped.siem.enabled] == [False] * 3
    assert shipped == OutgoingSettings(), "app.toml shows the values that hold without it"
