"""Styles of light: Analog Film, Cinematic, Digital Art, Enhance, Fantasy Art, Photographic."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from xinghe_preview.styles.solid import lit
from xinghe_preview.styles.style import (
    Levels,
    Style,
    graded,
    grain,
    image_of,
    luma,
    pixels,
    vignette,
)


def bloom(image: Image.Image, from_light: int, strength: int) -> Image.Image:
    """Light that spills over from what is brighter than `from_light`; `strength` in percent."""
    small = image.reduce(4)
    bright = small.point([max(0, value - from_light) * strength // 100 for value in range(256)] * 3)
    wide = max(2, min(small.size) // 24)
    spilled = bright.filter(ImageFilter.BoxBlur(wide)).filter(ImageFilter.BoxBlur(wide))
    return ImageChops.add(image, spilled.resize(image.size, Image.Resampling.BILINEAR))


class AnalogFilm(Style):
    """Faded blacks, warm light, grain, a light leak at the edge."""

    def finish(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        values = graded(pixels(image), Levels(saturation=76, contrast=86))
        values = values * np.array([104, 99, 86], np.int32) // 100 + np.array(
            [16, 11, 10], np.int32
        )
        leak = np.maximum(0, 100 - np.arange(width, dtype=np.int32) * 420 // width)
        values[..., 0] += leak * 70 // 100
        values[..., 1] += leak * 28 // 100
        values += grain(self.random, width, height, 26)[..., None]
        return image_of(vignette(values, 42))


class Cinematic(Style):
    """Shadows towards teal, lights towards orange, black bars."""

    def finish(self, image: Image.Image) -> Image.Image:
        values = graded(pixels(image), Levels(saturation=92, contrast=122))
        light = luma(values)
        values[..., 0] += (light - 120) * 24 // 128
        values[..., 2] -= (light - 110) * 30 // 128
        graded_image = image_of(vignette(values, 46))
        bar = image.height * 9 // 100
        draw = ImageDraw.Draw(graded_image)
        draw.rectangle((0, 0, image.width, bar), fill=(0, 0, 0))
        draw.rectangle((0, image.height - bar, image.width, image.height), fill=(0, 0, 0))
        return graded_image


class DigitalArt(Style):
    """Strong colours, a rim of light on each thing, glowing lights."""

    def thing(self, drawn: Image.Image) -> Image.Image:
        return lit(drawn, max(2, drawn.width // 40), 60)

    def finish(self, image: Image.Image) -> Image.Image:
        vivid = image_of(graded(pixels(image), Levels(saturation=142, contrast=112)))
        return bloom(vivid, 190, 60)


class Enhance(Style):
    """Clear: more contrast and sharper edges, nothing else."""

    def finish(self, image: Image.Image) -> Image.Image:
        clear = image_of(graded(pixels(image), Levels(saturation=118, contrast=114)))
        return clear.filter(ImageFilter.UnsharpMask(max(2, min(image.size) // 400), 130, 2))


class FantasyArt(Style):
    """Violet shadows, golden light from above, floating sparks."""

    def finish(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        values = graded(pixels(image), Levels(saturation=120, contrast=108))
        dark = np.maximum(0, 150 - luma(values))
        values[..., 0] += dark * 16 // 100
        values[..., 2] += dark * 34 // 100
        glow = np.maximum(0, 100 - np.arange(height, dtype=np.int32)[:, None] * 150 // height)
        values[..., 0] += glow * 44 // 100
        values[..., 1] += glow * 30 // 100
        magic = image_of(vignette(values, 38))
        draw = ImageDraw.Draw(magic)
        for _ in range(60):
            x, y = self.random.randrange(width), self.random.randrange(height)
            size = max(2, min(width, height) // self.random.choice((120, 160, 240)))
            points = [(x, y - size), (x + size // 4, y), (x, y + size), (x - size // 4, y)]
            draw.polygon(points, fill=(255, 244, 200))
            draw.polygon(
                [(x - size, y), (x, y + size // 4), (x + size, y), (x, y - size // 4)],
                fill=(255, 244, 200),
            )
        return bloom(magic, 205, 70)


class Photographic(Style):
    """The background out of focus, soft bodies, the curve of a sensor."""

    def behind(self, image: Image.Image) -> Image.Image:
        blurred = image.reduce(2).filter(ImageFilter.BoxBlur(max(2, min(image.size) // 130)))
        twice = blurred.filter(ImageFilter.BoxBlur(max(2, min(image.size) // 130)))
        return twice.resize(image.size, Image.Resampling.BILINEAR)

    def thing(self, drawn: Image.Image) -> Image.Image:
        return lit(drawn, max(3, drawn.width // 10), 58)

    def finish(self, image: Image.Image) -> Image.Image:
        values = graded(pixels(image), Levels(saturation=90, contrast=110))
        values += grain(self.random, image.width, image.height, 5)[..., None]
        return image_of(vignette(values, 34))
