"""Requests for previews, small where the size does not matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xinghe_preview.canvas import picture
from xinghe_preview.messages import PreviewRequest
from xinghe_preview.reading import compose


def asked(
    prompt: str,
    *,
    negative: str = "",
    size: tuple[int, int] = (320, 320),
    style: str = "Base",
    seed: int = 7,
) -> PreviewRequest:
    return PreviewRequest(
        prompt=prompt,
        negative_prompt=negative,
        width=size[0],
        height=size[1],
        steps=20,
        sampler="Euler a",
        style=style,
        cfg_scale=5.0,
        seeds=[seed],
    )


def drawn(request: PreviewRequest) -> Image.Image:
    return picture(request, compose(request), request.seeds[0], lambda percent: None)


def near(image: Image.Image, colour: tuple[int, int, int], reach: int = 24) -> NDArray[np.bool_]:
    """Where the picture has about that colour, each part within `reach`."""
    apart = np.abs(np.asarray(image.convert("RGB")).astype(int) - np.array(colour))
    found: NDArray[np.bool_] = apart.max(axis=2) <= reach
    return found


def share(mask: NDArray[np.bool_]) -> float:
    return float(mask.mean())
