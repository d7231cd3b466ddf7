"""What the engine and its worker say to each other."""

from __future__ import annotations

PERCENT = 100
"""The worker tells its progress in hundredths of an image, over all images."""
