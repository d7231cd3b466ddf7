"""Styles with lines: Anime, Comic Book, Line Art, Neonpunk."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from xinghe_preview.styles.style import (
    Levels,
    Style,
    edges,
    graded,
    image_of,
    luma,
    outlined,
    pixels,
)

INK = (28, 24, 38)


class Anime(Style):
    """Two tones a colour, thin ink, a bright sky with rays of light."""

    def behind(self, image: Image.Image) -> Image.Image:
        values = graded(pixels(image), Levels(saturation=135)) + 10
        lit = image_of(values).convert("RGBA")
        rays = Image.new("RGBA", image.size)
        draw = ImageDraw.Draw(rays)
        width, height = image.size
        for number in range(7):
            x = width * (number * 2 - 3) // 8
            draw.polygon(
                [(width, -height // 5), (x, height), (x + width // 9, height)],
                fill=(255, 255, 255, 26),
            )
        lit.alpha_composite(rays)
        return lit.convert("RGB")

    def thing(self, drawn: Image.Image) -> Image.Image:
        side = drawn.width
        alpha = drawn.getchannel("A")
        cel = Image.new("L", drawn.size, 0)
        cel.paste(alpha, (-side // 14, -side // 14))
        dark = ImageChops.subtract(alpha, cel)
        shaded = drawn.copy()
        shaded.paste(
            Image.blend(drawn.convert("RGB"), Image.new("RGB", drawn.size, (70, 40, 120)), 0.28),
            (0, 0),
            dark,
        )
        shaded.putalpha(alpha)
        return outlined(shaded, INK, max(1, side // 160))


class ComicBook(Style):
    """Thick ink, halftone dots in the shadows and the sky, strong colours."""

    def thing(self, drawn: Image.Image) -> Image.Image:
        return outlined(drawn, INK, max(2, drawn.width // 70))

    def finish(self, image: Image.Image) -> Image.Image:
        values = graded(pixels(image), Levels(saturation=140, contrast=118))
        values = values // 32 * 32 + 16
        height, width = values.shape[:2]
        pitch = max(6, min(width, height) // 110)
        y, x = np.ogrid[:height, :width]
        x, y = x + y, x - y
        across, down = x % (2 * pitch) - pitch, y % (2 * pitch) - pitch
        reach = (255 - luma(values)) * pitch * pitch // 255
        dots = across * across + down * down < reach
        inked = np.where(dots[..., None], values * 80 // 100, values)
        return image_of(inked)


class LineArt(Style):
    """Ink on paper; a thin wash tells the colours."""

    def finish(self, image: Image.Image) -> Image.Image:
        thick = max(1, min(image.size) // 420)
        lines = edges(image, thick).point(
            [0 if value < 22 else min(255, 90 + value * 2) for value in range(256)]
        )
        lines = lines.filter(ImageFilter.BoxBlur(max(1, thick // 2)))
        wash = image_of(graded(pixels(image), Levels(saturation=125)) * 26 // 100 + 187)
        wash.paste((24, 24, 30), (0, 0), lines)
        return wash


class Neonpunk(Style):
    """Night, with lines that shine in the colour of what they bound."""

    def finish(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        thick = max(1, min(image.size) // 380)
        values = pixels(image)
        dark = values * 24 // 100
        tint = np.arange(height, dtype=np.int32)[:, None] * 60 // height
        dark[..., 0] += 52 - tint // 2
        dark[..., 2] += 46 + tint // 3
        bright = graded(values, Levels(saturation=260, contrast=130))
        peak = np.maximum(np.clip(bright, 0, 255).max(axis=2), 1)[..., None]
        bright = np.clip(bright, 0, 255) * 255 // peak
        mask = edges(image, thick).point(
            [0 if value < 24 else min(255, value * 3) for value in range(256)]
        )
        shine = Image.composite(image_of(bright), Image.new("RGB", image.size), mask)
        small = shine.reduce(4).filter(ImageFilter.BoxBlur(max(1, thick)))
        glow = small.filter(ImageFilter.BoxBlur(max(2, thick * 3))).resize(
            (width, height), Image.Resampling.BILINEAR
        )
        return ImageChops.add(
            ImageChops.add(image_of(dark), glow.point(lambda value: min(255, value * 2))), shine
        )
