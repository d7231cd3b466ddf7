"""A drawing, a card or a shadow as an image with transparency."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFilter

from xinghe_preview.figures import Figure, fill
from xinghe_preview.lettering import wrapped
from xinghe_preview.vocabulary import Colour

RIM = 110
"""The rim of a drawing that would merge with what is behind it: its side in this many parts."""


def sprite(shapes: Figure, side: int, mirrored: bool = False) -> Image.Image:
    """The drawing in RGBA, `side` × `side` pixels, with smooth edges."""
    times = 3 if side <= 800 else 2
    canvas = Image.new("RGBA", (side * times, side * times))
    for shape in shapes:
        fill(canvas, shape, shape.colour)
    drawn = canvas.reduce(times)
    return drawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else drawn


def rimmed(drawn: Image.Image, colour: Colour, thickness: int) -> Image.Image:
    """With a rim of `thickness` pixels around it; the image grows by twice that."""
    room = Image.new("RGBA", (drawn.width + 2 * thickness, drawn.height + 2 * thickness))
    room.paste(drawn, (thickness, thickness))
    grown = room.getchannel("A").filter(ImageFilter.BoxBlur(thickness))
    grown = grown.point([min(255, value * 4) for value in range(256)])
    rim = Image.new("RGBA", room.size, (*colour, 255))
    rim.putalpha(grown)
    rim.alpha_composite(room)
    return rim


def card(text: str, width: int, height: int, accent: Colour) -> Image.Image:
    """The words of a prompt on a card, for what there is no drawing of."""
    times = 2
    size = (width * times, height * times)
    image = Image.new("RGBA", size)
    draw = ImageDraw.Draw(image)
    edge = max(2, min(size) // 28)
    draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), min(size) // 9, fill=(*accent, 255))
    inner = (edge, edge, size[0] - 1 - edge, size[1] - 1 - edge)
    draw.rounded_rectangle(inner, min(size) // 9 - edge // 2, fill=(252, 249, 242, 255))
    lines, font, height_of_line = wrapped(text, size[0] - 6 * edge, size[1] - 6 * edge)
    top = (size[1] - height_of_line * len(lines)) // 2
    for at, line in enumerate(lines):
        middle = (size[0] // 2, top + at * height_of_line + height_of_line // 2)
        draw.text(middle, line, font=font, anchor="mm", fill=(40, 42, 54, 255))
    return image.reduce(times)


def shadow(width: int, height: int, strength: int) -> Image.Image:
    """A soft ellipse of darkness; `strength` 0 to 255."""
    soft = max(2, height // 3)
    alpha = Image.new("L", (width + 4 * soft, height + 4 * soft))
    box = (2 * soft, 2 * soft, 2 * soft + width, 2 * soft + height)
    ImageDraw.Draw(alpha).ellipse(box, fill=strength)
    image = Image.new("RGBA", alpha.size, (20, 24, 40, 0))
    image.putalpha(alpha.filter(ImageFilter.BoxBlur(soft)))
    return image
