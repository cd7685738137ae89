"""What a command's arguments may be."""

import pytest

from common.arguments import flag, storable, text, visible


@pytest.mark.parametrize(
    "given",
    ["", "  ", 5, None, "x" * 501, "a\ud800", "\u200b", "ok\x1b[2J", "\u202eko", "a\0"],
)
def test_a_text_that_is_none_is_refused_in_one_line(given):
    with pytest.raises(ValueError, match=r"^reason "):
        text({"reason": given}, "reason")


def test_blanks_of_any_kind_are_taken():
    assert text({"reason": " trop\u202f: 5\u00a0°C\tet plus "}, "reason") == (
        "trop\u202f: 5\u00a0°C\tet plus"
    )


def test_what_a_stranger_says_commands_no_terminal_and_stays_on_its_line():
    assert visible("no\n\x1b[2J \u202eé") == "no \ufffd[2J \ufffdé"


@pytest.mark.parametrize("given", [{"on": 1}, {"on": "yes"}, {"on": None}, {}])
def test_what_is_neither_true_nor_false_is_refused(given):
    with pytest.raises(ValueError, match=r"^on must be true or false$"):
        flag(given, "on")


def test_a_flag_that_is_absent_is_its_default():
    assert flag({}, "on", default=True)
    assert not flag({"on": False}, "on", default=True)


def test_what_is_no_utf_8_becomes_storable():
    assert storable("fr\udce9quence é") == "fr?quence é"
