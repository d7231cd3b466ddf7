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


def each_once() -> list[Way]:
    """As many ways as there are styles, in which every name but of the large sizes stands."""
    return list(zip(cycle(samplers()), cycle(small()), styles(), strict=False))


def small() -> list[str]:
    """Without the large sizes, whose images take a minute each."""
    return [size for size in SIZES if max(SIZES[size]) <= 1024]


async def test_the_ways_hold_every_pair() -> None:
    ways = pairwise()
    assert {way[:2] for way in ways} == set(product(samplers(), SIZES))
    assert {way[1:] for way in ways} == set(product(SIZES, styles()))
    assert {(way[0], way[2]) for way in ways} == set(product(samplers(), styles()))
    every: list[list[str]] = [list(samplers()), small(), list(styles())]
    for at, names in enumerate(every):
        assert {way[at] for way in each_once()} == set(names)


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
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", SIZES[size])
        seen = image.resize((64, 64), Image.Resampling.NEAREST)
        assert len(seen.getcolors(64 * 64) or []) > 100  # neither black nor of one colour
    assert heard[0] == 0
    assert heard[-1] == 10
    assert heard == sorted(heard)
    return data


@pytest.mark.parametrize("way", each_once(), ids="/".join)
async def test_draws(engine: DiffusionEngine, way: Way) -> None:
    await draws(engine, way)


@pytest.mark.slow
@pytest.mark.parametrize("way", sorted(set(pairwise()) - set(each_once())), ids="/".join)
async def test_draws_every_pair(engine: DiffusionEngine, way: Way) -> None:
    await draws(engine, way)


@pytest.mark.parametrize("sampler", list(samplers()))
async def test_a_seed_means_one_image_for_each_sampler(
    engine: DiffusionEngine, sampler: str
) -> None:
    def asked(seed: int, n: int = 1) -> ImageParams:
        return ImageParams("cat", "", 128, 128, 10, sampler, "Base", seed, 5.0, n)

    first, second = await engine.generate(asked(4294967295, 2), lambda _: None)
    assert first != second
    # The seeds wrap around, and neither image knows of the other.
    assert await engine.generate(asked(0), lambda _: None) == [second]
    assert await engine.generate(asked(4294967295), lambda _: None) == [first]
