"""The background: sky, ground, what falls from above, and what stands far away."""

from __future__ import annotations

from random import Random

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from xinghe_preview import nature
from xinghe_preview.composition import Composition
from xinghe_preview.figures import coloured
from xinghe_preview.sprites import sprite
from xinghe_preview.vocabulary import Colour, Place, vocabulary

HORIZON = 0.62
"""Of the height."""
HAZE = 38
"""How far things at the horizon go over into the sky's colour, in percent."""
STUDIO: tuple[tuple[Colour, Colour], ...] = (
    ((176, 208, 230), (214, 230, 240)),
    ((236, 214, 186), (246, 232, 214)),
    ((190, 216, 190), (222, 236, 220)),
    ((208, 196, 228), (230, 222, 240)),
    ((232, 196, 204), (244, 222, 226)),
)
"""Where a prompt names no place, one of these by the seed: wall from above to below."""


def scene(composition: Composition) -> Place:
    """The named places as one: the ground of the first, the light of the last that brings some."""
    places = [vocabulary().places[key] for key in composition.places]
    if not places:
        return Place(sky=STUDIO[0], ground=STUDIO[0], indoor=True)
    lights = [key for key in composition.places if key in LIGHTS]
    grounds = [key for key in composition.places if key not in LIGHTS]
    ground = vocabulary().places[grounds[0] if grounds else lights[-1]]
    light = vocabulary().places[lights[-1]] if lights else ground
    props = [prop for place in (ground, light) for prop in place.props.split(",") if prop]
    dark = bool(lights) and grounds != [] and light.stars
    return msgspec.structs.replace(
        ground,
        sky=light.sky,
        ground=(_dimmed(ground.ground[0]), _dimmed(ground.ground[1])) if dark else ground.ground,
        props=",".join(prop for prop in dict.fromkeys(props) if prop not in composition.barred),
        stars=any(place.stars for place in places),
        falls=next((place.falls for place in places if place.falls), None),
    )


LIGHTS = {"night", "space", "sunset", "sunrise", "rainy", "sky"}
"""Places that say more of the light than of the ground."""


def _dimmed(colour: Colour) -> Colour:
    red, green, blue = colour
    return (red * 2 // 5, green * 2 // 5, blue // 2 + 12)


def background(composition: Composition, width: int, height: int, seed: int) -> Image.Image:
    """The scene without its subjects, in RGB."""
    random = Random(seed ^ 0x5CE7E)  # noqa: S311 - the same seed, the same picture
    place = scene(composition)
    horizon = int(height * HORIZON)
    if composition.backdrop:
        paint = vocabulary().colours[composition.backdrop].rgb
        return _gradient(paint, tuple(part * 9 // 10 for part in paint), width, height)
    if not composition.places:
        above, below = STUDIO[seed % len(STUDIO)]
        image = _gradient(above, below, width, height)
        floor = _gradient(
            tuple(part * 92 // 100 for part in above),
            tuple(part * 80 // 100 for part in above),
            width,
            height - horizon,
        )
        image.paste(floor, (0, horizon))
        return image.filter(ImageFilter.BoxBlur(max(2, height // 90)))
    image = _gradient(*place.sky, width, height)
    image.paste(_gradient(*place.ground, width, height - horizon), (0, horizon))
    draw = ImageDraw.Draw(image)
    if place.stars:
        nature.stars(draw, width, horizon, random)
    elif not place.indoor and not place.deep:
        nature.clouds(image, place, width, horizon, random)
    _props(image, place, horizon, random, composition)
    if place.shore:
        nature.shore(image, place, horizon, random)
    elif place.water:
        nature.waves(draw, place, width, height, horizon, random)
    elif place.indoor:
        nature.boards(draw, place, width, height, horizon)
    else:
        nature.tufts(draw, place, width, height, horizon, random)
    return image


def _gradient(
    above: tuple[int, ...], below: tuple[int, ...], width: int, height: int
) -> Image.Image:
    rows = np.arange(height, dtype=np.int32)[:, None]
    top, bottom = np.array(above, np.int32), np.array(below, np.int32)
    column = top + (bottom - top) * rows // max(1, height - 1)
    filled: NDArray[np.uint8] = np.repeat(column[:, None, :].astype(np.uint8), width, axis=1)
    return Image.fromarray(filled)


def _props(
    image: Image.Image, place: Place, horizon: int, random: Random, composition: Composition
) -> None:
    """What belongs to a place stands far off, in the haze, away from the middle."""
    named = {item.subject for item in composition.items}
    width = image.width
    table = vocabulary()
    for key in place.props.split(","):
        if not key or key in named:
            continue
        subject = table.subjects[key]
        aloft = subject.kind == "sky" and key != "globe"
        near = subject.kind in {"plant", "object"} and subject.tall <= 1.2
        for number in range(1 if aloft or key == "globe" else 4):
            tall = table.height(key) * width / (9 if near else 6.5)
            side = max(8, int(min(tall, horizon * 0.8) * (0.85 + 0.3 * random.random())))
            x = int(width * ((number + 0.1 + 0.8 * random.random()) / 4)) - side // 2
            y = horizon - side + side // 12 + (random.randrange(image.height // 10) if near else 0)
            if aloft:
                x, y = int(width * (0.08 + 0.7 * random.random())), int(horizon * 0.08)
            if place.indoor and subject.kind == "object":
                x, y = [width // 14, width * 13 // 14 - side][number % 2], horizon // 2 - side // 2
            if place.indoor and number > 1:
                break
            drawn = sprite(coloured(subject.figure, subject.coat, subject.colours()), side)
            haze = Image.new("RGB", drawn.size, place.sky[1])
            alpha = drawn.getchannel("A")
            flat = Image.blend(drawn.convert("RGB"), haze, 0 if aloft else HAZE / 100)
            image.paste(flat, (x, y), alpha)


def falling(image: Image.Image, composition: Composition, seed: int) -> None:
    """Snow, rain or leaves before everything else."""
    kind = scene(composition).falls
    if kind is None or composition.backdrop:
        return
    random = Random(seed ^ 0xFA11)  # noqa: S311 - the same seed, the same picture
    width, height = image.size
    unit = max(2, min(width, height) // 150)
    draw = ImageDraw.Draw(image)
    for _ in range(130):
        x, y = random.randrange(width), random.randrange(height)
        size = unit * random.choice((1, 1, 2))
        if kind == "snow":
            draw.ellipse((x, y, x + size, y + size), fill=(252, 253, 255))
        elif kind == "rain":
            draw.line((x, y, x - size, y + 6 * size), fill=(196, 212, 232), width=max(1, unit // 3))
        elif random.random() < 0.4:
            colour = random.choice(((214, 120, 40), (190, 80, 36), (230, 170, 60)))
            draw.ellipse((x, y, x + 2 * size, y + size), fill=colour)
