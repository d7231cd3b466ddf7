"""The 18 documented styles (section 4.2.2) as treatments of a composed picture."""

from __future__ import annotations

from xinghe.images.preview.styles.drawn import Anime, ComicBook, LineArt, Neonpunk
from xinghe.images.preview.styles.light import (
    AnalogFilm,
    Cinematic,
    DigitalArt,
    Enhance,
    FantasyArt,
    Photographic,
)
from xinghe.images.preview.styles.mosaic import Lowpoly, PixelArt, Texture
from xinghe.images.preview.styles.solid import CraftClay, Isometric, Model3D, Origami
from xinghe.images.preview.styles.style import Style
from xinghe.images.protocol import ImageParams

STYLES: dict[str, type[Style]] = {
    "Base": Style,
    "3D Model": Model3D,
    "Analog Film": AnalogFilm,
    "Anime": Anime,
    "Cinematic": Cinematic,
    "Comic Book": ComicBook,
    "Craft Clay": CraftClay,
    "Digital Art": DigitalArt,
    "Enhance": Enhance,
    "Fantasy Art": FantasyArt,
    "Isometric": Isometric,
    "Line Art": LineArt,
    "Lowpoly": Lowpoly,
    "Neonpunk": Neonpunk,
    "Origami": Origami,
    "Photographic": Photographic,
    "Pixel Art": PixelArt,
    "Texture": Texture,
}

__all__ = ["STYLES", "Style", "style"]


def style(params: ImageParams, seed: int) -> Style:
    """The treatment of one image; its noise depends on seed, steps, sampler and cfg_scale alone."""
    return STYLES[params.style](f"{seed} {params.steps} {params.sampler} {params.cfg_scale}")
