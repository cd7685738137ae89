"""Bytes of a picture file to an array, strictly: a doubtful picture is refused, not guessed.

Pictures from folders and from the inference endpoint come through here. What cannot be
seen: flipped bits inside JPEG or compressed TIFF data (neither carries a checksum), and a
progressive JPEG whose very last pass was cut and got a new end mark.
"""

import cv2
import numpy as np

from common.inference.limits import DecodeLimits
from common.inference.picture_headers import JPEG, ImageRefused, PictureHeader, read_header

__all__ = ["DecodeLimits", "ImageRefused", "decode_image"]


USUAL = DecodeLimits()


def decode_image(data: bytes, limits: DecodeLimits = USUAL) -> np.ndarray:
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
    if header.kind == JPEG and not header.progressive and _looks_filled(picture):
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
            "the picture has an alpha channel; save it without, or set convert = true "
            "to drop it"
        )


def _decode(data: bytes) -> np.ndarray:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR)
    except cv2.error as error:
        raise ImageRefused(f"the picture cannot be decoded: {error.err}") from error
    if picture is None:
        raise ImageRefused("the picture is damaged: its data cannot be decoded")
    return np.asarray(picture)


def _looks_filled(picture: np.ndarray) -> bool:
    """Could this JPEG end early, with an end mark put behind it?

    Where data runs out libjpeg leaves blocks of exactly 128 without a word.
    """
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]].reshape(4, -1)  # EXIF may turn it
    return bool((corners == 128).all(axis=1).any())


def _require_complete(data: bytes, picture: np.ndarray) -> None:
    """Raise when bytes put before the end mark change the picture: it still needed some.

    A complete picture ignores them, so an honest grey corner is not refused.
    """
    body = data[: data.rindex(b"\xff\xd9")].rstrip(b"\xff")  # or "FF A5" were a marker
    longer = _decode(body + b"\xa5\x5a" * 64 + b"\xff\xd9")
    if not np.array_equal(longer, picture):
        raise ImageRefused("the picture is cut short: JPEG, its data ends before its end mark")
