"""Pictures with Chinese text, rendered with the font beside this file."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tests.pictures.texts import Colour, Sheet

FONT = Path(__file__).parent / "font" / "NotoSansSC-subset.otf"


def letters(size: int) -> ImageFont.FreeTypeFont:
    """The font, in regular weight, `size` pixels high."""
    font = ImageFont.truetype(FONT, size)
    font.set_variation_by_axes([500])
    return font


def written(
    lines: list[tuple[int, int, str]],
    size: tuple[int, int],
    *,
    letter: int = 40,
    ground: Colour = (255, 255, 255),
    ink: Colour = (0, 0, 0),
) -> Image.Image:
    """An image with each text at its (x, y) in pixels."""
    image = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(image)
    font = letters(letter)
    for x, y, text in lines:
        draw.text((x, y), text, font=font, fill=ink)
    return image


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def data_url(data: bytes, label: str = "image/jpeg") -> str:
    """A file as the `url` of an image part; the label need not be right."""
    return f"data:{label};base64,{base64.b64encode(data).decode()}"


def sheet(one: Sheet) -> bytes:
    """The file of a sheet: its lines one below the other, from 40 pixels in."""
    lines = [(40, 30 + number * one.letter * 3 // 2, text) for number, text in enumerate(one.lines)]
    image = written(lines, one.size, letter=one.letter, ground=one.ground, ink=one.ink)
    return encoded(image, one.form)
