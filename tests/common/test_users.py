"""Who may command: roles, hashed passwords, and a lock against guessing."""

import json
import stat
import threading
import time

import pytest

from common import users as module
from common.errors import ConfigError
from common.users import ALLOWED_FAILURES, LOCK_S, ROLES, User, Users

RIGHT, WRONG = "correct horse", "battery staple"
pytestmark = pytest.mark.usefixtures("cheap_hash")


@pytest.fixture
def users(tmp_path, clock):
    users = Users(tmp_path / "users.json", clock)
    users.add("mia", "operator", RIGHT)
    return users


def proved(users, name, password):
    """The user; None when the proof is not right."""
    return users.check(name, password).user


def fail(users, name="mia", times=ALLOWED_FAILURES):
    for _ in range(times):
        assert proved(users, name, WRONG) is None


def test_roles_include_those_below_them():
    allowed = {role: [r for r in ROLES if User("x", role).may(r)] for role in ROLES}
    assert allowed == {
        "viewer": ["viewer"],
        "operator": ["viewer", "operator"],
        "engineer": ["viewer", "operator", "engineer"],
    }


def test_the_right_password_gives_the_user_with_its_role(users):
    assert proved(users, "mia", RIGHT) == User("mia", "operator")


def test_whose_access_is_taken_away_has_none(users):
    users.add("tom", "viewer", RIGHT)
    users.remove("mia")
    assert proved(users, "mia", RIGHT) is None
    assert users.find("mia") is None
    assert proved(users, "tom", RIGHT)
    with pytest.raises(ConfigError, match="there is no user 'mia'"):
        users.remove("mia")


@pytest.mark.parametrize(
    ("name", "password"),
    [("mia", WRONG), ("mia", ""), ("Mia", RIGHT), ("", ""), ("tom", RIGHT)],
)
def test_anything_else_gives_nobody(users, name, password):
    assert proved(users, name, password) is None


def test_the_first_start_makes_one_engineer_and_says_the_password_once(tmp_path, clock):
    users = Users(tmp_path / "users.json", clock)
    password = users.first_password()
    assert len(password) >= 12
    assert proved(users, "engineer", password) == User("engineer", "engineer")
    assert users.first_password() is None
    other = Users(tmp_path / "other.json", clock)
    assert other.first_password() != password


def test_without_a_file_nobody_is_known(tmp_path, clock):
    assert proved(Users(tmp_path / "none.json", clock), "engineer", RIGHT) is None


def test_a_user_is_replaced_and_the_others_stay(users):
    users.add("tom", "viewer", RIGHT)
    users.add("mia", "engineer", WRONG)
    assert proved(users, "mia", WRONG) == User("mia", "engineer")
    assert proved(users, "mia", RIGHT) is None
    assert proved(users, "tom", RIGHT) == User("tom", "viewer")


@pytest.mark.parametrize("name", ["4711", "jürgen", "a_b", "x" * 64])
@pytest.mark.parametrize("password", ["pässwörter", "a:b:c:d:e", " spaces  ", "x" * 1000])
def test_names_and_passwords_of_all_languages(users, name, password):
    users.add(name, "viewer", password)
    assert proved(users, name, password) == User(name, "viewer")


@pytest.mark.parametrize(
    ("name", "role", "password", "text"),
    [
        ("tom", "admin", RIGHT, "role 'admin'; allowed: viewer, operator, engineer"),
        ("", "viewer", RIGHT, "user name '' must be"),
        ("a:b", "viewer", RIGHT, "user name 'a:b' must be 1 to 64 letters, digits and _"),
        ("a b", "viewer", RIGHT, "user name 'a b' must be"),
        ("a\n", "viewer", RIGHT, r"user name 'a\n' must be"),
        ("x" * 65, "viewer", RIGHT, "must be 1 to 64"),
        ("tom", "viewer", "short", "a password has 8 to 1000 characters"),
        ("tom", "viewer", "x" * 1001, "a password has 8 to 1000 characters"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(users, name, role, password, text):
    before = users._path.read_bytes()
    with pytest.raises(ConfigError) as caught:
        users.add(name, role, password)
    assert text in str(caught.value)
    assert users._path.read_bytes() == before


def test_the_file_holds_no_password_and_only_its_owner_may_read_it(users, tmp_path):
    users.add("tom", "viewer", RIGHT)
    path = tmp_path / "users.json"
    assert RIGHT not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    table = json.loads(path.read_text())
    assert table["mia"]["hash"] != table["tom"]["hash"]  # one password, two salts
    assert [entry.name for entry in tmp_path.iterdir()] == ["users.json"]


def test_shipped_hashes_cost_what_they_should(monkeypatch, tmp_path, clock):
    monkeypatch.undo()
    assert module._COST["n"] * module._COST["r"] * 128 >= 16 * 2**20  # bytes per guess
    users = Users(tmp_path / "users.json", clock)
    users.add("mia", "operator", RIGHT)
    assert proved(users, "mia", RIGHT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"mia": []}',
        '{"mia": {"role": "operator"}}',
        '{"mia": {"role": "admin", "salt": "", "hash": ""}}',
        '{"mia": {"role": "viewer", "salt": "!", "hash": "?"}}',
        '{"mia": {"role": "viewer", "salt": 1, "hash": ""}}',
    ],
)
def test_a_damaged_file_lets_nobody_in_and_is_named(users, tmp_path, text):
    path = tmp_path / "users.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"users\.json: unreadable; remove it to start anew"):
        proved(users, "mia", RIGHT)
    with pytest.raises(ConfigError, match="unreadable"):
        users.add("tom", "viewer", RIGHT)
    assert path.read_text() == text


def test_a_write_that_breaks_off_leaves_the_file_as_it_was(users, monkeypatch):
    before = users._path.read_bytes()

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("common.whole_file.os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        users.add("tom", "viewer", RIGHT)
    assert users._path.read_bytes() == before
    monkeypatch.undo()
    users.add("tom", "viewer", RIGHT)


# ------------------------------------------------------------------ the lock


def test_after_five_failures_even_the_right_password_waits_half_a_minute(users, clock):
    fail(users)
    assert proved(users, "mia", RIGHT) is None
    clock.sleep(LOCK_S - 0.1)
    assert proved(users, "mia", RIGHT) is None
    clock.sleep(0.1)
    assert proved(users, "mia", RIGHT)


def test_four_failures_lock_nothing_and_success_forgets_them(users):
    for _ in range(3):
        fail(users, times=ALLOWED_FAILURES - 1)
        assert proved(users, "mia", RIGHT)


def test_knocking_at_a_locked_door_does_not_keep_it_locked(users, clock):
    fail(users)
    for _ in range(10):
        clock.sleep(LOCK_S / 10)
        proved(users, "mia", WRONG)
    assert proved(users, "mia", RIGHT)


def test_after_the_lock_five_more_failures_lock_again(users, clock):
    fail(users)
    clock.sleep(LOCK_S)
    fail(users)
    assert proved(users, "mia", RIGHT) is None


def test_one_persons_lock_is_not_anothers(users):
    users.add("tom", "viewer", RIGHT)
    fail(users)
    assert proved(users, "tom", RIGHT)


def test_a_jump_of_wall_time_opens_no_lock(users, clock):
    fail(users)
    clock.set_wall(clock.wall() + 86_400)
    assert proved(users, "mia", RIGHT) is None


def test_an_unknown_name_takes_the_same_way(users, monkeypatch):
    hashed = []
    real = module._hash

    def counted(password, salt):
        hashed.append(len(salt))
        return real(password, salt)

    monkeypatch.setattr(module, "_hash", counted)
    fail(users, "nobody", ALLOWED_FAILURES + 3)
    fail(users, "mia", ALLOWED_FAILURES + 3)
    assert len(hashed) == 2 * ALLOWED_FAILURES  # each locked after five, each hashed till then


def test_guesses_sent_side_by_side_are_counted_one_by_one(users, monkeypatch):
    tried = []

    def slow(password, salt):
        tried.append(password)
        time.sleep(0.002)
        return b""

    monkeypatch.setattr(module, "_hash", slow)
    threads = [threading.Thread(target=users.check, args=("mia", WRONG)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tried) == ALLOWED_FAILURES


def test_names_made_up_by_the_thousand_do_not_fill_the_memory(users, monkeypatch):
    monkeypatch.setattr(module, "_hash", lambda *_: b"")
    for number in range(2 * module.REMEMBERED_NAMES):
        proved(users, f"guess{number}", WRONG)
    assert len(users._failures) <= module.REMEMBERED_NAMES
