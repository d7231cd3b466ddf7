"""Each style is a treatment that shows, and leaves the picture recognisable."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.preview.asking import asked, drawn
from xinghe.images import styles
from xinghe_preview.styles import STYLES

PROMPT = "一只白猫, 红帽子, 草地"


@pytest.fixture(scope="module")
def pictures() -> dict[str, Image.Image]:
    return {name: drawn(asked(PROMPT, style=name, size=(384, 384))) for name in STYLES}


def test_they_are_the_documented_ones() -> None:
    assert set(STYLES) == set(styles())


def apart(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of the pixels, without the label, of 255."""
    first, second = (np.asarray(image.convert("RGB")).astype(int)[:340] for image in (one, other))
    return float(np.abs(first - second).mean())


@pytest.mark.parametrize("name", sorted(STYLES))
def test_each_differs_from_every_other(pictures: dict[str, Image.Image], name: str) -> None:
    for other, picture in pictures.items():
        if other != name:
            assert apart(pictures[name], picture) > 3, other


@pytest.mark.parametrize("name", sorted(STYLES))
def test_the_same_seed_gives_the_same_pixels(pictures: dict[str, Image.Image], name: str) -> None:
    again = drawn(asked(PROMPT, style=name, size=(384, 384)))
    assert again.tobytes() == pictures[name].tobytes()


@pytest.mark.parametrize("name", sorted(STYLES))
def test_the_hat_stays_red_in_every_style(pictures: dict[str, Image.Image], name: str) -> None:
    """Somewhere in the upper half there is much more red than there is without the hat."""

    def redness(image: Image.Image) -> float:
        red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(int)[:192], 2, 0)
        return float(((red - np.maximum(green, blue)) > 25).mean())

    bare = drawn(asked("一只白猫, 草地", style=name, size=(384, 384)))
    assert redness(pictures[name]) > redness(bare) + 0.01


def test_pixel_art_is_made_of_squares(pictures: dict[str, Image.Image]) -> None:
    values = np.asarray(pictures["Pixel Art"])[:339, :339]
    side = 384 // 112
    assert (values[::side, ::side] == values[1::side, 1::side]).all()
    assert len(np.unique(values.reshape(-1, 3), axis=0)) <= 40


def test_line_art_is_ink_on_paper(pictures: dict[str, Image.Image]) -> None:
    values = np.asarray(pictures["Line Art"].convert("L"))[:340]
    assert (values > 175).mean() > 0.75
    assert 0.01 < (values < 90).mean() < 0.25


def test_cinematic_has_bars(pictures: dict[str, Image.Image]) -> None:
    assert np.asarray(pictures["Cinematic"])[:30].max() == 0


def test_neonpunk_is_dark_with_bright_lines(pictures: dict[str, Image.Image]) -> None:
    values = np.asarray(pictures["Neonpunk"]).max(axis=2)[:340]
    assert np.median(values) < 140
    assert (values > 240).mean() > 0.02


def test_low_poly_has_flat_triangles(pictures: dict[str, Image.Image]) -> None:
    values = np.asarray(pictures["Lowpoly"]).astype(int)[:340]
    flat = (np.abs(np.diff(values, axis=1)).sum(axis=2) == 0).mean()
    smooth = np.asarray(pictures["Photographic"]).astype(int)[:340]
    assert flat > 0.6 > (np.abs(np.diff(smooth, axis=1)).sum(axis=2) == 0).mean()


def test_film_has_grain_that_the_sampler_varies_and_nothing_else() -> None:
    request = asked(PROMPT, style="Analog Film")
    other = type(request)(
        **{name: getattr(request, name) for name in request.__struct_fields__} | {"sampler": "Heun"}
    )
    one, two = drawn(request), drawn(other)
    assert one.tobytes() != two.tobytes()
    assert apart(one, two) < 20
