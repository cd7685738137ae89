"""What tests of the core share: passwords that cost little to check."""

import pytest

from common import users


@pytest.fixture
def cheap_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same function at a cost that tests can pay hundreds of times."""
    monkeypatch.setattr(users, "_COST", {"n": 2, "r": 8, "p": 1})
