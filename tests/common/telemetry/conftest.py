"""What tests over MQTT share: see uplink_rig.py."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.common.telemetry.uplink_rig import MOSQUITTO, NO_MOSQUITTO, Broker, a_broker


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def broker(tmp_path: Path, stack: ExitStack) -> Broker:
    """A running mosquitto."""
    if MOSQUITTO is None:
        pytest.skip(NO_MOSQUITTO)
    return a_broker(tmp_path, stack)
