"""A station of any app is ended by whoever started it, at any moment."""

import os
import signal
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from apps.run import run

ENDS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _handlers_as_before():
    before = [signal.getsignal(number) for number in ENDS]
    yield
    for number, handler in zip(ENDS, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDS)
def test_a_station_that_is_told_to_end_while_it_opens_goes_no_further(
    tmp_path, monkeypatch, number
):
    closed = []

    def told_to_end(app, opener, settings, path, var, opened):
        opened.callback(closed.append, "the store")
        os.kill(os.getpid(), number)
        raise AssertionError("it went on to build a network for minutes")

    opener = SimpleNamespace(load=lambda *_: None, world=lambda *_: nullcontext())
    monkeypatch.setattr("apps.run.opener_of", lambda _: opener)
    monkeypatch.setattr("apps.run.open_base", told_to_end)
    run("defect_inspection", tmp_path / "app.toml", [], tmp_path)
    assert closed == ["the store"]
