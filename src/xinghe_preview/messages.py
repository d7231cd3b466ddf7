"""What the worker is asked, and what it tells."""

from __future__ import annotations

import msgspec

PERCENT = 100
"""Progress is told in hundredths of an image, over all images."""


class PreviewRequest(msgspec.Struct, frozen=True):
    """The images of one request, one a seed; the fields are those of the documented API.

    The reply is a list of PNG files.
    """

    prompt: str
    negative_prompt: str
    width: int
    height: int
    steps: int
    sampler: str
    style: str
    cfg_scale: float
    seeds: list[int]
