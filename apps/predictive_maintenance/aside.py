"""What is stored and cannot be read is laid aside: the station starts, and says so.

It may be of a later release, or of a damaged file. A station that did not start for it would
leave every machine unwatched.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from common.errors import ConfigError

ASIDE = "aside:"
Thing = TypeVar("Thing")
log = logging.getLogger(__name__)


def readable(
    connection: sqlite3.Connection, prefix: str, read: Callable[[Any], Thing]
) -> tuple[dict[str, Thing], list[str]]:
    """The documents under `prefix` ("memory:") by the rest of their keys, as `read` reads
    them; and the keys of those of which it raises ConfigError, from now on under `ASIDE`.
    """
    rows = connection.execute(
        "SELECT key, value FROM meta WHERE key >= ? AND key < ?", (prefix, prefix[:-1] + ";")
    ).fetchall()
    found, lost = {}, []
    for key, value in rows:
        try:
            found[key.removeprefix(prefix)] = read(_document(value))
        except ConfigError as error:
            log.warning("%s: laid aside: %s", key, error)
            lost.append(key)
            connection.execute(
                "UPDATE OR REPLACE meta SET key = ? WHERE key = ?", (ASIDE + key, key)
            )
    return found, lost


def _document(value: str) -> Mapping[str, Any]:
    try:
        document = json.loads(value)
    except ValueError as error:
        raise ConfigError(f"is no JSON ({error})") from error
    if not isinstance(document, dict):
        raise ConfigError("is no JSON object")
    return document
