"""Words in pictures: the font, lines that fit, and the label that every preview bears."""

from __future__ import annotations

import io
from functools import cache, lru_cache
from importlib.resources import files

from PIL import Image, ImageDraw, ImageFont

LABEL = "预览 PREVIEW · 非扩散模型"
MOST = 96
"""Characters that are set at all."""
_NO_BREAK_BEFORE = "，。、！？；：,.!?;:)》”"


@cache
def _font_file() -> bytes:
    return files("xinghe_preview").joinpath("NotoSansSC-preview.otf").read_bytes()


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Noto Sans SC Bold with the 3,755 commonest characters, Latin letters and marks."""
    return ImageFont.truetype(io.BytesIO(_font_file()), size, layout_engine=ImageFont.Layout.BASIC)


def wrapped(text: str, width: int, height: int) -> tuple[list[str], ImageFont.FreeTypeFont, int]:
    """Lines in the largest type with which `text` fits; the last number is a line's height.

    Width and height in pixels. What does not fit in the smallest type is cut.
    """
    text = text[:MOST]
    smallest = max(8, height // 12)
    size = height // 2
    while True:
        face = font(size)
        lines = _lines(text, face, width)
        line = size * 5 // 4
        fits = len(lines) * line <= height and all(face.getlength(one) <= width for one in lines)
        if fits or size <= smallest:
            return lines[: max(1, height // line)], face, line
        size = max(smallest, size * 9 // 10)


def _lines(text: str, face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for unit in _units(text):
        if (
            not lines[-1]
            or unit[0] in _NO_BREAK_BEFORE
            or face.getlength(lines[-1] + unit.rstrip()) <= width
        ):
            lines[-1] += unit
        else:
            lines.append(unit)
    return [line.strip() for line in lines]


def _units(text: str) -> list[str]:
    """Latin words whole, with the blank after them; every other character by itself."""
    units: list[str] = []
    for character in text:
        latin = character.isascii() and not character.isspace()
        if units and (
            character.isspace() or (latin and units[-1].isascii() and units[-1][-1] != " ")
        ):
            units[-1] += " " if character.isspace() else character
        elif not character.isspace():
            units.append(character)
    return units or [" "]


def labelled(image: Image.Image) -> Image.Image:
    """With the label in the lower right corner."""
    size = max(11, min(image.size) // 42)
    face = font(size)
    pad = size // 2
    width = int(face.getlength(LABEL)) + 2 * pad
    height = size + 2 * pad
    tag = Image.new("RGBA", (width, height), (18, 20, 30, 176))
    ImageDraw.Draw(tag).text(
        (pad, height // 2), LABEL, font=face, anchor="lm", fill=(255, 255, 255, 240)
    )
    at = (image.width - width - pad, image.height - height - pad)
    image.paste(tag, at, tag)
    return image
