"""The 18 documented styles (section 4.2.2) as treatments of a composed picture."""

from __future__ import annotations

from xinghe_preview.messages import PreviewRequest
from xinghe_preview.styles.drawn import Anime, ComicBook, LineArt, Neonpunk
from xinghe_preview.styles.light import (
    AnalogFilm,
    Cinematic,
    DigitalArt,
    Enhance,
    FantasyArt,
    Photographic,
)
from xinghe_preview.styles.mosaic import Lowpoly, PixelArt, Texture
from xinghe_preview.styles.solid import CraftClay, Isometric, Model3D, Origami
from xinghe_preview.styles.style import Style

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


def style(request: PreviewRequest, seed: int) -> Style:
    """The treatment of one image; its noise depends on seed, steps, sampler and cfg_scale alone."""
    return STYLES[request.style](f"{seed} {request.steps} {request.sampler} {request.cfg_scale}")
