"""HTML by construction: what is not already HTML is escaped, so names from outside stay text.

element("b", part_name, cls="ls-value")  →  <b class="ls-value">R&amp;D</b>
"""

import html
from collections.abc import Iterable


class Html(str):
    """Text that is HTML already; only this module and its callers' constants make it."""

    __slots__ = ()


EMPTY = Html("")


def element(name: str, *children: object, cls: str = "", **attributes: object) -> Html:
    """One element; children that are not Html and all attributes are escaped.

    An attribute that is None is left out; underscores in names become hyphens.
    """
    given = {"class": cls or None, **attributes}
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in given.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[object]) -> Html:
    """Children one after the other, each escaped unless it is Html."""
    return Html("".join(c if isinstance(c, Html) else html.escape(str(c)) for c in children))
