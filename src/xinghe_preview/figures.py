"""The drawings: polygons in integers, and the same in another colour."""

from __future__ import annotations

import colorsys
from functools import cache, lru_cache
from importlib.resources import files

import msgspec
from PIL import Image, ImageDraw

from xinghe_preview.vocabulary import Colour, vocabulary

GRID = 2048
"""Width and height of every drawing in its own coordinates."""
HOLE = "o"
"""Begins a contour that is cut out."""
SKETCH = 64
"""Pixels a side of the sketch by which the share of each colour is told."""
EYES = (250, 214, 96)
"""What is black in a drawing stays visible on a dark coat as this."""


class Contour(msgspec.Struct, frozen=True):
    """A closed polygon, `x y x y …`; a `hole` is cut out of the shape that it belongs to."""

    points: tuple[int, ...]
    hole: bool


class Shape(msgspec.Struct, frozen=True):
    """Filled with one colour."""

    colour: Colour
    contours: tuple[Contour, ...]


Figure = tuple[Shape, ...]
"""Shapes from back to front."""


@cache
def _table() -> dict[str, msgspec.Raw]:
    data = files("xinghe_preview").joinpath("figures.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, msgspec.Raw])


@cache
def figure(name: str) -> Figure:
    """Raises `KeyError` for a name that figures.json does not hold."""
    return tuple(
        Shape(_rgb(colour), tuple(_contour(text) for text in contours))
        for colour, *contours in msgspec.json.decode(_table()[name], type=list[list[str]])
    )


def _rgb(text: str) -> Colour:
    digits = text.lstrip("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    return (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16))


def _contour(text: str) -> Contour:
    return Contour(tuple(map(int, text.removeprefix(HOLE).split())), text.startswith(HOLE))


@cache
def extent(name: str) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is drawn, of `GRID`."""
    points = [contour.points for shape in figure(name) for contour in shape.contours]
    across = [x for line in points for x in line[::2]]
    down = [y for line in points for y in line[1::2]]
    return min(across), min(down), max(across), max(down)


@cache
def shares(name: str) -> dict[Colour, int]:
    """The visible pixels of each colour in a sketch."""
    sketch = Image.new("L", (SKETCH, SKETCH), 0)
    shapes = figure(name)
    for number, shape in enumerate(shapes, 1):
        fill(sketch, shape, number)
    found: dict[Colour, int] = {}
    for number, count in enumerate(sketch.histogram()[1 : len(shapes) + 1]):
        colour = shapes[number].colour
        found[colour] = found.get(colour, 0) + count
    return found


def fill(image: Image.Image, shape: Shape, ink: int | Colour) -> None:
    """Fill a shape on an image as large as the drawing."""
    side = image.width
    if not any(contour.hole for contour in shape.contours):
        draw = ImageDraw.Draw(image)
        for contour in shape.contours:
            draw.polygon(_scaled(contour, side), fill=ink)
        return
    mask = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(mask)
    for contour in shape.contours:
        draw.polygon(_scaled(contour, side), fill=0 if contour.hole else 255)
    image.paste(ink, (0, 0), mask)


def _scaled(contour: Contour, side: int) -> list[tuple[int, int]]:
    numbers = [number * side // GRID for number in contour.points]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


@lru_cache(maxsize=64)
def coloured(name: str, coat: str, colours: tuple[str, ...]) -> Figure:
    """A drawing whose coat (the colour `coat`, or the one seen most) has the first of `colours`.

    Shades of the coat keep their distance to it, so that shading stays; a second colour goes to
    what is seen next most. Colours are keys of the vocabulary.
    """
    shapes = figure(name)
    if not colours or coat == "none":
        return shapes
    seen = sorted(shares(name).items(), key=lambda pair: -pair[1])
    main = _rgb(coat) if coat else seen[0][0]
    paint = vocabulary().colours[colours[0]].rgb
    turned = {colour: _shade(colour, main, paint) for colour, _ in seen if _akin(colour, main)}
    rest = [colour for colour, _ in seen if colour not in turned]
    if len(colours) > 1:
        second = vocabulary().colours[colours[1]].rgb
        other = rest[0] if rest and luminance(rest[0]) > 60 else seen[min(1, len(seen) - 1)][0]
        turned |= {
            colour: _shade(colour, other, second)
            for colour in [*rest, other]
            if _akin(colour, other)
        }
    for colour in rest:
        if colour in turned:
            continue
        if luminance(paint) < 70 and luminance(colour) < 70:
            turned[colour] = EYES
        elif _near(colour, paint):
            turned[colour] = _mixed(colour, (0, 0, 0), 45)
    return tuple(Shape(turned.get(shape.colour, shape.colour), shape.contours) for shape in shapes)


def main_colour(shapes: Figure, name: str) -> Colour:
    """The colour that is seen most, after recolouring."""
    counts = shares(name)
    first = max(counts, key=lambda colour: counts[colour])
    at = next(at for at, shape in enumerate(figure(name)) if shape.colour == first)
    return shapes[at].colour


def luminance(colour: Colour) -> int:
    """0 to 255 (Rec. 601)."""
    red, green, blue = colour
    return (299 * red + 587 * green + 114 * blue) // 1000


def _akin(colour: Colour, main: Colour) -> bool:
    """Whether two colours are shades of one thing."""
    hue, _, grey = _hue(colour)
    main_hue, _, main_grey = _hue(main)
    if main_grey or grey:
        return main_grey and grey and (luminance(colour) > 70) == (luminance(main) > 70)
    apart = abs(hue - main_hue)
    return min(apart, 1 - apart) < 0.09


def _hue(colour: Colour) -> tuple[float, float, bool]:
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    return hue, value, saturation < 0.16 or value < 0.16


def _shade(colour: Colour, main: Colour, paint: Colour) -> Colour:
    """The shade of `paint` that stands to it as `colour` stands to `main`."""
    here, base = luminance(colour), luminance(main)
    if here <= base:
        return _mixed(paint, (0, 0, 0), (base - here) * 70 // max(base, 1))
    return _mixed(paint, (255, 255, 255), (here - base) * 50 // max(255 - base, 1))


def _mixed(colour: Colour, other: Colour, percent: int) -> Colour:
    mixed = [(a * (100 - percent) + b * percent) // 100 for a, b in zip(colour, other, strict=True)]
    return (mixed[0], mixed[1], mixed[2])


def _near(colour: Colour, other: Colour) -> bool:
    return sum(abs(a - b) for a, b in zip(colour, other, strict=True)) < 110
