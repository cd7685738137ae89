"""A person detector behind its model.toml: picture in, people's boxes out, on any runtime.

What a network wants to see and how its answer is read stands in the `layout` lines of its
card, so another network is another card. An input's layout is a list of words, e.g.
"NCHW, BGR, 0-255, top-left"; an output's begins with the name of its reader, e.g.
"yolox, strides 8 16 32". The readers are in `decoding.py` and `pose.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.decoding import Options, Outputs, Raw, fastestdet, ssd, yolo, yolox
from apps.retail_analytics.pose import posenet
from common.errors import BundleError
from common.inference.bundle import Model, ModelCard, Tensor
from common.inference.images import PAD_GREY, Detections, suppress

Reader = Callable[[Outputs, Options, float], Raw]
READERS: dict[str, Reader] = {
    "yolox": yolox,
    "fastestdet": fastestdet,
    "ssd": ssd,
    "yolo": yolo,
    "posenet": posenet,
}
PEOPLE = ("person", "head")
"""Labels that are counted."""
WORDS = {"NCHW", "NHWC", "BGR", "RGB", "0-255", "0-1", "top-left", "centred", "stretched"}
MOST_PEOPLE = 300


@dataclass(frozen=True)
class InputForm:
    """How a network wants its picture."""

    height: int
    width: int
    channels_last: bool
    rgb: bool
    scale: float
    fit: str
    """`top-left` or `centred` keep the aspect and pad; `stretched` does not."""
    dtype: str


def input_form(tensor: Tensor) -> InputForm:
    """The form that a card's input asks for; raises BundleError for words not known."""
    words = [word.strip() for word in tensor.layout.split(",") if word.strip()]
    unknown = [word for word in words if word not in WORDS]
    if unknown:
        raise BundleError(
            f"input {tensor.name}: layout word {unknown[0]!r} is not known; "
            f"known: {', '.join(sorted(WORDS))}"
        )
    last = "NHWC" in words
    if len(tensor.shape) != 4 or tensor.shape[3 if last else 1] != 3:
        raise BundleError(f"input {tensor.name}: is no picture of 3 channels")
    height, width = tensor.shape[1:3] if last else tensor.shape[2:4]
    if min(height, width) < 16:
        raise BundleError(f"input {tensor.name}: needs a fixed height and width")
    fit = next((word for word in ("top-left", "stretched") if word in words), "centred")
    scale = 1 / 255 if "0-1" in words else 1.0
    return InputForm(height, width, last, "RGB" in words, scale, fit, tensor.dtype)


class Fitter:
    """Writes pictures into one reused network input, and finds the way back."""

    def __init__(self, form: InputForm) -> None:
        self._form = form
        shape = (form.height, form.width, 3)
        self._canvas = np.full(shape, PAD_GREY, np.uint8)
        planes = (1, *shape) if form.channels_last else (1, 3, form.height, form.width)
        self.tensor = np.zeros(planes, form.dtype)

    def write(self, picture: np.ndarray) -> NDArray[np.float64]:
        """Fill `tensor`; returns what input px × scale + offset is in the picture: [2, 2]."""
        form, (rows, columns) = self._form, picture.shape[:2]
        if picture.ndim == 2:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        if form.fit == "stretched":
            scale = np.array([form.width / columns, form.height / rows])
        else:
            scale = np.full(2, min(form.height / rows, form.width / columns))
        size = np.maximum(1, np.round(np.array([columns, rows]) * scale)).astype(int)
        size = np.minimum(size, [form.width, form.height])
        room = np.array([form.width, form.height]) - size
        left, top = (room // 2) if form.fit == "centred" else (0, 0)
        place = self._canvas[top : top + size[1], left : left + size[0]]
        cv2.resize(picture, tuple(size.tolist()), dst=place, interpolation=cv2.INTER_LINEAR)
        self._fill()
        return np.array([1 / scale, -np.array([left, top]) / scale])

    def _fill(self) -> None:
        form, canvas = self._form, self._canvas
        source = canvas[:, :, ::-1] if form.rgb else canvas
        if not form.channels_last:
            source = source.transpose(2, 0, 1)
        if form.dtype == "uint8":
            self.tensor[0] = source
        else:
            np.multiply(source, np.float32(form.scale), out=self.tensor[0], casting="unsafe")


class PersonDetector:
    """Any network whose card names a reader; the boxes are people's, in px of the picture."""

    def __init__(self, model: Model) -> None:
        self._model, card = model, model.card
        self._form = input_form(card.inputs[0])
        self._fitter = Fitter(self._form)
        self._reader, self._options = reader_of(card, self._form)
        self._people = [i for i, label in enumerate(card.labels) if label in PEOPLE]
        if not self._people:
            raise BundleError(f"{card.name}: none of its labels is {' or '.join(PEOPLE)}")

    def detect(self, picture: np.ndarray, threshold: float) -> Detections:
        """People with at least `threshold`, best first; raises RuntimeFailure."""
        back = self._fitter.write(picture)
        outputs = self._model.run({self._model.card.inputs[0].name: self._fitter.tensor})
        raw = READERS[self._reader](outputs, self._options, threshold)
        raw = raw.only(self._people)
        kept = suppress(raw.boxes, raw.scores, raw.classes, self._model.card.overlap)
        return self._in_picture(raw, kept[:MOST_PEOPLE], back, picture.shape)

    def _in_picture(
        self,
        raw: Raw,
        kept: NDArray[np.int64],
        back: NDArray[np.float64],
        shape: tuple[int, ...],
    ) -> Detections:
        height, width = shape[:2]
        boxes = raw.boxes[kept] * np.tile(back[0], 2) + np.tile(back[1], 2)
        boxes = boxes.clip(0, [width, height, width, height]).astype(np.float32)
        return Detections(boxes, raw.scores[kept], raw.classes[kept])


def reader_of(card: ModelCard, form: InputForm) -> tuple[str, Options]:
    """The reader that the outputs' layouts name; raises BundleError when none is known."""
    tensors = {}
    name = ""
    for tensor in card.outputs:
        words = [word.strip() for word in tensor.layout.split(",") if word.strip()]
        first, *rest = words or [""]
        reader, _, role = first.partition(" ")
        if reader not in READERS or (name and reader != name):
            known = ", ".join(READERS)
            raise BundleError(f"{card.name}: no reader for {tensor.layout!r}; known: {known}")
        name = reader
        tensors[role or "boxes"] = (tensor.name, _options(rest))
    return name, Options(form.height, form.width, len(card.labels), tensors)


def _options(words: list[str]) -> dict[str, tuple[float, ...]]:
    """Reads "stride 16" as {"stride": (16.0,)}; words without numbers are for people."""
    options = {}
    for word in words:
        key, *values = word.split()
        try:
            options[key] = tuple(float(value) for value in values)
        except ValueError:
            continue
    return options
