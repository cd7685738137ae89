"""`lineside baseline`: what the station's answer is for who typed it."""

import httpx
import pytest

from apps import baseline
from common.errors import LinesideError


@pytest.mark.parametrize(
    ("status", "why", "told"),
    [
        (504, "the station is still at it", "not known to be done: the station is still at it"),
        (422, "too few rows", "not done: too few rows"),
    ],
)
def test_what_may_still_be_under_way_is_not_called_undone(
    monkeypatch: pytest.MonkeyPatch, status: int, why: str, told: str
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _: "secret")
    reply = httpx.Response(status, json={"detail": why})
    monkeypatch.setattr(httpx, "post", lambda *_, **__: reply)
    with pytest.raises(LinesideError, match=f"^{told}$"):
        baseline.carried_out(8102, "eva", "learn", {})
