"""How long something has been so: the arithmetic of every delay on the ward."""

import numpy as np

from apps.patient_monitoring.domain import Array


def since(began: Array, there: Array, now: float) -> Array:
    """When what is there `now` began, in s; NaN where it is not there."""
    return np.where(there, np.where(np.isfinite(began), began, now), np.nan)
