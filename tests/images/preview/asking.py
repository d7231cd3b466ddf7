"""Requests for previews, small where the size does not matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xinghe.images.preview.canvas import picture
from xinghe.images.preview.reading import compose
from xinghe.images.protocol import ImageParams


def asked(
    prompt: str,
    *,
    negative: str = "",
    size: tuple[int, int] = (320, 320),
    style: str = "Base",
    seed: int = 7,
    n: int = 1,
) -> ImageParams:
    return ImageParams(
        prompt=prompt,
        negative_prompt=negative,
        width=size[0],
        height=size[1],
        steps=20,
        sampler="Euler a",
        style=style,
        seed=seed,
        cfg_scale=5.0,
        n=n,
    )


def drawn(request: ImageParams) -> Image.Image:
    return picture(request, compose(request), request.seed, lambda percent: None)


def near(image: Image.Image, colour: tuple[int, int, int], reach: int = 24) -> NDArray[np.bool_]:
    """Where the picture has about that colour, each part within `reach`."""
    apart = np.abs(np.asarray(image.convert("RGB")).astype(int) - np.array(colour))
    found: NDArray[np.bool_] = apart.max(axis=2) <= reach
    return found


def share(mask: NDArray[np.bool_]) -> float:
    return float(mask.mean())
