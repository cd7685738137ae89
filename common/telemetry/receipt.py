"""What a collector says after its commit, and what alone lets a station forget an event.

A PUBACK says that a broker has a message, not that it would survive a power cut; so the
collector sends, on the station's `ack` topic, the ranges of sequences it has committed:

    {"<epoch>": [[1, 4711], [4713, 4800]]}

Ranges, because live events overtake the backlog. A receipt may come twice, late, or never:
the station then sends again, and the collector stores nothing twice.
"""

import json
from collections.abc import Mapping
from typing import Any

from common.canonical import canonical_json, read_object
from common.errors import LinesideError
from common.telemetry.ranges import Range, merged

MAX_BYTES = 1 << 20
"""Of a receipt; more comes from no collector of ours."""

Receipt = dict[str, list[Range]]
"""Epoch → the sequences committed."""


class ReceiptError(LinesideError):
    """What came on the `ack` topic is no receipt."""


def encode_receipt(receipt: Mapping[str, list[Range]]) -> bytes:
    """The receipt as it is published."""
    return canonical_json(receipt).encode()


def decode_receipt(body: bytes) -> Receipt:
    """The receipt in `body`; raises ReceiptError when it is anything else."""
    if len(body) > MAX_BYTES:
        raise ReceiptError(f"receipt: {len(body)} bytes, {MAX_BYTES} allowed")
    try:
        return {
            epoch: merged(_range(pair) for pair in ranges)
            for epoch, ranges in read_object(body).items()
        }
    except (ValueError, TypeError, RecursionError, json.JSONDecodeError) as error:
        raise ReceiptError(f"receipt: cannot be read ({error})") from error


def _range(pair: Any) -> Range:
    first, last = pair
    if type(first) is not int or type(last) is not int or not 0 < first <= last:
        raise ValueError(f"{pair!r} is no range of sequences")
    return first, last
