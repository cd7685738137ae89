"""What an engineer sees of a camera while drawing over it: a few hundred mean colours.

It is made when it is asked for, of a picture whose masks are burnt in already, and kept by
nobody. A person who fills a fifth of the picture's height is some four cells by seven.
"""

import cv2
import numpy as np

MOST_COLUMNS, MOST_ROWS = 64, 36
Colours = list[list[list[int]]]
"""Rows of cells, each red, green and blue from 0 to 255."""


def mosaic(frame: np.ndarray) -> Colours:
    """Mean colours of the blocks of `frame` (uint8 [H, W, 3] BGR or [H, W] grey).

    At most 64 columns and 36 rows, of the picture's shape. Raises ValueError for what is
    no picture.
    """
    if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or 0 in frame.shape:
        raise ValueError("a mosaic is made of a picture of 8-bit values")
    colours = cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB if frame.ndim == 2 else cv2.COLOR_BGR2RGB)
    height, width = colours.shape[:2]
    share = min(1.0, MOST_COLUMNS / width, MOST_ROWS / height)
    size = (max(1, int(width * share)), max(1, int(height * share)))
    cells: Colours = cv2.resize(colours, size, interpolation=cv2.INTER_AREA).tolist()
    return cells
