"""Arrays that two processes see without sending them: anonymous shared memory.

It has no name, so nothing is left behind by a process that is killed; it goes with its last
user. Linux only, as are the devices that need it.
"""

import mmap
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

SAME = struct.Struct("<Q")  # a call's number alone: its arrays lie where the last ones lay
SAME_TOO = struct.Struct("<Qd")  # an answer's number, and the seconds that the runtime took
ALIGN = 64  # bytes: a cache line, and what vector instructions like


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an area one array lies."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    """Bytes from the area's start."""

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + prod(self.shape) * np.dtype(self.dtype).itemsize


def places(arrays: Iterable[tuple[str, str, tuple[int, ...]]]) -> list[Place]:
    """Places one behind the other for arrays of these names, dtypes and shapes."""
    laid: list[Place] = []
    offset = 0
    for name, dtype, shape in arrays:
        place = Place(name, dtype, shape, offset)
        laid.append(place)
        offset = -(-place.end // ALIGN) * ALIGN
    return laid


class Area:
    """Shared memory that grows; the side that only reads cannot write into it."""

    def __init__(self, descriptor: int | None = None, *, writable: bool = True) -> None:
        self._protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        self.descriptor = os.memfd_create("lineside") if descriptor is None else descriptor
        self._map: mmap.mmap | None = None
        self._size = 0
        self._form: list[tuple[str, np.dtype[Any], tuple[int, ...]]] | None = None
        self._laid: list[Place] = []
        self._views: list[np.ndarray] = []

    def grow(self, size: int) -> None:
        """Make room for `size` bytes; views taken before stay what they are."""
        if size > os.fstat(self.descriptor).st_size:
            os.ftruncate(self.descriptor, size)

    def view(self, place: Place) -> np.ndarray:
        """The array at a place, in the shared memory itself; raises ValueError outside it."""
        memory = self._memory(place.end)
        count = prod(place.shape)
        if place.offset < 0 or count < 0 or place.end > self._size:
            raise ValueError(f"{place.name} lies outside the shared memory")
        if memory is None or count == 0:
            return np.empty(place.shape, place.dtype)
        flat = np.frombuffer(memory, place.dtype, count, place.offset)
        return flat.reshape(place.shape)

    def put(self, arrays: Mapping[str, np.ndarray]) -> tuple[list[Place], bool]:
        """Copy arrays in.

        Where they now are, and whether the arrays before them lay at the same places; raises
        OSError when there is no room for them.
        """
        form = [(name, array.dtype, array.shape) for name, array in arrays.items()]
        same = form == self._form
        if not same:
            laid = places((name, str(dtype), shape) for name, dtype, shape in form)
            self.grow(max((place.end for place in laid), default=0))
            self._views = [self.view(place) for place in laid]
            self._laid, self._form = laid, form
        for here, array in zip(self._views, arrays.values(), strict=True):
            np.copyto(here, array)
        return self._laid, same

    def close(self) -> None:
        """Give the descriptor back; the memory goes with the last view of it."""
        self._map, self._form, self._views = None, None, []
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _memory(self, size: int) -> mmap.mmap | None:
        if size > self._size:
            there = os.fstat(self.descriptor).st_size
            if there:
                self._map = mmap.mmap(self.descriptor, there, prot=self._protection)
            self._size = there  # not before: what was not mapped is not there
        return self._map
