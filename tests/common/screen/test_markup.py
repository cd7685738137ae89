"""Nothing that comes from outside becomes markup."""

import html
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from common.screen.markup import EMPTY, Html, element, joined


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: dict[str, str | None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= dict(attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(PRINTABLE, PRINTABLE)
def test_any_text_stays_text(child: str, title: str) -> None:
    reader = _Reader()
    reader.feed(element("div", child, element("b", child), cls="ls-x", title=title))
    reader.close()
    assert reader.tags == ["div", "b"]
    assert "".join(reader.texts) == child * 2
    assert reader.attributes["title"] == title


def test_html_is_not_escaped_twice() -> None:
    inner = element("i", "a & b")
    assert element("p", inner) == "<p><i>a &amp; b</i></p>"


def test_attributes_that_are_none_are_left_out() -> None:
    assert element("p", "x", style=None, aria_label="a") == '<p aria-label="a">x</p>'


@given(st.lists(PRINTABLE))
def test_joined_escapes_each(parts: list[str]) -> None:
    assert joined(parts) == "".join(html.escape(part) for part in parts)
    assert isinstance(joined(parts), Html)
    assert joined(()) == EMPTY
