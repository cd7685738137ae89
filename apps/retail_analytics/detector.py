"""A person detector behind its model.toml: picture in, people's boxes out, on any runtime.

What a network wants to see and how its answer is read stands in the `layout` lines of its
card, so another network is another card. An input's layout is a list of words, e.g.
"NCHW, BGR, 0-255, top-left"; an output's begins with the name of its reader, e.g.
"yolox, strides 8 16 32". The readers are in `decoding.py` and `pose.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.decoding import Options, Outputs, Raw, fastestdet, ssd, yolo, yolox
from apps.retail_analytics.pose import posenet
from common.errors import BundleError
from common.inference.asking import Questions, asker
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


@dataclass(frozen=True, slots=True)
class WayBack:
    """From input px to px of the picture, for boxes [n, 4]."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    most: NDArray[np.float64]
    """Right and lower edge of the picture."""

    def __call__(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """The boxes in the picture, cut at its edges."""
        moved = boxes * self.scale + self.offset
        return np.minimum(np.maximum(moved, 0.0), self.most).astype(np.float32)


class Fitter:
    """Writes pictures into one reused network input, and finds the way back."""

    def __init__(self, form: InputForm) -> None:
        self._form = form
        shape = (form.height, form.width, 3)
        self._canvas = np.full(shape, PAD_GREY, np.uint8)
        planes = (1, *shape) if form.channels_last else (1, 3, form.height, form.width)
        self.tensor = np.zeros(planes, form.dtype)
        self._outs = list(self.tensor[0][::-1] if form.rgb else self.tensor[0])
        bytewise = form.dtype == "uint8" and not form.channels_last
        self._planes = self._outs if bytewise else list(np.empty((3, *shape[:2]), np.uint8))
        self._shape: tuple[int, ...] = ()
        self._place, self._back = self._canvas, WayBack(*np.zeros((3, 4)))

    def write(self, picture: np.ndarray) -> WayBack:
        """Fill `tensor`; returns how its boxes come back into the picture."""
        if picture.ndim == 2:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        if picture.shape != self._shape:
            self._shape, (self._place, self._back) = picture.shape, self._placed(picture)
        place = self._place
        size = place.shape[1], place.shape[0]
        cv2.resize(picture, size, dst=place, interpolation=cv2.INTER_LINEAR)
        self._fill()
        return self._back

    def _placed(self, picture: np.ndarray) -> tuple[np.ndarray, WayBack]:
        """Where on the canvas pictures of this size go, and the way back."""
        form, (rows, columns) = self._form, picture.shape[:2]
        if form.fit == "stretched":
            scale = np.array([form.width / columns, form.height / rows])
        else:
            scale = np.full(2, min(form.height / rows, form.width / columns))
        size = np.maximum(1, np.round(np.array([columns, rows]) * scale)).astype(int)
        size = np.minimum(size, [form.width, form.height])
        room = np.array([form.width, form.height]) - size
        left, top = (room // 2) if form.fit == "centred" else (0, 0)
        self._canvas[:] = PAD_GREY
        place = self._canvas[top : top + size[1], left : left + size[0]]
        back = (1 / scale, -np.array([left, top]) / scale, np.array([columns, rows]))
        return place, WayBack(*(np.tile(pair, 2) for pair in back))

    def _fill(self) -> None:
        """Canvas → tensor; plane by plane where it wants planes: a third of the time."""
        form, canvas = self._form, self._canvas
        if form.channels_last:
            self._convert(canvas[:, :, ::-1] if form.rgb else canvas, self.tensor[0])
            return
        cv2.split(canvas, self._planes)
        if self._planes is not self._outs:
            for plane, out in zip(self._planes, self._outs, strict=True):
                self._convert(plane, out)

    def _convert(self, source: np.ndarray, out: np.ndarray) -> None:
        if self._form.dtype == "int8":  # 0–255 as -128…127
            np.bitwise_xor(source, 0x80, out=out.view(np.uint8))
        elif self._form.dtype == "uint8" or self._form.scale == 1.0:
            out[:] = source
        else:
            np.multiply(source, np.float32(self._form.scale), out=out, casting="unsafe")


class PersonDetector:
    """Any network whose card names a reader; the boxes are people's, in px of the picture."""

    def __init__(self, model: Model, depth: int = 1) -> None:
        self._card, card = model.card, model.card
        self._form = input_form(card.inputs[0])
        self._questions = Questions(asker(model, depth))
        self._fitters = cycle([Fitter(self._form) for _ in range(depth + (depth > 1))])
        self._reader, self._options = reader_of(card, self._form)
        self._people = [i for i, label in enumerate(card.labels) if label in PEOPLE]
        if not self._people:
            raise BundleError(f"{card.name}: none of its labels is {' or '.join(PEOPLE)}")

    def detect(self, picture: np.ndarray, threshold: float) -> Detections:
        """People with at least `threshold`, best first; raises RuntimeFailure."""
        return self.begin(picture, threshold)()

    def begin(self, picture: np.ndarray, threshold: float) -> Callable[[], Detections]:
        """Ask; what it returns waits for the answer. At most `depth` are begun at a time.

        They are to be finished in the order they were begun in.
        """
        fitter = next(self._fitters)
        back = fitter.write(picture)
        number = self._questions.ask({self._card.inputs[0].name: fitter.tensor})
        return partial(self._finish, number, threshold, back)

    def close(self) -> None:
        """End what is under way; the model stays its opener's."""
        self._questions.close()

    def _finish(self, number: int, threshold: float, back: WayBack) -> Detections:
        outputs = self._questions.answer(number)
        raw = READERS[self._reader](outputs, self._options, threshold).only(self._people)
        kept = suppress(raw.boxes, raw.scores, raw.classes, self._card.overlap)[:MOST_PEOPLE]
        return Detections(back(raw.boxes[kept]), raw.scores[kept], raw.classes[kept])


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
