"""What the page of sensors shows is what the code reads."""

import re
import tomllib
from pathlib import Path

from common.config import from_table
from hardware.sensors import payload
from hardware.sensors.modbus import ModbusSensorSettings
from hardware.sensors.mqtt import MqttSensorSettings

PAGE = Path(__file__).parents[3] / "docs" / "hardware-sensors.md"
KINDS = {"mqtt": MqttSensorSettings, "modbus": ModbusSensorSettings}


def test_every_example_is_read_as_it_stands():
    text = PAGE.read_text("utf-8")
    read = []
    for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        for source in tomllib.loads(block)["sources"].values():
            from_table(KINDS[source["backend"]], source["options"], PAGE)
            read.append(source["backend"])
    assert read == ["mqtt", "modbus"]


def test_the_header_is_the_one_in_the_code():
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    table = [line for line in rows if line in (payload.__doc__ or "")]
    assert table == rows
    assert len(table) == 14
