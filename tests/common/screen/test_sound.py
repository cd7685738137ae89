"""The alarm tone is a sound a browser can play."""

import io
import wave

import numpy as np
import pytest

from common.screen.sound import PERIOD_S, RATE, TONES, player, tone


@pytest.mark.parametrize("priority", TONES)
def test_a_tone_sounds_then_is_silent_and_does_not_clip(priority: int) -> None:
    with wave.open(io.BytesIO(tone(priority))) as file:
        assert file.getframerate() == RATE
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    assert len(samples) == RATE * PERIOD_S
    assert 8_000 < np.abs(samples).max() < 32_767
    assert not samples[-RATE // 2 :].any()
    assert np.abs(np.diff(samples)).max() < 30_000  # soft edges: no click


def test_priorities_sound_different() -> None:
    assert tone(1) != tone(2)


def test_the_player_repeats_and_shows_whether_it_plays() -> None:
    drawn = player(1)
    assert drawn.startswith("<audio ")
    assert "data:audio/wav;base64," in drawn
    assert all(way in drawn for way in ("autoplay", "loop", "controls"))
