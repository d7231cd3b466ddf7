"""Pixels: decoded from every mode, named by colour, cut into tiles."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.pictures.render import encoded
from xinghe.pictures.pixels import (
    ENOUGH,
    MOST_TILES,
    OVERLAP,
    decode,
    dominant_colours,
    name_of,
    tiles,
)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "黑色"),
        ((255, 255, 255), "白色"),
        ((128, 128, 128), "灰色"),
        ((220, 20, 30), "红色"),
        ((255, 190, 200), "粉色"),
        ((255, 140, 0), "橙色"),
        ((120, 70, 20), "棕色"),
        ((250, 220, 40), "黄色"),
        ((30, 150, 60), "绿色"),
        ((0, 200, 210), "青色"),
        ((20, 60, 200), "蓝色"),
        ((120, 40, 200), "紫色"),
    ],
)
def test_names_of_colours(rgb: tuple[int, int, int], name: str) -> None:
    assert name_of(*rgb) == name


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_every_colour_has_a_name(rgb: tuple[int, int, int]) -> None:
    assert name_of(*rgb).endswith("色")


def test_colours_come_by_their_share() -> None:
    image = Image.new("RGB", (300, 100), "white")
    image.paste((200, 0, 0), (0, 0, 60, 100))
    image.paste((0, 0, 200), (60, 0, 90, 100))
    image.paste((0, 0, 0), (90, 0, 91, 100))
    assert dominant_colours(image) == ("白色", "红色", "蓝色")


@pytest.mark.parametrize(
    ("mode", "value", "seen"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 100, (100, 100, 100)),
        ("I;16", 0x8000, (128, 128, 128)),
        ("LA", (100, 255), (100, 100, 100)),
        ("RGBA", (200, 0, 0, 255), (200, 0, 0)),
        ("RGBA", (10, 10, 10, 0), (255, 255, 255)),
    ],
)
def test_modes_of_png(mode: str, value: object, seen: tuple[int, int, int]) -> None:
    image, size = decode(encoded(Image.new(mode, (9, 5), value)))  # type: ignore[arg-type]
    assert (image.mode, size, image.getpixel((4, 2))) == ("RGB", (9, 5), seen)


def test_bright_letters_on_nothing_stand_on_black() -> None:
    image = Image.new("RGBA", (100, 40), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (10, 10, 60, 30))
    seen, _ = decode(encoded(image))
    assert (seen.getpixel((5, 5)), seen.getpixel((20, 20))) == ((0, 0, 0), (255, 255, 255))


def test_a_palette_with_a_transparent_entry() -> None:
    image = Image.new("P", (10, 10), 0)
    image.putpalette([255, 0, 0, 0, 0, 0])
    image.paste(1, (5, 0, 10, 10))
    seen, _ = decode(encoded(image, transparency=0))
    assert (seen.getpixel((2, 5)), seen.getpixel((7, 5))) == ((255, 255, 255), (0, 0, 0))


def test_cmyk_and_exif_rotation() -> None:
    image = Image.new("CMYK", (80, 40), (0, 255, 255, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    seen, size = decode(encoded(image, "JPEG", exif=exif.tobytes()))
    assert (seen.size, size) == ((40, 80), (40, 80))
    red, green, blue = seen.getpixel((20, 40))  # type: ignore[misc]
    assert red > 150
    assert max(green, blue) < 100


@pytest.mark.parametrize(("mode", "form"), [("RGB", "JPEG"), ("P", "PNG"), ("I;16", "PNG")])
def test_a_large_picture_is_worked_on_in_small(mode: str, form: str) -> None:
    seen, size = decode(encoded(Image.new(mode, (6000, 5000)), form))
    assert size == (6000, 5000)
    assert seen.width * seen.height <= ENOUGH
    assert abs(seen.width / seen.height - 1.2) < 0.01


def test_an_animation_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    for form in ("PNG", "WEBP"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:], lossless=True)
        assert decode(data)[0].getpixel((9, 9))[0] > 200  # type: ignore[index]


@given(st.integers(1, 5000), st.integers(1, 9000))
@settings(max_examples=15, deadline=None)
def test_tiles_share_the_picture_out(width: int, height: int) -> None:
    if width * height > 2_000_000:
        width = max(1, 2_000_000 // height)
    cut = list(tiles(Image.new("RGB", (width, height))))
    assert 1 <= len(cut) <= MOST_TILES + 1
    assert cut[0].low == 0
    assert cut[-1].high == float("inf")
    for above, below in pairwise(cut):
        # Who answers for a height is told without a gap, and sees half an overlap beyond it.
        assert above.high == below.low == below.top + OVERLAP / 2
    for tile in cut:
        assert max(tile.image.size) <= 3000
        assert min(tile.image.size) >= min(736, max(tile.image.size) // 2)
