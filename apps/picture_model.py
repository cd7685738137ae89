"""The network of an app that looks at pictures, and OpenCV that leaves it the processor."""

from pathlib import Path

import cv2

from common.inference.selection import Choice, open_model_of
from common.station_settings import CameraModel
from hardware import catalog


def open_picture_model(settings: CameraModel, path: Path) -> Choice:
    """The model that `settings` of the file `path` name.

    From here on OpenCV works in the thread that asks it: the network's threads want the
    cores, and on a busy one waiting for a second thread costs more than it brings.
    """
    cv2.setNumThreads(1)
    return open_model_of(settings, path, catalog.opener_for(settings.depth))
