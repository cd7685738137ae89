"""Looks for a marked picture in bytes: raw, encoded, packed, spelt out, or made small.

The mark is noise at several scales, known byte by byte: eight bytes of it in a row, or a few
rows of a small version of it, cannot be there by chance.
"""

import base64
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress

import cv2
import numpy as np
import zstandard
from scipy import fft

MAGIC = re.compile(
    rb"\xff\xd8\xff[\xc0-\xfe]|\x89PNG\r\n\x1a\n|RIFF.{4}(?:WEBP|AVI )|GIF8[79]a|II\*\x00"
    rb"|MM\x00\*|BM.{4}\x00{4}[\x1a-\x8a]\x00{3}|\x93NUMPY|ftyp(?:avif|heic|mif1|isom|mp4\d)"
    rb"|\x00\x00\x00\x0cjP  |P[2356]\s\d+\s\d+\s\d+\s",
    re.DOTALL,
)
WIDTHS = (*range(8, 65, 4), 72, 80, 96, 100, 120, 128, 160, 200, 224, 256, 320)
SMALL = (
    *((width, round(width * 3 / 4)) for width in WIDTHS),  # the picture's own shape
    (16, 9), (32, 18), (64, 36), (128, 72), (320, 180),
)  # fmt: skip
"""Widths and heights that small versions are made in."""
PIECE, SHORTEST = 240, 48
ALIKE = 0.85
BLOCK = 1 << 14
STEP, TOGETHER = BLOCK - PIECE, 64
LONGEST = 1 << 25
ESCAPE = re.compile(rb"\\x([0-9a-f]{2})|\\u00([0-9a-f]{2})")
WORDY = re.compile(rb"[A-Za-z0-9+/_\-]{40,}")
HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){32,}")
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?")
ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")


def marked(pictures: list[np.ndarray], width: int = 220, seed: int = 5) -> list[np.ndarray]:
    """The same pictures with the mark over their left part."""
    random = np.random.default_rng(seed)
    height = pictures[0].shape[0]
    mark = np.full((height, width, 3), 128.0)
    for cell, strength in ((80, 45.0), (24, 35.0), (8, 25.0), (1, 20.0)):
        coarse = random.normal(0, strength, (-(-height // cell), -(-width // cell), 3))
        mark += coarse.repeat(cell, 0).repeat(cell, 1)[:height, :width]
    made = [picture.copy() for picture in pictures]
    for picture in made:
        picture[:, :width] = mark.clip(0, 255).astype(np.uint8)
    return made


class Finder:
    """Finds traces of pictures whose columns up to `width` bear the mark."""

    def __init__(
        self, picture: np.ndarray, width: int = 220, also: tuple[int, int] = (352, 352)
    ):
        """`also`: width and height of one more small version, e.g. a network's input."""
        self._words = np.unique(np.concatenate(list(_words_of(picture[:, :width]))))
        self._pieces: dict[int, list[np.ndarray]] = {}
        for piece in _pieces_of(picture, (*SMALL, also)):
            self._pieces.setdefault(len(piece), []).append(piece)

    def traces(self, data: bytes, deep: int = 2) -> Iterator[str]:
        """What is found, in words, the quickest first; nothing when there is nothing."""
        data = re.sub(rb"\x00{64,}", bytes(64), data)
        if MAGIC.search(data):
            yield "a picture file"
        if self._has_rows(data):
            yield "rows of pixels"
        if self._has_small(data):
            yield "a small version"
        if deep:
            for how, inside in _unpacked(data):
                yield from (f"{what} in {how}" for what in self.traces(inside, deep - 1))

    def _has_rows(self, data: bytes) -> bool:
        for shift in range(min(8, len(data))):
            words = np.frombuffer(data, np.uint64, (len(data) - shift) // 8, shift)
            at = np.searchsorted(self._words, words).clip(max=len(self._words) - 1)
            if (self._words[at] == words).any():
                return True
        return False

    def _has_small(self, data: bytes) -> bool:
        spelt = np.array([float(word[:15]) for word in NUMBER.findall(data)])
        signals = [np.frombuffer(data, np.uint8).astype(np.float64), spelt]
        for shift in range(min(4, len(data))):
            count = (len(data) - shift) // 4
            signals.append(np.frombuffer(data, np.float32, count, shift))
        return any(self._alike(_sane(signal)) for signal in signals)

    def _alike(self, signal: np.ndarray) -> bool:
        """Whether any piece of a small version correlates with any stretch of the signal."""
        for first in range(0, len(signal), TOGETHER * STEP):
            part = signal[first : first + (TOGETHER * STEP) + PIECE]
            if len(part) >= SHORTEST and self._alike_in(part):
                return True
        return False

    def _alike_in(self, signal: np.ndarray) -> bool:
        starts = range(0, len(signal), STEP)
        blocks = np.zeros((len(starts), BLOCK))
        for row, start in zip(blocks, starts, strict=True):
            part = signal[start : start + BLOCK]
            row[: len(part)] = part - part.mean()
        spectrum = fft.rfft(blocks, axis=1)
        for count, pieces in self._pieces.items():
            norm = _norms(blocks, count)
            for piece in pieces:
                product = fft.irfft(spectrum * fft.rfft(piece, BLOCK).conj(), BLOCK, axis=1)
                if (product[:, : norm.shape[1]] > ALIKE * norm).any():
                    return True
        return False


def _norms(blocks: np.ndarray, count: int) -> np.ndarray:
    """Length of every stretch of `count` values about its mean; infinite where all is even."""
    sums = np.cumsum(np.pad(blocks, ((0, 0), (1, 0))), axis=1)
    squares = np.cumsum(np.pad(blocks, ((0, 0), (1, 0))) ** 2, axis=1)
    mean = (sums[:, count:] - sums[:, :-count]) / count
    spread = (squares[:, count:] - squares[:, :-count]) / count - mean**2
    even = spread <= 1e-12 * np.abs(blocks).max(1, keepdims=True) ** 2 + 1e-9
    return np.where(even, np.inf, np.sqrt(count * spread.clip(0)))


def _sane(signal: np.ndarray) -> np.ndarray:
    """Without what is no brightness: other bytes read as real numbers are huge or tiny."""
    with np.errstate(invalid="ignore"):
        plausible = (
            np.isfinite(signal)
            & (np.abs(signal) < 1e4)
            & ((signal == 0) | (np.abs(signal) > 1e-6))
        )
    return np.asarray(signal[plausible], np.float64)


def _words_of(mark: np.ndarray) -> Iterator[np.ndarray]:
    """Eight neighbouring bytes, at every place, as numbers: of every layout of the pixels."""
    grey = cv2.cvtColor(mark, cv2.COLOR_BGR2GRAY)
    ycrcb = cv2.cvtColor(mark, cv2.COLOR_BGR2YCrCb)
    for layout in (mark, mark[:, :, ::-1], grey, *np.moveaxis(mark, 2, 0), ycrcb):
        for row in layout.reshape(len(layout), -1):
            windows = np.lib.stride_tricks.sliding_window_view(np.ascontiguousarray(row), 8)
            varied = (np.diff(np.sort(windows, axis=1), axis=1) != 0).sum(1) >= 5
            yield np.ascontiguousarray(windows[varied]).view(np.uint64).ravel()


def _pieces_of(picture: np.ndarray, sizes: tuple[tuple[int, int], ...]) -> Iterator[np.ndarray]:
    """Stretches of small versions, at mean 0 and length 1."""
    for size in sizes:
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float64)
        grey = small @ [0.114, 0.587, 0.299]
        for layout in (small, small[:, :, ::-1], grey, *np.moveaxis(small, 2, 0)):
            piece = layout.ravel()[:PIECE]
            piece = piece - piece.mean()
            if len(piece) >= SHORTEST and np.linalg.norm(piece) > 1.0:
                yield piece / np.linalg.norm(piece)


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is inside: unpacked, decoded, or spelt out another way."""
    if ESCAPE.search(data):
        yield "escapes", ESCAPE.sub(lambda m: bytes([int(m[1] or m[2], 16)]), data)
    spelt = b"".join(bytes.fromhex(m[0].decode()) for m in HEX.finditer(data))
    if spelt:
        yield "hex", spelt
    for offset in range(4):
        decoded = b"".join(_base64(m[0][offset:]) for m in WORDY.finditer(data))
        if decoded:
            yield "base64", decoded
    for match in ZLIB.finditer(data):
        with suppress(zlib.error):
            inside = zlib.decompressobj(47).decompress(data[match.start() :], LONGEST)
            if len(inside) >= 40:
                yield "zlib", inside
    at = -1
    while (at := data.find(b"\x28\xb5\x2f\xfd", at + 1)) >= 0:
        with suppress(zstandard.ZstdError):
            yield "zstd", zstandard.ZstdDecompressor().decompressobj().decompress(data[at:])


def _base64(word: bytes) -> bytes:
    plain = word.translate(bytes.maketrans(b"-_", b"+/"))
    return base64.b64decode(plain[: len(plain) // 4 * 4])
