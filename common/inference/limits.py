"""What a usable picture is, as settings: apart from the checks, which need OpenCV.

An app's configuration names these limits, and its rules import the configuration; rules are
to be free of I/O, so this file imports nothing but `setting`.
"""

from dataclasses import dataclass

from common.config import setting


@dataclass(frozen=True)
class DecodeLimits:
    """What a picture may be."""

    max_bytes: int = setting(32_000_000, low=1, unit="bytes")
    """Of the file."""
    max_pixels: int = setting(25_000_000, low=1, high=500_000_000, unit="px")
    """Width × height, checked before decoding: small files can claim giant pictures."""
    min_side_px: int = setting(16, low=1, unit="px")
    """Smaller is an icon or a tracking pixel, not a picture of a part."""
    convert: bool = setting(False)
    """Take 16-bit pictures (their high byte) and drop alpha, instead of refusing both."""


@dataclass(frozen=True)
class FrameLimits:
    """What a usable frame of this camera looks like.

    A recipe of already binarised pictures sets accept_blank = true and min_sharpness = 0.
    """

    width: int = setting(0, low=0, unit="px")
    """0 is any."""
    height: int = setting(0, low=0, unit="px")
    """0 is any."""
    channels: int = setting(0, choices=(0, 1, 3))
    """1 grey, 3 BGR, 0 any."""
    mean_low: float = setting(8.0, low=0, high=255, unit="grey levels")
    """A darker mean is a black frame: light off, lens covered."""
    mean_high: float = setting(245.0, low=0, high=255, unit="grey levels")
    """A brighter mean is over-exposed."""
    min_contrast: float = setting(6.0, low=0, high=127, unit="grey levels")
    """Standard deviation at half size, where sensor noise alone gives 0.5 … 2."""
    min_sharpness: float = setting(0.32, low=0, high=1)
    """Edge steepness, see `sharpness`; 0 switches the focus check off."""
    detect_frozen: bool = setting(True)
    """Two frames of a real sensor are never equal to the bit; simulated ones may be."""
    accept_blank: bool = setting(False)
    """White and contrast-free frames are expected; black ones are still refused."""

    def __post_init__(self) -> None:
        if self.mean_low >= self.mean_high:
            raise ValueError("mean_low must be below mean_high")
