"""Styles that give depth to each thing: 3D Model, Craft Clay, Isometric, Origami."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from xinghe_preview.styles.style import (
    Levels,
    Style,
    graded,
    grain,
    image_of,
    pixels,
    spread,
    vignette,
)

LAYERS = 32
"""Copies of a drawing, one beside the other, that make a slab."""


def lit(drawn: Image.Image, depth: int, strength: int) -> Image.Image:
    """Rounded as by a light from the upper left; `depth` pixels of the edge curve away."""
    alpha = drawn.getchannel("A")
    room = Image.new("L", (alpha.width + 4 * depth, alpha.height + 4 * depth))
    room.paste(alpha, (2 * depth, 2 * depth))
    soft = room.filter(ImageFilter.BoxBlur(depth)).filter(ImageFilter.BoxBlur(depth // 2 + 1))
    height = np.asarray(soft).astype(np.int32)
    step = max(1, depth // 2)
    towards = np.roll(height, (-step, -step), (0, 1)) - np.roll(height, (step, step), (0, 1))
    towards = towards[2 * depth : 2 * depth + alpha.height, 2 * depth : 2 * depth + alpha.width]
    values = pixels(drawn) + (towards * strength // 100)[..., None]
    solid = image_of(values)
    solid.putalpha(alpha)
    return solid


class Model3D(Style):
    """Smooth bodies with a light and a shade, in a soft studio."""

    def thing(self, drawn: Image.Image) -> Image.Image:
        round_ = lit(drawn, max(3, drawn.width // 14), 75)
        return lit(round_, max(2, drawn.width // 60), 45)

    def behind(self, image: Image.Image) -> Image.Image:
        return image.filter(ImageFilter.BoxBlur(max(2, min(image.size) // 120)))

    def finish(self, image: Image.Image) -> Image.Image:
        return image_of(vignette(graded(pixels(image), Levels(contrast=108)), 24))


class CraftClay(Style):
    """Kneaded: rounded corners, a matt light, the dents of fingers."""

    def thing(self, drawn: Image.Image) -> Image.Image:
        side = drawn.width
        small = drawn.reduce(max(1, side // 200))
        soft = small.filter(ImageFilter.ModeFilter(7)).resize(drawn.size, Image.Resampling.BICUBIC)
        alpha = soft.getchannel("A").point(
            [255 if value > 140 else value * 3 // 2 for value in range(256)]
        )
        soft.putalpha(alpha)
        return lit(soft, max(4, side // 20), 62)

    def finish(self, image: Image.Image) -> Image.Image:
        values = graded(pixels(image), Levels(saturation=88, contrast=96))
        height, width = values.shape[:2]
        coarse = grain(self.random, width // 12 + 2, height // 12 + 2, 90) + 128
        dents = image_of(np.repeat(coarse[..., None], 3, axis=2)).convert("L")
        dents = dents.filter(ImageFilter.BoxBlur(1)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        relief = np.asarray(dents).astype(np.int32)
        relief = relief - np.roll(relief, (3, 3), (0, 1))
        warm = np.array([6, 2, -4], np.int32)
        return image_of(values + relief[..., None] + warm)


class Isometric(Style):
    """A grid of tiles seen from above at an angle; every thing is a thick slab."""

    def behind(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        values = pixels(image.reduce(8).filter(ImageFilter.BoxBlur(4)).resize(image.size))
        tile = max(24, min(width, height) // 9)
        y, x = np.ogrid[:height, :width]
        one, other = (x + 2 * y) // tile, (x - 2 * y) // tile
        rest_one, rest_other = (x + 2 * y) % tile, (x - 2 * y) % tile
        line = max(1, tile // 40)
        checked = ((one + other) % 2) * 14 - 7
        values = values + checked[..., None]
        values = np.where(
            ((rest_one < line) | (rest_other < line))[..., None], values * 84 // 100, values
        )
        return image_of(values)

    def thing(self, drawn: Image.Image) -> Image.Image:
        depth = max(4, drawn.width // 13)
        room = Image.new("RGBA", (drawn.width + 2 * depth, drawn.height + 2 * depth))
        side = image_of(pixels(drawn) * 58 // 100)
        side.putalpha(drawn.getchannel("A"))
        for step in range(depth, 0, -max(1, depth // LAYERS)):
            room.paste(side, (depth + step, depth - step // 2), side)
        room.paste(drawn, (depth, depth), drawn)
        return room


class Origami(Style):
    """Folded paper: flat facets with creases, white edges, a shadow beneath."""

    def thing(self, drawn: Image.Image) -> Image.Image:
        side = drawn.width
        folds = Image.new("L", drawn.size, 128)
        draw = ImageDraw.Draw(folds)
        cells = 5
        points = [
            [
                (
                    (x * side + self.random.randrange(-side // 4, side // 4) * (0 < x < cells))
                    // cells,
                    (y * side + self.random.randrange(-side // 4, side // 4) * (0 < y < cells))
                    // cells,
                )
                for x in range(cells + 1)
            ]
            for y in range(cells + 1)
        ]
        for y in range(cells):
            for x in range(cells):
                a, b = points[y][x], points[y][x + 1]
                c, d = points[y + 1][x], points[y + 1][x + 1]
                for triangle in ((a, b, c), (b, d, c)):
                    draw.polygon(triangle, fill=self.random.randrange(88, 172))
        shades = np.asarray(folds).astype(np.int32) - 128
        alpha = drawn.getchannel("A")
        folded = image_of(pixels(drawn) + shades[..., None] * 62 // 100)
        folded.putalpha(alpha)
        edge = max(2, side // 90)
        room = Image.new("RGBA", (side + 4 * edge, drawn.height + 4 * edge))
        mask = Image.new("L", room.size)
        mask.paste(alpha, (2 * edge, 2 * edge))
        paper = spread(mask, edge)
        dark = Image.new("L", room.size)
        dark.paste(paper.point([value * 2 // 5 for value in range(256)]), (edge, 2 * edge))
        room.putalpha(dark.filter(ImageFilter.BoxBlur(edge)))
        room.paste((250, 249, 244, 255), (0, 0), paper)
        room.paste(folded, (2 * edge, 2 * edge), alpha)
        return room

    def finish(self, image: Image.Image) -> Image.Image:
        values = pixels(image)
        return image_of(values + grain(self.random, image.width, image.height, 7)[..., None])
