"""Everything that can go wrong, as one tree.

    LinesideError              one clear line for a person
    ├── ConfigError            a setting is wrong (exit code 2)
    ├── BundleError            a model folder is incomplete, altered or of another shape
    ├── BackendMissing         a device or runtime is not installed here
    └── DeviceError            a device failed while in use: the loop makes a Fault of it
        ├── CameraError
        ├── PlcError
        ├── SensorError
        └── RuntimeFailure

A message says what happened, to which thing, and what to do.
"""


class LinesideError(Exception):
    """The root: its text is fit to be shown to a user without a traceback."""


class ConfigError(LinesideError):
    """A setting is missing, unknown, of the wrong type or out of range."""


class BundleError(LinesideError):
    """A model bundle cannot be trusted: missing, altered, or not what its card says."""


class BackendMissing(LinesideError):
    """A named backend is not available here; the text says how to get it."""


class DeviceError(LinesideError):
    """A device failed in use; `device` names it as the screen shall."""

    def __init__(self, device: str, message: str) -> None:
        super().__init__(f"{device}: {message}")
        self.device = device


class CameraError(DeviceError):
    """No picture, or one that is not of the promised kind."""


class PlcError(DeviceError):
    """The PLC did not answer, refused, or answered nonsense."""


WITHHELD = "PASS"


class PassWithheld(PlcError):
    """A PASS that must not be given any more was not; the PLC itself is well."""

    def __init__(self, cause: str) -> None:
        super().__init__(WITHHELD, cause)


class SensorError(DeviceError):
    """A source of measurements is away, or gives what is none."""


class RuntimeFailure(DeviceError):
    """Inference failed: an error is never an empty result."""
