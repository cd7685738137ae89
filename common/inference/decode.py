"""Bytes of a picture file to an array, strictly: a doubtful picture is refused, not guessed.

Pictures from folders and from the inference endpoint come through here. What cannot be
seen: flipped bits inside JPEG or compressed TIFF data (neither carries a checksum).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from common.config import setting
from common.inference.picture_headers import JPEG, ImageRefused, PictureHeader, read_header

__all__ = ["DecodeLimits", "ImageRefused", "decode_image"]


@dataclass(frozen=True)
class DecodeLimits:
    """What a picture may be."""

    max_bytes: int = setting(32_000_000, low=1, unit="bytes")
    """Of the file."""
    max_pixels: int = setting(25_000_000, low=1, high=500_000_000, unit="px")
    """Width × height, checked before decoding: small files can claim giant pictures."""
    min_side_px: int = setting(16, low=1, unit="px")
    """Smaller is an icon or a tracking pixel, not a picture of a part."""
    convert: bool = setting(False)
    """Take 16-bit pictures (their high byte) and drop alpha, instead of refusing both."""


def decode_image(data: bytes, limits: DecodeLimits = DecodeLimits()) -> np.ndarray:
    """PNG, JPEG, BMP or TIFF to uint8 [H, W] (grey) or [H, W, 3] (BGR).

    EXIF rotation is applied. Raises ImageRefused (a ValueError) with one clear reason.
    """
    if len(data) > limits.max_bytes:
        raise ImageRefused(
            f"the picture has {len(data)} bytes, more than the {limits.max_bytes} allowed"
        )
    header = read_header(data)
    _check(header, limits)
    picture = _decode(data)
    if sorted(picture.shape[:2]) != sorted((header.width, header.height)):
        raise ImageRefused("the picture is damaged: its size is not what its header says")
    if header.kind == JPEG and _looks_filled(header, picture):
        _require_complete(data, picture)
    if header.channels == 1 and picture.ndim == 3:  # OpenCV gives grey + alpha three planes
        picture = np.ascontiguousarray(picture[:, :, 0])
    return picture


def _check(header: PictureHeader, limits: DecodeLimits) -> None:
    size = f"the picture is {header.width}×{header.height} px"
    if min(header.width, header.height) < limits.min_side_px:
        raise ImageRefused(f"{size}, a side is under {limits.min_side_px}")
    if header.width * header.height > limits.max_pixels:
        raise ImageRefused(f"{size}, more than the {limits.max_pixels} allowed in all")
    if header.bits > 16:
        raise ImageRefused(f"the picture has {header.bits} bits per channel, 8 are expected")
    if header.bits > 8 and not limits.convert:
        raise ImageRefused(
            f"the picture has {header.bits} bits per channel; save it with 8, or set "
            "convert = true to use the high byte"
        )
    if header.alpha and not limits.convert:
        raise ImageRefused(
            "the picture has an alpha channel; save it without, or set convert = true to drop it"
        )


def _decode(data: bytes) -> np.ndarray:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR)
    except cv2.error as error:
        raise ImageRefused(f"the picture cannot be decoded: {error.err}") from error
    if picture is None:
        raise ImageRefused("the picture is damaged: its data cannot be decoded")
    return np.asarray(picture)


def _looks_filled(header: PictureHeader, picture: np.ndarray) -> bool:
    """Could this JPEG end early, with an end mark put behind it?

    Where data runs out libjpeg leaves blocks of exactly 128; a progressive picture stays
    coarse instead, so that it cannot be told by its looks.
    """
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]].reshape(4, -1)  # EXIF may turn it
    return header.progressive or bool((corners == 128).all(axis=1).any())


def _require_complete(data: bytes, picture: np.ndarray) -> None:
    """Raise when bytes put before the end mark change the picture: it still needed some.

    A complete picture ignores them, so an honest grey corner is not refused.
    """
    end = data.rindex(b"\xff\xd9")
    longer = _decode(data[:end] + b"\xa5\x5a" * 64 + b"\xff\xd9")
    if not np.array_equal(longer, picture):
        raise ImageRefused("the picture is cut short: JPEG, its data ends before its end mark")
