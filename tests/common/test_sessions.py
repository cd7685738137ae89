"""Tokens: they stand for a user, for a limited time, and no password is behind them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import sessions as module
from common import users as users_module
from common.clock import HeldClock
from common.sessions import Nonces, Sessions, SessionSettings
from common.users import User, Users

PASSWORD = "correct horse"  # noqa: S105
MIA = User("mia", "operator")
pytestmark = pytest.mark.usefixtures("cheap_hash")


@pytest.fixture
def users(tmp_path, clock):
    users = Users(tmp_path / "users.json", clock)
    users.add("mia", "operator", PASSWORD)
    return users


@pytest.fixture
def sessions(users):
    return Sessions(users, SessionSettings(idle_s=900.0, longest_s=3600.0))


def test_a_token_stands_for_its_user(sessions):
    token = sessions.begin(MIA)
    assert sessions.user(token) == MIA
    assert sessions.user(token + "x") is None
    assert sessions.user("") is None


def test_every_token_is_another_and_none_is_kept(sessions):
    tokens = {sessions.begin(MIA) for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) >= 40 for token in tokens)
    assert not any(token.encode() in repr(sessions._sessions).encode() for token in tokens)


def test_it_ends_when_nobody_uses_it(sessions, clock):
    token = sessions.begin(MIA)
    for _ in range(3):
        clock.sleep(899.0)
        assert sessions.user(token) == MIA
    clock.sleep(900.0)
    assert sessions.user(token) is None


def test_it_ends_after_a_shift_however_busy(sessions, clock):
    token = sessions.begin(MIA)
    for _ in range(35):
        clock.sleep(100.0)
        assert sessions.user(token) == MIA
    clock.sleep(100.0)
    assert sessions.user(token) is None


def test_setting_the_wall_clock_prolongs_nothing(sessions, clock):
    token = sessions.begin(MIA)
    clock.set_wall(clock.wall() - 86_400)
    clock.sleep(900.0)
    assert sessions.user(token) is None


def test_signing_out_ends_it_at_once_and_only_it(sessions):
    mine, other = sessions.begin(MIA), sessions.begin(MIA)
    assert sessions.end(mine) == MIA
    assert sessions.end(mine) is None
    assert sessions.user(mine) is None
    assert sessions.user(other) == MIA


@pytest.mark.parametrize(
    ("role", "password"), [("viewer", PASSWORD), ("operator", "another one")]
)
def test_a_new_role_or_password_ends_it(sessions, users, role, password):
    token = sessions.begin(MIA)
    users.add("mia", role, password)
    assert sessions.user(token) is None


def test_a_user_who_is_no_more_is_nobody(sessions, users, tmp_path):
    token = sessions.begin(MIA)
    (tmp_path / "users.json").unlink()
    assert sessions.user(token) is None


def test_sessions_by_the_thousand_do_not_fill_the_memory(sessions, monkeypatch):
    monkeypatch.setattr(module, "MOST_SESSIONS", 3)
    tokens = [sessions.begin(MIA) for _ in range(5)]
    assert [sessions.user(token) for token in tokens] == [None, None, MIA, MIA, MIA]


@given(st.text())
def test_no_text_opens_the_door(text):
    users = Users(users_module.Path("nowhere") / "users.json", HeldClock())
    assert Sessions(users).user(text) is None


def test_nonces_are_remembered_up_to_a_number():
    nonces = Nonces(most=3)
    assert all(nonces.fresh(name) for name in "abc")
    assert not nonces.fresh("a")
    assert nonces.fresh("d")
    assert not nonces.fresh("b")
    assert nonces.fresh("a")  # the oldest is forgotten
