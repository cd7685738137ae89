"""When a run to failure began to change, in hindsight and by plain octave levels alone."""

import numpy as np
from scipy.ndimage import median_filter

from apps.predictive_maintenance.vibration import Measured
from common.inference.waveforms import BANDS

ONSET_SMOOTHING = 0.02
"""Of the run: the median that takes the noise out of its levels."""


def onset(measured: list[Measured], learned: int) -> int:
    """The first window after which the run never again looks as in its healthy time.

    Octave levels of all axes, smoothed over a fiftieth of the run; how far they lie from
    their mean over the second half of the healthy time (the first is warm-up), in standard
    deviations of single windows, root mean square over the octaves. The onset follows the
    last window that is no farther than the farthest healthy one.
    """
    bands = np.stack([figures.features[:, :BANDS] for figures in measured]).astype(np.float64)
    with np.errstate(invalid="ignore"):
        octaves = np.logaddexp(bands[:, :, 0::2], bands[:, :, 1::2]).reshape(len(bands), -1)
    octaves = octaves[:, np.isfinite(octaves).all(axis=0)]
    width = max(11, round(ONSET_SMOOTHING * len(octaves))) | 1
    smooth = median_filter(octaves, size=(width, 1), mode="nearest")
    usual = slice(learned // 2, learned)
    scatter = np.maximum(octaves[usual].std(axis=0), 1e-6)
    z = (smooth - smooth[usual].mean(axis=0)) / scatter
    far = np.sqrt(np.mean(z**2, axis=1))
    as_healthy = np.flatnonzero(far <= far[usual].max())
    return int(min(as_healthy[-1] + 1, len(far) - 1))
