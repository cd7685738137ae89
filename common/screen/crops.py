"""A defect cut out of its picture, with its box drawn in, ready to be shown."""

import base64
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from common.inference.decode import DecodeLimits, ImageRefused, decode_image
from common.pictures import NAME
from common.screen.language import mark

Box = Sequence[float]
"""Left, top, right, bottom in px."""
LIMITS = DecodeLimits()
ORANGE, BLACK = (0, 159, 230), (0, 0, 0)  # BGR; two lines: one is seen on any ground
AROUND = 2.6
"""How much of the surroundings is shown, in sides of the box."""
SMALLEST_PX = 72.0


class PictureGone(Exception):
    """There is no picture to show; the text says why, a key of the catalogues."""


def load_picture(folder: Path, name: str | None) -> np.ndarray:
    """The picture `name` of a station as BGR; raises PictureGone."""
    if not name:
        raise PictureGone(mark("no picture was taken"))
    if not NAME.fullmatch(name):
        raise PictureGone(mark("its name is no file name"))
    try:
        picture = decode_image((folder / name).read_bytes(), LIMITS)
    except FileNotFoundError as error:
        raise PictureGone(mark("picture gone")) from error
    except (OSError, ImageRefused) as error:
        raise PictureGone(mark("picture unreadable")) from error
    return (
        picture if picture.ndim == 3 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    )


def window(box: Box, width: int, height: int, aspect: float) -> tuple[int, int, int, int]:
    """The part of a picture to show for `box`: left, top, right, bottom in px, inside it."""
    left, top, right, bottom = (min(max(float(v), -1e6), 1e6) for v in box)
    wanted = max(abs(right - left) * AROUND, abs(bottom - top) * AROUND * aspect, SMALLEST_PX)
    wide = max(1, round(min(wanted, width, height * aspect)))
    high = max(1, min(round(wide / aspect), height))
    x = round(min(max((left + right - wide) / 2, 0), width - wide))
    y = round(min(max((top + bottom - high) / 2, 0), height - high))
    return x, y, x + wide, y + high


def crop(picture: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """The surroundings of `box`, scaled to `size` (width, height), with the box drawn in."""
    width, height = size
    x0, y0, x1, y1 = window(box, picture.shape[1], picture.shape[0], width / height)
    shown = cv2.resize(picture[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    scale_x, scale_y = width / (x1 - x0), height / (y1 - y0)
    corners = [
        round(min(max((float(v) - start) * scale, -4.0), end + 4.0))
        for v, start, scale, end in zip(
            box, (x0, y0) * 2, (scale_x, scale_y) * 2, (width, height) * 2, strict=True
        )
    ]
    for colour, thickness in ((BLACK, 4), (ORANGE, 2)):
        cv2.rectangle(
            shown, (corners[0], corners[1]), (corners[2], corners[3]), colour, thickness
        )
    return np.asarray(shown)


def crop_address(folder: Path, name: str | None, box: Box, size: tuple[int, int]) -> str:
    """A station's picture cut to `box`, as the address of an <img>; raises PictureGone."""
    return _crop_address(folder, name, _changed(folder, name), tuple(box), size)


def _changed(folder: Path, name: str | None) -> int:
    """When a picture was written; 0 when it is not there."""
    try:
        return (folder / name).stat().st_mtime_ns if name and NAME.fullmatch(name) else 0
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _crop_address(
    folder: Path, name: str | None, changed: int, box: tuple[float, ...], size: tuple[int, int]
) -> str:
    del changed  # a picture written anew is another one
    return data_address(crop(load_picture(folder, name), box, size))


def data_address(picture: np.ndarray) -> str:
    """A picture as the address of an <img>: nothing is fetched."""
    data = cv2.imencode(".png", picture)[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
