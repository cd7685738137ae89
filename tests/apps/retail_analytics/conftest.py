"""A station of two cameras, on fakes."""

import pytest

from tests.apps.retail_analytics.retail_rig import Rig


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path)
    yield made
    made.stop()
