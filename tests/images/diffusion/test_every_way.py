"""Every pair of sampler, size and style draws: a PNG of the asked size, the same each time."""

from __future__ import annotations

import io
from itertools import cycle, product

import pytest
from PIL import Image

from xinghe.images import SIZES, ImageParams, samplers, styles
from xinghe.images.diffusion import DiffusionEngine

pytestmark = pytest.mark.asyncio(loop_scope="session")

Way = tuple[str, str, str]


def pairwise() -> list[Way]:
    """Sampler × style whole (270 ways), each with a size so that its pairs are all there."""
    sizes = list(SIZES)
    return [
        (sampler, sizes[(at + 5 * of) % len(sizes)], style)
        for (at, sampler), (of, style) in product(enumerate(samplers()), enumerate(styles()))
    ]


def each_size() -> list[Way]:
    """Each size but the large ones, with a sampler and a style of its own."""
    return list(zip(samplers(), small(), styles(), strict=False))


def each_shape() -> list[Way]:
    """Of these a square, an upright and a wide one."""
    return [way for way in each_size() if way[1] in {"768x768", "576x1024", "1024x576"}]


def each_style() -> list[tuple[str, str]]:
    """Each sampler and each style, to be drawn small."""
    return list(zip(cycle(samplers()), styles(), strict=False))


def small() -> list[str]:
    """Without the large sizes, whose images take a minute each."""
    return [size for size in SIZES if max(SIZES[size]) <= 1024]


async def test_the_ways_hold_every_pair() -> None:
    ways = pairwise()
    assert {way[:2] for way in ways} == set(product(samplers(), SIZES))
    assert {way[1:] for way in ways} == set(product(SIZES, styles()))
    assert {(way[0], way[2]) for way in ways} == set(product(samplers(), styles()))
    assert {way[1] for way in each_size()} == set(small())
    assert len(each_shape()) == 3
    assert [set(names) for names in zip(*each_style(), strict=True)] == [
        set(samplers()),
        set(styles()),
    ]


def looked_at(data: bytes, size: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", size)
        seen = image.resize((64, 64), Image.Resampling.NEAREST)
        assert len(seen.getcolors(64 * 64) or []) > 100  # neither black nor of one colour


async def draws(engine: DiffusionEngine, way: Way) -> bytes:
    sampler, size, style = way
    asked = ImageParams(
        prompt="一只白猫, 红帽子",
        negative_prompt="dog",
        width=SIZES[size][0],
        height=SIZES[size][1],
        steps=10,
        sampler=sampler,
        style=style,
        seed=7,
        cfg_scale=5.0,
        n=1,
    )
    heard: list[int] = []
    (data,) = await engine.generate(asked, heard.append)
    looked_at(data, SIZES[size])
    assert heard[0] == 0
    assert heard[-1] == 10
    assert heard == sorted(heard)
    return data


@pytest.mark.parametrize("way", each_shape(), ids="/".join)
async def test_draws(engine: DiffusionEngine, way: Way) -> None:
    await draws(engine, way)


@pytest.mark.slow
@pytest.mark.parametrize("way", sorted({*pairwise(), *each_size()} - {*each_shape()}), ids="/".join)
async def test_draws_every_pair(engine: DiffusionEngine, way: Way) -> None:
    await draws(engine, way)


@pytest.mark.parametrize(("sampler", "style"), each_style())
async def test_a_seed_means_one_image_for_each_sampler_and_style(
    engine: DiffusionEngine, sampler: str, style: str
) -> None:
    def asked(seed: int, n: int = 1) -> ImageParams:
        return ImageParams("cat", "", 128, 128, 4, sampler, style, seed, 5.0, n)

    first, second = await engine.generate(asked(4294967295, 2), lambda _: None)
    assert first != second
    for data in (first, second):
        looked_at(data, (128, 128))
    # The seeds wrap around, and neither image knows of the other.
    assert await engine.generate(asked(0), lambda _: None) == [second]
    assert await engine.generate(asked(4294967295), lambda _: None) == [first]
