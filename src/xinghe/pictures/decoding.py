"""A picture's pixels, upright and on an opaque ground, small enough to work on."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps

from xinghe.pictures.opening import FETCHED

ENOUGH = 16_000_000
"""Pixels; a larger picture is halved while it is read, or right after."""


def decode(data: bytes) -> tuple[Image.Image, tuple[int, int]]:
    """An RGB image, and the full (width, height) that it stands for.

    Rotated as EXIF says; 16-bit grey is brought down to 8; what is transparent stands on white,
    or on black where the rest is bright. Raises what Pillow raises for a damaged file.
    """
    Image.MAX_IMAGE_PIXELS = None  # `open_picture` has judged the size
    with Image.open(io.BytesIO(data), formats=FETCHED) as image:
        full = image.size
        image.draft(None, (2400, 2400))  # a JPEG is decoded at half, a quarter or an eighth
        image.load()
        upright: Image.Image = ImageOps.exif_transpose(image)
        quarter_turned = image.getexif().get(0x0112, 1) >= 5
    opaque = _opaque(_eight_bit(_smaller(upright)))
    return opaque, (full[::-1] if quarter_turned else full)


def _smaller(image: Image.Image) -> Image.Image:
    factor = 1
    while image.width * image.height > ENOUGH * factor * factor:
        factor += 1
    if factor == 1:
        return image
    if image.mode in {"1", "P"} or image.mode.startswith("I"):
        return image.resize((-(-image.width // factor), -(-image.height // factor)))
    return image.reduce(factor)


def _eight_bit(image: Image.Image) -> Image.Image:
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    return Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8), "L")


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    pixels = np.asarray(layered)
    seen = pixels[pixels[..., 3] > 127][:, :3]
    ground = "black" if seen.size and seen.mean() > 170 else "white"
    return Image.alpha_composite(Image.new("RGBA", layered.size, ground), layered).convert("RGB")
