"""A nano person detector of YOLOX's shape, with one class, in plain torch.

Written from the published description of the network. Its batch normalisations are folded
into the convolutions before training: the pretrained file has them so, few pictures of many
kinds would only disturb their means, and INT8 needs them so in the end. The first layer,
which sorts pixels into channels and convolves them, is one convolution here: the same sums.
"""

import copy
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

STRIDES = (8, 16, 32)
CLASSES, PERSON = 80, 0
"""Of the pretrained file: how many classes, and which one is wanted."""


class Conv(nn.Module):
    """Convolution and SiLU, y ↦ y / (1 + exp(−y)).

    Where `sharpness` [outputs] is set, y is multiplied by it inside the exponent: so a
    channel that was scaled down still bends where it did.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ):
        super().__init__()
        padding = (kernel - 1) // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups)
        self.sharpness: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps to maps."""
        y = self.conv(x)
        if self.sharpness is None:
            return nn.functional.silu(y)
        return y * torch.sigmoid(y * self.sharpness.view(1, -1, 1, 1))


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Each channel by itself, then all channels by 1×1."""
    return nn.Sequential(Conv(inputs, inputs, 3, stride, inputs), Conv(inputs, outputs, 1))


class Residual(nn.Module):
    """1×1, then separable 3×3, with a way around where `around`."""

    def __init__(self, channels: int, around: bool):
        super().__init__()
        self.first, self.second = Conv(channels, channels, 1), separable(channels, channels)
        self.around = around

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps to maps."""
        y = self.second(self.first(x))
        return y + x if self.around else y


class Split(nn.Module):
    """Half of the channels through `depth` residuals, half straight on, then joined."""

    def __init__(self, inputs: int, outputs: int, depth: int, around: bool = True):
        super().__init__()
        half = outputs // 2
        self.deep, self.straight = Conv(inputs, half, 1), Conv(inputs, half, 1)
        self.blocks = nn.Sequential(*(Residual(half, around) for _ in range(depth)))
        self.join = Conv(2 * half, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps to maps."""
        deep, straight = self.deep(x), self.straight(x)
        return self.join(torch.cat([self.blocks(deep), straight], 1))


class Pyramid(nn.Module):
    """Maxima over 5, 9 and 13 px beside the map itself; the larger ones from the smaller."""

    def __init__(self, channels: int):
        super().__init__()
        self.first, self.last = (
            Conv(channels, channels // 2, 1),
            Conv(channels * 2, channels, 1),
        )
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps to maps."""
        maps = [self.first(x)]
        for _ in range(3):
            maps.append(self.pool(maps[-1]))
        return self.last(torch.cat(maps, 1))


class Head(nn.Module):
    """One scale's answer: box, objectness, class."""

    def __init__(self, inputs: int):
        super().__init__()
        self.stem = Conv(inputs, 64, 1)
        self.classes = nn.Sequential(separable(64, 64), separable(64, 64))
        self.kind = nn.Conv2d(64, 1, 1)
        self.boxes = nn.Sequential(separable(64, 64), separable(64, 64))
        self.box, self.thing = nn.Conv2d(64, 4, 1), nn.Conv2d(64, 1, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Box [B, 4, H, W], and logits of class and objectness [B, 2, H, W]."""
        stem = self.stem(x)
        kind = self.kind(self.classes(stem))
        boxes = self.boxes(stem)
        box = self.box(boxes)
        return box, torch.cat([self.thing(boxes), kind], 1)


class Nano(nn.Module):
    """Pictures [B, 3, H, W] (BGR, 0–255) to boxes [B, cells, 4] and logits [B, cells, 2].

    Boxes are offsets to the cell and log sizes, in strides; logits are of objectness and of
    the class. Height and width must be multiples of 32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.start = Conv(3, 16, 6, 2)
        self.two = nn.Sequential(separable(16, 32, 2), Split(32, 32, 1))
        self.three = nn.Sequential(separable(32, 64, 2), Split(64, 64, 3))
        self.four = nn.Sequential(separable(64, 128, 2), Split(128, 128, 3))
        self.five = nn.Sequential(
            separable(128, 256, 2), Pyramid(256), Split(256, 256, 1, around=False)
        )
        self.lateral, self.reduce = Conv(256, 128, 1), Conv(128, 64, 1)
        self.up_four, self.up_three = Split(256, 128, 1, False), Split(128, 64, 1, False)
        self.down_three, self.down_four = separable(64, 64, 2), separable(128, 128, 2)
        self.out_four, self.out_five = Split(128, 128, 1, False), Split(256, 256, 1, False)
        self.heads = nn.ModuleList([Head(64), Head(128), Head(256)])

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes and logits."""
        return self.late(self.early(pictures))

    def early(self, pictures: torch.Tensor) -> torch.Tensor:
        """Edges and textures [B, 32, H/4, W/4]: half of the work, and the same for all."""
        return self.two(self.start(pictures))

    def late(self, edges: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """All the rest."""
        maps = self.necks(edges)
        found = [head(one) for head, one in zip(self.heads, maps, strict=True)]
        boxes, scores = (
            torch.cat([_rows(each[i]) for each in found], 2).transpose(1, 2) for i in (0, 1)
        )
        return boxes, scores

    def necks(self, edges: torch.Tensor) -> list[torch.Tensor]:
        """Maps at strides 8, 16 and 32."""
        three = self.three(edges)
        four = self.four(three)
        lateral = self.lateral(self.five(four))
        reduced = self.reduce(self.up_four(torch.cat([_double(lateral), four], 1)))
        out_three = self.up_three(torch.cat([_double(reduced), three], 1))
        out_four = self.out_four(torch.cat([self.down_three(out_three), reduced], 1))
        out_five = self.out_five(torch.cat([self.down_four(out_four), lateral], 1))
        return [out_three, out_four, out_five]


def _rows(answer: torch.Tensor) -> torch.Tensor:
    """[B, C, H, W] to [B, C, cells]; in numbers, so that no file works out its own shapes."""
    batch, channels, height, width = (int(side) for side in answer.shape)
    return answer.reshape(batch, channels, height * width)


def _double(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


class Shipped(nn.Module):
    """The network as runtimes see it: bytes in, one output [1, cells, 6] with scores 0–1."""

    def __init__(self, network: Nano):
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Boxes and scores in one."""
        boxes, logits = self.network(images.float())
        return torch.cat([boxes, logits.sigmoid()], 2)


def grid(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Upper left corner of every cell in cells [cells, 2], and its stride in px [cells, 1]."""
    corners, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(
            torch.arange(height // stride), torch.arange(width // stride), indexing="ij"
        )
        corners.append(torch.stack([x.flatten(), y.flatten()], 1).float())
        strides.append(torch.full((len(corners[-1]), 1), float(stride)))
    return torch.cat(corners), torch.cat(strides)


def corners(boxes: torch.Tensor, cells: torch.Tensor, strides: torch.Tensor) -> torch.Tensor:
    """Raw boxes [..., cells, 4] to left, top, right, bottom in px."""
    centre = (boxes[..., :2] + cells) * strides
    half = boxes[..., 2:].clamp(-6, 6).exp() * strides / 2
    return torch.cat([centre - half, centre + half], -1)


def pretrained(file: Path) -> Nano:
    """The network with the weights of YOLOX-nano's ONNX file, its class "person" alone.

    The file's convolutions stand in the order in which they are run, and so do ours.
    Raises ValueError when they do not fit.
    """
    graph = onnx.load(str(file)).graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    theirs = [
        tuple(stored[name] for name in node.input[1:])
        for node in graph.node
        if node.op_type == "Conv"
    ]
    network = Nano().eval()
    ours = in_order(network)
    if len(theirs) != len(ours):
        raise ValueError(f"{file}: {len(theirs)} convolutions, expected {len(ours)}")
    theirs[0] = (_spread(theirs[0][0]), theirs[0][1])
    for index, (conv, arrays) in enumerate(zip(ours, theirs, strict=True)):
        wanted = [tuple(conv.weight.shape), tuple(conv.bias.shape)]
        chosen = [one[PERSON : PERSON + 1] if len(one) == CLASSES else one for one in arrays]
        if [one.shape for one in chosen] != wanted:
            raise ValueError(f"{file}: convolution {index} is {chosen[0].shape}")
        conv.weight.data, conv.bias.data = (torch.tensor(one) for one in chosen)
    return network


def blended(before: Nano, after: Nano, share: float) -> Nano:
    """`share` of what was learned, the rest as it was (Wortsman et al. 2022).

    A mean of the weights before and after keeps most of what was learned on few pictures and
    most of what was known of all others.
    """
    made = copy.deepcopy(after)
    with torch.no_grad():
        for ours, old in zip(made.parameters(), before.parameters(), strict=True):
            ours.lerp_(old, 1 - share)
    return made


def in_order(network: Nano) -> list[nn.Conv2d]:
    """Its convolutions, as they are run."""
    seen: list[nn.Conv2d] = []
    hooks = [
        module.register_forward_hook(lambda module, _inputs, _output: seen.append(module))
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    return seen


def _spread(weight: np.ndarray) -> np.ndarray:
    """[16, 12, 3, 3] over sorted pixels to [16, 3, 6, 6] over pixels as they lie."""
    spread = np.zeros((len(weight), 3, 6, 6), np.float32)
    for index, (row, column) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        spread[:, :, row::2, column::2] = weight[:, 3 * index : 3 * index + 3]
    return spread
