"""The stages of one picture: background, things, treatment, label, PNG."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image

from xinghe_preview.composition import Composition
from xinghe_preview.figures import GRID, coloured, extent, luminance, main_colour
from xinghe_preview.layout import CARD, layout
from xinghe_preview.lettering import labelled
from xinghe_preview.messages import PreviewRequest
from xinghe_preview.placed import Placed
from xinghe_preview.scenery import background, falling, scene
from xinghe_preview.sprites import RIM, card, rimmed, shadow, sprite
from xinghe_preview.styles import Style, style
from xinghe_preview.vocabulary import Colour, vocabulary

PLAIN: Colour = (96, 104, 128)
"""The edge of a card whose words have no colour."""
PALE, DEEP = 225, 60
"""What is lighter or darker than these has a rim, or it would merge with what is behind it."""
RIM_OF_PALE: Colour = (120, 128, 146)
RIM_OF_DEEP: Colour = (206, 210, 222)


def picture(
    request: PreviewRequest, composition: Composition, seed: int, tell: Callable[[int], None]
) -> Image.Image:
    """One image of a request in RGB; `tell` hears the percentage done and may raise to end it."""
    tell(0)
    treatment = style(request, seed)
    image = background(composition, request.width, request.height, seed)
    image = treatment.behind(image)
    tell(20)
    things = layout(composition, request.width, request.height, seed)
    for number, thing in enumerate(things):
        _paint(image, thing, composition, treatment)
        tell(20 + 40 * (number + 1) // len(things))
    falling(image, composition, seed)
    image = treatment.finish(image)
    tell(90)
    return labelled(image)


def png(image: Image.Image) -> bytes:
    """The same pixels give the same bytes with the same zlib."""
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=2)
    return out.getvalue()


def _paint(image: Image.Image, thing: Placed, composition: Composition, treatment: Style) -> None:
    side = max(8, round(thing.side))
    item = thing.item
    if not item.subject:
        accent = vocabulary().colours[item.colours[0]].rgb if item.colours else PLAIN
        drawn = card(item.text, side, max(8, round(side * CARD)), accent)
    else:
        subject = vocabulary().subjects[item.subject]
        shapes = coloured(subject.figure, subject.coat, subject.colours(item.colours))
        if not thing.floats and not _swims(thing, composition):
            _shadow(image, thing, side, subject.figure)
        drawn = treatment.thing(sprite(shapes, side, thing.mirrored))
        light = luminance(main_colour(shapes, subject.figure))
        if light > PALE or light < DEEP:
            drawn = rimmed(drawn, RIM_OF_PALE if light > PALE else RIM_OF_DEEP, max(1, side // RIM))
    grown = (drawn.width - side) // 2
    _paste(image, drawn, round(thing.x) - grown, round(thing.y) - grown)


def _shadow(image: Image.Image, thing: Placed, side: int, name: str) -> None:
    left, _, right, bottom = (edge * side // GRID for edge in extent(name))
    width = (right - left) * 9 // 10
    dark = shadow(width, max(4, width // 8), 110)
    middle = side - (left + right) // 2 if thing.mirrored else (left + right) // 2
    x, y = round(thing.x) + middle, round(thing.y) + bottom
    _paste(image, dark, x - dark.width // 2, y - dark.height // 2)


def _swims(thing: Placed, composition: Composition) -> bool:
    place = scene(composition)
    return vocabulary().subjects[thing.item.subject].swims and (place.water or place.shore)


def _paste(image: Image.Image, drawn: Image.Image, x: int, y: int) -> None:
    image.paste(drawn, (x, y), drawn)
