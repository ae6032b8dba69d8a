"""Colours for dark pages: the same hue, light enough to be read there."""

from __future__ import annotations

WANTED = 0.34  # relative luminance that stands out on a dark page
STEPS = 100


def for_dark(color: str) -> str:
    """Return a colour (#RRGGBB) mixed with as much white as a dark page needs."""
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    for step in range(STEPS + 1):
        mixed = [value + (1 - value) * step / STEPS for value in channels]
        if luminance(mixed) >= WANTED:
            break
    return "#" + "".join(f"{round(255 * value):02X}" for value in mixed)


def luminance(channels: list[float]) -> float:
    """Return the relative luminance (WCAG 2) of red, green and blue in [0, 1]."""
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
