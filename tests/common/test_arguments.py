"""What a command's arguments may be."""

import pytest

from common.arguments import storable, text


@pytest.mark.parametrize("given", ["", "  ", 5, None, "x" * 501, "a\ud800"])
def test_a_text_that_is_none_is_refused_in_one_line(given):
    with pytest.raises(ValueError, match=r"^reason "):
        text({"reason": given}, "reason")


def test_what_is_no_utf_8_becomes_storable():
    assert storable("fr\udce9quence é") == "fr?quence é"
