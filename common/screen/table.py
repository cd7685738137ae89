"""A plain table as HTML: it follows the theme, prints, and cannot be confused by its cells."""

from collections.abc import Iterable, Sequence

from common.screen.markup import Html, element


def table(names: Sequence[str], rows: Iterable[Sequence[object]], *, cls: str = "") -> Html:
    """Names on top, a row each; cells that are not Html are escaped."""
    head = element("tr", *(element("th", name, scope="col") for name in names))
    body = (element("tr", *(element("td", cell) for cell in row)) for row in rows)
    return element(
        "table", element("thead", head), element("tbody", *body), cls=f"ls-table {cls}".strip()
    )
