"""What a model card says of devices that there is no file for: which, why, and what makes one.

Training writes these lines, so that every card speaks of every kind of device. A TensorRT
engine needs no line: it is built from the ONNX file on the device that runs it.
"""

import json

CORAL, HAILO = "Coral Edge TPU", "Hailo-8"
ACCELERATORS = ("NVIDIA GPU", "Intel GPU", "Intel NPU", CORAL, HAILO)
EDGETPU = "edgetpu_compiler int8.tflite"
HEF = (
    "hailo parser onnx fp32.onnx; hailo optimize --calib-set-path FOLDER fp32.har; "
    "hailo compiler fp32_optimized.har"
)
CLOSED_CORAL = (
    "Google's closed edgetpu_compiler makes the file, on x86 Linux, from an INT8 .tflite"
)
CLOSED_HAILO = (
    "Hailo's closed Dataflow Compiler makes the file, on x86 Linux, after registration"
)
SMALL = "so small that the processor has the answer before its input is on a device"


def table(devices: tuple[str, ...], reason: str, command: str = "") -> str:
    """One [[not_built]] of model.toml."""
    text = json.dumps  # a JSON string is a TOML string
    lines = ["[[not_built]]", f"devices = {text(list(devices))}", f"reason = {text(reason)}"]
    if command:
        lines.append(f"command = {text(command)}")
    return "\n".join(lines) + "\n"


def of_pictures(tflite: bool) -> str:
    """For a network on pictures; `tflite`: whether its card has an INT8 .tflite already."""
    made = "" if tflite else "lineside quantize FOLDER --data DIR --to tflite-int8; "
    return "\n".join(
        [table((CORAL,), CLOSED_CORAL, made + EDGETPU), table((HAILO,), CLOSED_HAILO, HEF)]
    )


def of_numbers() -> str:
    """For a network of a few thousand weights on a few numbers."""
    return table(ACCELERATORS, SMALL)
