"""What every backend asks of its inputs before a vendor's library sees them.

The libraries differ: one raises on a wrong type, another converts it in silence, a third
runs on the arrays of the call before. And an empty batch has an empty answer, which looks
like "nothing found".
"""

from collections.abc import Iterable

import numpy as np

from common.errors import RuntimeFailure
from common.ports import Arrays, TensorSpec

MOST_BYTES = 1 << 30
"""Of one call's inputs: more is a mistake, and an edge device has not the memory."""


def checked(name: str, specs: Iterable[TensorSpec], arrays: Arrays) -> dict[str, np.ndarray]:
    """The arrays in the order of `specs`; raises RuntimeFailure for runtime `name`."""
    wanted = {spec.name: spec for spec in specs}
    if arrays.keys() != wanted.keys():
        raise RuntimeFailure(name, f"needs {[*wanted]}, got {[*arrays]}")
    ordered = {key: np.asarray(arrays[key]) for key in wanted}
    for key, array in ordered.items():
        _fits(name, wanted[key], array)
    size = sum(array.nbytes for array in ordered.values())
    if size > MOST_BYTES:
        raise RuntimeFailure(
            name, f"inputs of {size} bytes; at most {MOST_BYTES} are taken: give fewer at once"
        )
    return ordered


def _fits(name: str, spec: TensorSpec, array: np.ndarray) -> None:
    alike = len(array.shape) == len(spec.shape) and all(
        want in (-1, have) for want, have in zip(spec.shape, array.shape, strict=True)
    )
    if not alike or array.dtype != spec.dtype:
        found = f"{array.dtype} {list(array.shape)}"
        expected = f"{spec.dtype} {list(spec.shape)}"
        raise RuntimeFailure(name, f"{spec.name} is {found}, expected {expected}")
    if array.size == 0:
        raise RuntimeFailure(
            name, f"{spec.name} is empty: {list(array.shape)}: give at least 1"
        )
