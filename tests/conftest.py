"""What all tests share: a clock that is held, a PostgreSQL server, no deadline per example.

A busy machine is no failing test: speed is shown in benchmarks. Hypothesis throws new dice in
each run and so finds what nobody thought of; with `--hypothesis-profile repeatable` it throws
the same for the same test, so that a gate judges the change and not its luck.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from apps.telemetry_bench.postgresql import Cluster, programs
from common.clock import HeldClock

settings.register_profile("patient", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("patient")


@pytest.fixture
def clock() -> HeldClock:
    """Stands still until a test lets time pass."""
    return HeldClock()


@pytest.fixture(scope="session")
def postgresql_program_folder() -> Path:
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg")
    return found


@pytest.fixture(scope="session")
def cluster_class() -> type[Cluster]:
    """For a test that needs a server of its own, to stop it and start it."""
    return Cluster


@pytest.fixture(scope="session")
def postgresql(postgresql_program_folder: Path) -> Iterator[Cluster]:
    """A running server, shared by all tests; take `postgresql.schema()` from it."""
    cluster = Cluster(postgresql_program_folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
