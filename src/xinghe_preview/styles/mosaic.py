"""Styles made of pieces: Lowpoly, Pixel Art, Texture."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from xinghe_preview.styles.style import Levels, Style, graded, grain, image_of, pixels

ACROSS = 56
"""Low-poly cells on the longer side."""
DOTS = 112
"""Pixels of pixel art on the shorter side."""
PALETTE = 40


class Lowpoly(Style):
    """A net of triangles, each of one colour."""

    def finish(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        cell = max(width, height) // ACROSS
        columns, rows = width // cell + 2, height // cell + 2
        jitter = cell * 2 // 5
        net = [
            [
                (
                    x * cell + self.random.randrange(-jitter, jitter + 1) - cell // 2,
                    y * cell + self.random.randrange(-jitter, jitter + 1) - cell // 2,
                )
                for x in range(columns + 1)
            ]
            for y in range(rows + 1)
        ]
        soft = image.filter(ImageFilter.BoxBlur(max(1, cell // 6)))
        values = np.asarray(graded(pixels(soft), Levels(saturation=115)))
        drawn = image.copy()
        draw = ImageDraw.Draw(drawn)
        for y in range(rows):
            for x in range(columns):
                a, b, c, d = net[y][x], net[y][x + 1], net[y + 1][x], net[y + 1][x + 1]
                halves = ((a, b, c), (b, d, c)) if (x + y) % 2 else ((a, b, d), (a, d, c))
                for number, triangle in enumerate(halves):
                    at_x = min(max(sum(point[0] for point in triangle) // 3, 0), width - 1)
                    at_y = min(max(sum(point[1] for point in triangle) // 3, 0), height - 1)
                    shade = (94, 107)[number] + self.random.randrange(-3, 4)
                    red, green, blue = (
                        min(255, max(0, int(part) * shade // 100)) for part in values[at_y, at_x]
                    )
                    draw.polygon(triangle, fill=(red, green, blue))
        return drawn


class PixelArt(Style):
    """Large square pixels of few colours."""

    def finish(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        times = max(2, min(width, height) // DOTS)
        small = image.resize((-(-width // times), -(-height // times)), Image.Resampling.BOX)
        crisp = image_of(graded(pixels(small), Levels(saturation=120, contrast=112)))
        few = crisp.quantize(PALETTE, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert(
            "RGB"
        )
        large = few.resize((few.width * times, few.height * times), Image.Resampling.NEAREST)
        return large.crop((0, 0, width, height))


class Texture(Style):
    """Painted on canvas: threads across and down, paint that is uneven."""

    def finish(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        values = pixels(
            image.filter(ImageFilter.ModeFilter(5)) if width * height < 1_200_000 else image
        )
        pitch = max(4, min(width, height) // 200)
        y, x = np.ogrid[:height, :width]
        over = ((x // pitch) + (y // pitch)) % 2 == 0
        across, down = x % pitch, y % pitch
        bend = np.where(over, down * (pitch - down), across * (pitch - across))
        weave = bend * 60 // (pitch * pitch) - 9
        rough = grain(self.random, width, height, 13)
        return image_of(values + (weave * 2 + rough)[..., None])
