"""What the embedded engine is shown of a picture: small, upright, opaque PNG files of our own."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.pictures.render import encoded
from xinghe.engines.plain import LEAST_SIDE, MOST_PIXELS, plain
from xinghe.pictures import PictureFile


def shown(data: bytes) -> Image.Image:
    made = Image.open(io.BytesIO(plain(PictureFile(data))))
    assert (made.format, made.mode) == ("PNG", "RGB")
    return made


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3000), st.integers(1, 3000))
def test_any_size_becomes_one_that_every_tower_takes(width: int, height: int) -> None:
    made = shown(encoded(Image.new("L", (width, height), 90)))
    assert made.width * made.height <= MOST_PIXELS
    assert min(made.size) >= LEAST_SIDE
    if min(width, height) >= LEAST_SIDE and width * height <= MOST_PIXELS:
        assert made.size == (width, height)


@pytest.mark.parametrize("size", [(32_768, 1), (1, 32_768), (32_768, 2048), (8192, 8192)])
def test_the_largest_that_are_accepted(size: tuple[int, int]) -> None:
    made = shown(encoded(Image.new("1", size)))
    assert made.width * made.height <= MOST_PIXELS
    assert min(made.size) >= LEAST_SIDE


def test_a_thin_picture_keeps_its_pixels_and_its_ground() -> None:
    image = Image.new("RGB", (100, 2), "blue")
    image.putpixel((50, 1), (255, 0, 0))
    made = shown(encoded(image))
    assert made.size == (100, LEAST_SIDE)
    assert made.getpixel((50, 1)) == (255, 0, 0)
    assert made.getpixel((50, LEAST_SIDE - 1)) == (0, 0, 255)


@pytest.mark.parametrize(("mode", "form"), [("CMYK", "JPEG"), ("I;16", "PNG"), ("LA", "PNG")])
def test_modes_that_few_decoders_know(mode: str, form: str) -> None:
    assert shown(encoded(Image.new(mode, (64, 40)), form)).size == (64, 40)
