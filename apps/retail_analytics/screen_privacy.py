"""The privacy statement as whoever stands here can read it, and as a file for the assessment.

The text is the station's own, made of its settings; nothing is added here. It is Markdown of
headings, lists, tables and paragraphs, and anything else in it stays the text that it is.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

import streamlit as st

from common import meta
from common.screen.alarm_list import clock_text
from common.screen.courses import corner
from common.screen.document import Document
from common.screen.language import ENGLISH, current, tr
from common.screen.markup import Html, element
from common.screen.station_file import LOCKED_S, StationUnreadable
from common.screen.table import table
from common.screen.tiles import notice
from common.storage.file import StoreError
from common.storage.queries import open_readonly

STATEMENT = "statement:"
"""Key of the statement in a language in the station's file."""


def draw(path: Path) -> None:
    """The whole view, for the station whose file is at `path`."""
    corner()
    try:
        found = read_statement(path, current()) or read_statement(path, ENGLISH)
    except StationUnreadable as error:
        st.html(notice(tr("No data"), str(error)))
        return
    text = found.text("text")
    if not text:
        st.html(notice(tr("No statement yet"), tr("The station has not made one.")))
        return
    made = tr("made {time} from the settings in force", time=clock_text(found.number("at")))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.download_button(
            tr("Statement as a file (Markdown)"), data=text.encode("utf-8", "replace"),
            file_name=f"{path.parent.name}-privacy-{current()}.md", mime="text/markdown",
            on_click="ignore", key="rt-statement",
        )  # fmt: skip
        st.html(element("div", made, cls="ls-note"))
    st.html(element("div", *markdown(text), cls="rt-statement", tabindex="0"))


def read_statement(path: Path, language: str) -> Document:
    """The statement in a language; empty where there is none. Raises StationUnreadable."""
    try:
        with closing(open_readonly(path, LOCKED_S)) as connection:
            return Document(meta.get(connection, STATEMENT + language))
    except (StoreError, sqlite3.Error, ValueError) as error:
        raise StationUnreadable(f"{path.parent.name}: cannot be read ({error})") from error


def markdown(text: str) -> Iterator[Html]:
    """The blocks of a plain Markdown text; everything in them is escaped."""
    for kind, group in groupby(_unbroken(text), _kind):
        lines = list(group)
        if kind == "heading":
            yield from (_heading(line) for line in lines)
        elif kind == "list":
            yield element("ul", *(element("li", *_bold(line[1:].strip())) for line in lines))
        elif kind == "table":
            yield _table(lines)
        else:
            yield from (element("p", *_bold(line)) for line in lines)


def _unbroken(text: str) -> Iterator[str]:
    """Every block on a line of its own: what goes on is joined to what it goes on with."""
    whole = ""
    for line in [*text.splitlines(), ""]:
        goes_on = line.strip() and _kind(line) == "text" and _kind(whole) in ("text", "list")
        if goes_on and whole:
            whole = f"{whole} {line.strip()}"
            continue
        if whole:
            yield whole
        whole = line.strip()


def _kind(line: str) -> str:
    line = line.strip()
    for start, kind in (("#", "heading"), ("- ", "list"), ("* ", "list"), ("|", "table")):
        if line.startswith(start):
            return kind
    return "text"


def _bold(text: str) -> list[object]:
    """A text with its **strong** parts."""
    parts = text.split("**")
    return [element("b", part) if at % 2 else part for at, part in enumerate(parts)]


def _heading(line: str) -> Html:
    level = len(line) - len(line.lstrip("#"))
    return element(f"h{min(level + 1, 4)}", line.lstrip("#").strip())


def _table(lines: list[str]) -> Html:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    body = [row for row in rows[1:] if set("".join(row)) - set("-: ")]
    return table(rows[0], body)
