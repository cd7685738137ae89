"""The alarm tone: made here, played by the browser, until someone acknowledges."""

import base64
import io
import wave
from functools import lru_cache

import numpy as np

from common.screen.markup import Html, element

RATE = 8000  # Hz; enough for the tones below
PERIOD_S = 2.0
TONES = {1: (880.0, 3), 2: (587.3, 2)}
"""Priority → frequency (Hz) and how many pulses in a period."""


@lru_cache(maxsize=4)
def tone(priority: int) -> bytes:
    """One period of a priority's tone as a WAV file: pulses with soft edges, then silence."""
    frequency, pulses = TONES[priority]
    time = np.arange(int(RATE * 0.18)) / RATE
    edge = np.clip(np.minimum(time, time[-1] - time) / 0.015, 0.0, 1.0)
    pulse = edge * (
        np.sin(2 * np.pi * frequency * time) + 0.4 * np.sin(4 * np.pi * frequency * time)
    )
    period = np.zeros(int(RATE * PERIOD_S))
    for number in range(pulses):
        start = int(number * 0.27 * RATE)
        period[start : start + len(pulse)] = pulse
    samples = (period / 1.4 * 0.8 * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    return file.getvalue()


@lru_cache(maxsize=4)
def player(priority: int) -> Html:
    """Plays a priority's tone over and over.

    Its controls are shown: a browser that does not let a page sound before it was touched
    shows it paused, instead of a silence that looks like sound.
    """
    address = f"data:audio/wav;base64,{base64.b64encode(tone(priority)).decode()}"
    return element(
        "audio",
        src=address,
        autoplay="autoplay",
        loop="loop",
        controls="controls",
        cls="ls-sound",
    )
