"""What the collector's tests share: see rig.py."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from common.telemetry.collector.archive import Archive, open_archive
from tests.common.telemetry.collector.rig import MOSQUITTO, NO_MOSQUITTO, Broker, Station


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an archive that does not exist yet, in each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'archive.db'}"
    return request.getfixturevalue("postgresql").schema()


@pytest.fixture
def archive(archive_url: str) -> Iterator[Archive]:
    with closing(open_archive(archive_url)) as archive:
        yield archive


@pytest.fixture
def broker(tmp_path: Path, stack: ExitStack) -> Broker:
    if MOSQUITTO is None:
        pytest.skip(NO_MOSQUITTO)
    broker = Broker(tmp_path / "broker")
    stack.callback(broker.kill)
    broker.start()
    return broker


@pytest.fixture
def station(broker: Broker, stack: ExitStack) -> Station:
    return stack.enter_context(closing(Station(broker.port)))
