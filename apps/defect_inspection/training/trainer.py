"""Ultralytics' trainer, made fit for processors without a GPU: bfloat16 and tiles.

Ultralytics' own mixed precision is for GPUs. Recent x86 cores multiply bfloat16 in
hardware, and running the network (not the loss) in it halves the time of a step.
"""

import os
from copy import copy
from typing import Any

import torch
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import RANK

from apps.defect_inspection.training.tiles import TileDataset


class Bfloat16Model(DetectionModel):
    """A detection model whose forward pass runs in bfloat16 and whose loss in float32."""

    def loss(self, batch: dict[str, Any], preds: Any = None) -> Any:
        """Loss of one batch; `batch["img"]` is float [B, 3, H, W] in 0–1."""
        if preds is None:
            with torch.autocast("cpu", torch.bfloat16):
                preds = self.forward(batch["img"])
        return super().loss(batch, _to_float32(preds))


def _to_float32(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.float()
    if isinstance(value, dict):
        return {key: _to_float32(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_to_float32(item) for item in value)
    return value


class TileTrainer(DetectionTrainer):
    """Trains on tiles of `imgsz` px; `fast` picks bfloat16 and the memory order it likes."""

    fast = torch.backends.mkldnn.is_available() and not torch.cuda.is_available()

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """The network for this data, started from `weights` where given."""
        kind = Bfloat16Model if self.fast else DetectionModel
        channels, classes = self.data["channels"], self.data["nc"]
        model = kind(cfg, nc=classes, ch=channels, verbose=verbose and RANK == -1)
        if weights:
            model.load(weights)
        return model

    def _setup_train(self) -> None:
        torch.set_num_threads(os.cpu_count() or 1)  # Ultralytics leaves one core idle
        super()._setup_train()
        if self.fast:
            self.model = self.model.to(memory_format=torch.channels_last)

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Scale to 0–1 and put the channels last in memory."""
        batch = super().preprocess_batch(batch)
        if self.fast:
            batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    def build_dataset(self, img_path: Any, mode: str = "train", batch: Any = None) -> Any:
        """Tiles to train on; whole pictures to validate."""
        if mode != "train":
            return super().build_dataset(img_path, mode, batch)
        return TileDataset(
            img_path=img_path,
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=True,
            hyp=copy(self.args),
            cache=False,
            stride=32,
            data=self.data,
            task="detect",
        )
