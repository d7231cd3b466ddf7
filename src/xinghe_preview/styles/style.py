"""What a style may do to a picture, and what it has to do it with."""

from __future__ import annotations

from random import Random

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

Pixels = NDArray[np.int32]
"""Height × width × 3, 0 to 255; integers, so that every machine computes the same."""


class Style:
    """A treatment; each part may be left as it is. `key` is all that chance may depend on."""

    def __init__(self, key: str) -> None:
        self.random = Random(key)  # noqa: S311 - the same picture for the same seed is the aim

    def behind(self, image: Image.Image) -> Image.Image:
        """The background in RGB, before anything stands on it."""
        return image

    def thing(self, drawn: Image.Image) -> Image.Image:
        """One drawing in RGBA; it may grow by the same on all sides."""
        return drawn

    def finish(self, image: Image.Image) -> Image.Image:
        """The whole picture in RGB."""
        return image


class Levels(msgspec.Struct, frozen=True):
    """Percentages: of the distance to grey, and of the distance to middle light."""

    saturation: int = 100
    contrast: int = 100


def pixels(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB")).astype(np.int32)


def image_of(values: Pixels) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def graded(values: Pixels, levels: Levels) -> Pixels:
    if levels.saturation != 100:
        grey = luma(values)[..., None]
        values = grey + (values - grey) * levels.saturation // 100
    if levels.contrast != 100:
        values = 128 + (values - 128) * levels.contrast // 100
    return values


def luma(values: Pixels) -> NDArray[np.int32]:
    """Rec. 601."""
    found: NDArray[np.int32] = (
        values[..., 0] * 77 + values[..., 1] * 150 + values[..., 2] * 29
    ) >> 8
    return found


def vignette(values: Pixels, strength: int) -> Pixels:
    """Darker towards the corners, there by `strength` percent."""
    height, width = values.shape[:2]
    x = (np.arange(width, dtype=np.int32) * 200 // max(1, width - 1) - 100) ** 2
    y = (np.arange(height, dtype=np.int32) * 200 // max(1, height - 1) - 100) ** 2
    far = np.maximum(0, x[None, :] + y[:, None] - 6000) * strength // 14000
    dimmed: Pixels = values * (100 - far)[..., None] // 100
    return dimmed


def grain(random: Random, width: int, height: int, amount: int) -> NDArray[np.int32]:
    """Noise from -amount to +amount, one value a pixel; a tile of it is repeated."""
    side = 512
    noise = np.frombuffer(random.randbytes(side * side), np.uint8).astype(np.int32)
    tile = (noise.reshape(side, side) - 128) * amount // 128
    return np.tile(tile, (height // side + 1, width // side + 1))[:height, :width]


def spread(mask: Image.Image, reach: int, *, lowest: bool = False) -> Image.Image:
    """The highest (or lowest) value within `reach` pixels across and down, channel by channel.

    In steps that double, which at these sizes is far quicker than a rank filter.
    """
    values = np.asarray(mask)
    pick = np.minimum if lowest else np.maximum
    for axis in (0, 1):
        length = values.shape[axis]
        padding = [(reach, reach) if at == axis else (0, 0) for at in range(values.ndim)]
        values = np.pad(values, padding, mode="edge")
        window = 1
        while window < 2 * reach + 1:
            step = min(window, 2 * reach + 1 - window)
            size = values.shape[axis] - step
            values = pick(_cut(values, axis, 0, size), _cut(values, axis, step, size))
            window += step
        values = _cut(values, axis, 0, length)
    return Image.fromarray(np.ascontiguousarray(values))


def _cut(values: NDArray[np.uint8], axis: int, start: int, size: int) -> NDArray[np.uint8]:
    return values[start : start + size] if axis == 0 else values[:, start : start + size]


def edges(image: Image.Image, thickness: int) -> Image.Image:
    """How much the light changes within `thickness` pixels: 0 to 255, any of the three colours."""
    soft = image.filter(ImageFilter.BoxBlur(1))
    change = ImageChops.subtract(spread(soft, thickness), spread(soft, thickness, lowest=True))
    red, green, blue = change.split()
    return ImageChops.lighter(red, ImageChops.lighter(green, blue))


def outlined(drawn: Image.Image, ink: tuple[int, int, int], thickness: int) -> Image.Image:
    """A drawing with lines of `ink` around it and between its parts."""
    lines = edges(drawn.convert("RGB"), max(1, thickness // 2))
    lines = lines.point([255 if value > 40 else 0 for value in range(256)])
    mask = drawn.getchannel("A")
    room = Image.new("RGBA", (drawn.width + 2 * thickness, drawn.height + 2 * thickness))
    grown = Image.new("L", room.size)
    grown.paste(mask, (thickness, thickness))
    grown = spread(grown, thickness)
    room.paste((*ink, 255), (0, 0), grown)
    inner = drawn.copy()
    inner.paste((*ink, 255), (0, 0), ImageChops.multiply(lines, mask))
    room.paste(inner, (thickness, thickness), mask)
    return room
