"""What a picture file says of itself, read before anything is decoded.

A decoder trusts its input: it allocates what the header claims (a few bytes can ask for
gigabytes), drops alpha and the low byte of 16-bit values without a word, and fills what is
missing of a cut-off file with grey. So the header is read here first, and the file is
followed to its end mark.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from common.errors import LinesideError

PNG, JPEG, BMP, TIFF = "PNG", "JPEG", "BMP", "TIFF"
MAX_PARTS = 100_000
"""Chunks, segments or strips; no camera writes so many, a file that is to keep us busy does."""


class ImageRefused(LinesideError, ValueError):
    """A picture that is not used; the text is the one reason, a clause about "the picture"."""


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What the file claims to hold."""

    kind: str
    width: int
    height: int
    channels: int
    """1 grey, 3 colour; alpha is not counted."""
    bits: int
    """Per channel."""
    alpha: bool = False
    progressive: bool = False
    """A JPEG in several passes, all of which are there."""


def read_header(data: bytes) -> PictureHeader:
    """The header of PNG, JPEG, BMP or TIFF bytes; raises ImageRefused, also when cut short."""
    if not data:
        raise ImageRefused("the picture is empty (0 bytes)")
    for start, kind, read in _KINDS:
        if data.startswith(start):
            try:
                return read(data)
            except (struct.error, IndexError) as error:
                raise _cut(kind, "its header ends early") from error
    raise ImageRefused("the picture is not a PNG, JPEG, BMP or TIFF file")


def _too_many(kind: str) -> ImageRefused:
    return ImageRefused(f"the picture is {kind} of over {MAX_PARTS} parts")


def _cut(kind: str, detail: str) -> ImageRefused:
    return ImageRefused(f"the picture is cut short: {kind}, {detail}")


# ------------------------------------------------------------------ PNG

_PNG_COLOURS = {0: (1, False), 2: (3, False), 3: (3, False), 4: (1, True), 6: (3, True)}


def _png(data: bytes) -> PictureHeader:
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    if colour not in _PNG_COLOURS:
        raise ImageRefused(f"the picture is PNG of the unknown colour type {colour}")
    channels, alpha = _PNG_COLOURS[colour]
    kinds = set(_png_chunks(data))
    if b"IEND" not in kinds:
        raise _cut(PNG, "the end mark IEND is missing")
    if b"acTL" in kinds:
        raise ImageRefused("the picture is an animated PNG, not one picture")
    return PictureHeader(PNG, width, height, channels, bits, alpha or b"tRNS" in kinds)


def _png_chunks(data: bytes) -> Iterator[bytes]:
    at = 8
    for _ in range(MAX_PARTS):
        if at + 12 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            return
        yield data[at + 4 : at + 8]
        at += 12 + length
    raise _too_many(PNG)


# ------------------------------------------------------------------ JPEG

_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")  # not stuffing, not a restart
_SOS, _EOI = 0xDA, 0xD9
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 … SOF15 without DHT, JPG, DAC
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}


def _jpeg(data: bytes) -> PictureHeader:
    header, missing = None, set()
    for marker, at in _jpeg_segments(data):
        if marker in _FRAMES:
            bits, height, width, channels = struct.unpack_from(">BHHB", data, at + 2)
            if channels not in (1, 3):
                raise ImageRefused(f"the picture is JPEG with {channels} channels (CMYK?)")
            several = marker in _PROGRESSIVE
            header = PictureHeader(JPEG, width, height, channels, bits, progressive=several)
            ids = data[at + 8 : at + 8 + 3 * channels : 3]
            if several:
                missing = {(i, frequency) for i in ids for frequency in range(64)}
        elif marker == _SOS:
            missing -= _completed(data, at)
    if header is None:
        raise ImageRefused("the picture is JPEG without a frame header")
    if missing:
        raise _cut(JPEG, "its last passes are missing")
    return header


def _completed(data: bytes, at: int) -> set[tuple[int, int]]:
    """(component, frequency) pairs that a progressive scan brings to their last bit."""
    count = data[at + 2]
    first, last, bits = struct.unpack_from("BBB", data, at + 3 + 2 * count)
    if bits & 15:  # a later scan refines these
        return set()
    ids = data[at + 3 : at + 3 + 2 * count : 2]
    return {(i, frequency) for i in ids for frequency in range(first, last + 1)}


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """(marker, offset of its length field) up to the end mark; raises when that is missing."""
    at = 2
    for _ in range(MAX_PARTS):
        found = _MARKER.search(data, at)
        if found is None:
            raise _cut(JPEG, "the end mark FFD9 is missing")
        marker, at = data[found.end() - 1], found.end()
        if marker == _EOI:
            return
        yield marker, at
        at += struct.unpack_from(">H", data, at)[0]
    raise _too_many(JPEG)


# ------------------------------------------------------------------ BMP


def _bmp(data: bytes) -> PictureHeader:
    offset, header_size, width, height = struct.unpack_from("<IIii", data, 10)
    if header_size < 40:
        raise ImageRefused("the picture is BMP of the old OS/2 form")
    bits, compression = struct.unpack_from("<HI", data, 28)
    if bits not in (8, 24, 32) or compression not in (0, 3):
        raise ImageRefused(f"the picture is BMP with {bits} bits per pixel or compressed")
    height = abs(height)  # negative: stored from the top
    if width < 1 or len(data) < offset + (width * bits + 31) // 32 * 4 * height:
        raise _cut(BMP, f"pixels of {width}×{height} do not fit in {len(data)} bytes")
    return PictureHeader(BMP, width, height, 1 if bits == 8 else 3, 8, alpha=bits == 32)


# ------------------------------------------------------------------ TIFF

_TIFF_FORMS = {1: "B", 3: "H", 4: "I"}  # the types that sizes and offsets have
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES = 256, 257, 258, 262, 277
_EXTRA, _SAMPLE_FORMAT = 338, 339
_DATA_TAGS = ((273, 279), (324, 325))  # strips, tiles: offsets and byte counts
_USED = {_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _EXTRA, _SAMPLE_FORMAT}
_USED |= {tag for pair in _DATA_TAGS for tag in pair}


def _tiff(data: bytes) -> PictureHeader:
    order = "<" if data[:2] == b"II" else ">"
    tags, following = _tiff_directory(data, order)
    if following:
        raise ImageRefused("the picture is TIFF with several pages, not one picture")
    photometric = tags.get(_PHOTOMETRIC, (1,))[0]
    samples = tags.get(_SAMPLES, (1,))[0]
    if photometric not in (0, 1, 2, 3, 6) or tags.get(_SAMPLE_FORMAT, (1,))[0] != 1:
        raise ImageRefused("the picture is TIFF, but neither grey nor RGB in whole numbers")
    _tiff_data_present(data, tags)
    channels = 1 if photometric in (0, 1) else 3
    alpha = _EXTRA in tags or samples not in (channels, 1)
    width, height = tags.get(_WIDTH, (0,))[0], tags.get(_HEIGHT, (0,))[0]
    return PictureHeader(TIFF, width, height, channels, max(tags.get(_BITS, (1,))), alpha)


def _tiff_directory(data: bytes, order: str) -> tuple[dict[int, tuple[int, ...]], int]:
    """The tags of the first page, and where the next page is (0: there is none)."""
    (start,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, start)
    tags = {}
    for at in range(start + 2, start + 2 + 12 * entries, 12):
        tag, form, count = struct.unpack_from(order + "HHI", data, at)
        if tag not in _USED or tag in tags or form not in _TIFF_FORMS:
            continue
        letter = _TIFF_FORMS[form]
        if struct.calcsize(order + letter) * count > 4:
            (where,) = struct.unpack_from(order + "I", data, at + 8)
        else:
            where = at + 8
        if count > MAX_PARTS:
            raise _too_many(TIFF)
        tags[tag] = struct.unpack_from(f"{order}{count}{letter}", data, where)
    (following,) = struct.unpack_from(order + "I", data, start + 2 + 12 * entries)
    return tags, following


def _tiff_data_present(data: bytes, tags: dict[int, tuple[int, ...]]) -> None:
    pieces = [
        piece
        for offsets, counts in _DATA_TAGS
        for piece in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)
    ]
    if not pieces or any(offset + count > len(data) for offset, count in pieces):
        raise _cut(TIFF, f"its pixels do not fit in {len(data)} bytes")


_KINDS = (
    (b"\x89PNG\r\n\x1a\n", PNG, _png),
    (b"\xff\xd8\xff", JPEG, _jpeg),
    (b"BM", BMP, _bmp),
    (b"II*\x00", TIFF, _tiff),
    (b"MM\x00*", TIFF, _tiff),
)
