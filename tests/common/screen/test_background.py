"""Long readings beside the page: shared, kept for a while, and their failures are told."""

import threading
import time
from collections.abc import Callable

import pytest

from common.screen import background as module
from common.screen.background import Background


@pytest.fixture
def background() -> Background:
    return Background(kept=3)


def until(condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


def test_a_quick_result_is_there_at_once(background: Background) -> None:
    assert background.get("a", lambda: 7, 60.0) == 7


def test_a_slow_one_comes_later_and_the_page_goes_on(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    gate = threading.Event()

    def slow() -> int:
        gate.wait(10)
        return 7

    assert background.get("a", slow, 60.0) is None
    assert background.get("a", slow, 60.0) is None
    gate.set()
    until(lambda: background.get("a", slow, 60.0) == 7)


def test_while_a_newer_one_is_made_the_last_one_stands(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    assert background.get("a", lambda: 1, 0.0) in (1, None)
    until(lambda: background.get("a", lambda: 1, 60.0) == 1)
    gate = threading.Event()

    def slow() -> int:
        gate.wait(10)
        return 2

    assert background.get("a", slow, 0.0) == 1
    gate.set()
    until(lambda: background.get("a", slow, 60.0) == 2)


def test_after_a_pause_nothing_too_old_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    now, gate = [0.0], threading.Event()
    background = Background(clock=lambda: now[0])
    assert background.get("a", lambda: 1, 15.0) == 1
    monkeypatch.setattr(module, "WAIT_S", 0.01)

    def slow() -> int:
        gate.wait(10)
        return 2

    now[0] = 20.0
    assert background.get("a", slow, 15.0) == 1  # somebody looks: the last one stands
    now[0] = 600.0
    assert background.get("a", slow, 15.0) is None
    gate.set()
    until(lambda: background.get("a", slow, 15.0) == 2)
    now[0] = 1200.0
    until(lambda: background.get("a", lambda: 3, 3600.0) == 2)  # not too old
    gate.clear()
    now[0] = 1800.0
    assert background.get("a", slow, 15.0) is None
    gate.set()


def test_what_is_asked_again_soon_is_made_once(background: Background) -> None:
    made: list[int] = []
    for _ in range(5):
        background.get("a", lambda: made.append(1) or 7, 60.0)  # type: ignore[func-returns-value]
    assert made == [1]


def test_a_failure_is_told_and_tried_again(background: Background) -> None:
    def fails() -> int:
        raise OSError("no file")

    with pytest.raises(OSError, match="no file"):
        background.get("a", fails, 60.0)
    assert background.get("a", lambda: 7, 0.0) == 7


def test_only_the_last_few_are_kept(background: Background) -> None:
    for number in range(10):
        background.get(number, lambda n=number: n, 60.0)
    assert len(background._entries) == 3
