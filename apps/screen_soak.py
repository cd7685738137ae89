"""Memory over time: what a page that nobody ever closes costs its server and its browser.

server_mb        of the screen server at the start and at the end
server_mb_per_h  slope of a straight line through the samples after the first tenth
page_mb          of the page's script objects, after a collection where the browser has one
nodes            of the document
flat             the slope is below FLAT_MB_PER_H, or the time too short to say otherwise
"""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.browser import ScreenServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

SAMPLES = 60
FLAT_MB_PER_H = 5.0
"""A panel that runs for a month would take less than the disk cache of its system."""
SHORT_S = 1800.0
"""Below half an hour the slope is that of caches filling."""
SHORT_MB = 20.0
"""What they may take in that time."""
PAGE = "[performance.memory ? performance.memory.usedJSHeapSize / 1e6 : null,"
PAGE += " document.getElementsByTagName('*').length]"


def soak(page: "Page", server: ScreenServer, seconds: float) -> dict[str, Any]:
    """Watch for that long, a sample a minute or more often."""
    start = time.monotonic()
    step = min(60.0, max(1.0, seconds / SAMPLES))
    samples = [(0.0, server.rss_mb())]
    before = page.evaluate(PAGE)
    while time.monotonic() - start < seconds:
        time.sleep(step)
        samples.append((time.monotonic() - start, server.rss_mb()))
    after = page.evaluate(PAGE)
    slope = mb_per_h(samples)
    return {
        "seconds": seconds,
        "server_mb": [round(samples[0][1], 1), round(samples[-1][1], 1)],
        "server_mb_per_h": None if slope is None else round(slope, 2),
        "page_mb": [None if mb is None else round(mb, 1) for mb in (before[0], after[0])],
        "nodes": [before[1], after[1]],
        "flat": is_flat(samples),
    }


def mb_per_h(samples: list[tuple[float, float]]) -> float | None:
    """The slope of (s, MB) after the first tenth of the time; None with too few samples."""
    late = [sample for sample in samples if sample[0] >= samples[-1][0] / 10]
    if len(late) < 3:
        return None
    times, sizes = np.array(late).T
    return float(np.polyfit(times / 3600, sizes, 1)[0])


def is_flat(samples: list[tuple[float, float]]) -> bool:
    """Whether memory does not grow, as far as samples of that time can tell."""
    slope = mb_per_h(samples)
    if samples[-1][0] < SHORT_S or slope is None:
        return samples[-1][1] - samples[0][1] < SHORT_MB
    return slope < FLAT_MB_PER_H
