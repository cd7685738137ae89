"""One spelling of JSON for what is stored, hashed and sent: equal values give equal text."""

import json
from collections.abc import Mapping
from typing import Any

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: Any) -> str:
    """Sorted keys, no spaces, UTF-8; raises ValueError for NaN and infinity.

    JSON has no NaN: a reader would refuse the whole batch. Missing is None.
    """
    return _ENCODER.encode(value)


def read_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object in `text`; raises ValueError when it is none."""
    value = json.loads(text)
    if not isinstance(value, Mapping):
        raise ValueError(f"not a JSON object: {str(value)[:40]}")  # noqa: TRY004 - bad data
    return dict(value)
