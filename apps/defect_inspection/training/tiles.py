"""Full-resolution tiles for training: small defects stay small, and every tile shows some.

Shrinking a board to the training size would blur the thin strokes we look for; cutting
tiles keeps every pixel and, because windows are placed around defects, each second of
computing sees more of them.
"""

import random
from typing import Any

import cv2
import numpy as np
from ultralytics.data.dataset import YOLODataset

DEFECT_TILES = 0.9  # share of tiles placed around a defect, where the picture has one
NATIVE_SCALE = 0.5  # share of tiles cut at scale 1, exactly as the network will see them
SCALES = (0.75, 1.35)
KEPT_AREA = 0.4  # a box cut by the tile's border stays a label down to this share


class TileDataset(YOLODataset):
    """Random tiles of `imgsz` × `imgsz` px instead of whole resized pictures."""

    tiles_per_image = 4

    def __len__(self) -> int:
        """Tiles in one epoch."""
        return self.tiles_per_image * len(self.labels)

    def get_image_and_label(self, index: int) -> dict[str, Any]:
        """One tile and its boxes (xywh, normalised to the tile)."""
        index %= len(self.labels)
        image, source = self._picture(index), self.labels[index]
        tile, boxes, kept = cut_tile(
            image, xywhn_to_xyxy(source["bboxes"], image.shape), self.imgsz
        )
        return self.update_labels_info(
            {
                "im_file": source["im_file"],
                "img": tile,
                "cls": source["cls"][kept],
                "bboxes": xyxy_to_xywhn(boxes, tile.shape),
                "segments": [],
                "keypoints": None,
                "bbox_format": "xywh",
                "normalized": True,
                "ori_shape": tile.shape[:2],
                "resized_shape": tile.shape[:2],
                "ratio_pad": (1.0, 1.0),
            }
        )

    def _picture(self, index: int) -> np.ndarray:
        """Picture `index` at its own size, BGR uint8 [H, W, 3], kept in memory."""
        if self.ims[index] is None:
            self.ims[index] = cv2.imread(self.im_files[index], cv2.IMREAD_COLOR)
        return self.ims[index]


def cut_tile(
    image: np.ndarray, boxes: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random `size` × `size` tile; returns (tile, its boxes xyxy px, which were kept)."""
    scale = 1.0 if random.random() < NATIVE_SCALE else random.uniform(*SCALES)
    side = round(size / scale)
    left, top = _place(image.shape, boxes, side)
    window = image[max(top, 0) : top + side, max(left, 0) : left + side]
    window = _pad(window, side, max(-top, 0), max(-left, 0))
    tile = _resize(window, size)
    moved = (boxes - [left, top, left, top]) * (size / side)
    clipped = moved.clip(0, size)
    kept = _area(clipped) >= KEPT_AREA * np.maximum(_area(moved), 1e-9)
    if random.random() < 0.5:  # with the flips, all eight symmetries of the plane
        tile, clipped = tile.transpose(1, 0, 2), clipped[:, [1, 0, 3, 2]]
    return np.ascontiguousarray(tile), clipped[kept], kept


def _place(shape: tuple[int, ...], boxes: np.ndarray, side: int) -> tuple[int, int]:
    height, width = shape[:2]
    if len(boxes) and random.random() < DEFECT_TILES:
        x, y = boxes[random.randrange(len(boxes))].reshape(2, 2).mean(0)
        left = int(x - random.uniform(0.1, 0.9) * side)
        top = int(y - random.uniform(0.1, 0.9) * side)
    else:
        left = random.randint(0, max(width - side, 0))
        top = random.randint(0, max(height - side, 0))
    return _inside(left, width, side), _inside(top, height, side)


def _inside(start: int, length: int, side: int) -> int:
    """Keep a window in the picture; centre it when it is the larger of the two."""
    if side >= length:
        return -(side - length) // 2
    return min(max(start, 0), length - side)


def _pad(window: np.ndarray, side: int, top: int, left: int) -> np.ndarray:
    height, width = window.shape[:2]
    if (height, width) == (side, side):
        return window
    grey = (114, 114, 114)  # what Ultralytics and our letterbox pad with
    edges = (top, side - height - top, left, side - width - left)
    return cv2.copyMakeBorder(window, *edges, cv2.BORDER_CONSTANT, value=grey)


def _resize(window: np.ndarray, size: int) -> np.ndarray:
    if window.shape[0] == size:
        return window
    shrink = window.shape[0] > size
    method = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return cv2.resize(window, (size, size), interpolation=method)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def xywhn_to_xyxy(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes [n, 4] from normalised centre form to corner form in px."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.hstack([centre - half, centre + half]) * np.tile(shape[1::-1], 2)


def xyxy_to_xywhn(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes [n, 4] from corner form in px to normalised centre form, float32."""
    boxes = boxes / np.tile(shape[1::-1], 2)
    centre, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return np.hstack([centre, extent]).astype(np.float32)
