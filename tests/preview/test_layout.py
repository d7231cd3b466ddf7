"""Where things stand: beside each other, on each other, at the horizon, and all in the picture."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.preview.asking import asked
from xinghe_preview.figures import GRID, extent
from xinghe_preview.layout import layout
from xinghe_preview.placed import Placed
from xinghe_preview.reading import compose
from xinghe_preview.scenery import HORIZON
from xinghe_preview.vocabulary import vocabulary

SIZES = [(512, 512), (1024, 576), (576, 1024)]


def placed(
    prompt: str, size: tuple[int, int] = (512, 512), seed: int = 7
) -> dict[str, list[Placed]]:
    """By subject, in the order in which they are drawn."""
    found: dict[str, list[Placed]] = {}
    for one in layout(compose(asked(prompt)), *size, seed):
        found.setdefault(one.item.subject, []).append(one)
    return found


def box(one: Placed) -> tuple[float, float, float, float]:
    """What is drawn: left, top, right and bottom in pixels."""
    left, top, right, bottom = extent(vocabulary().subjects[one.item.subject].figure)
    if one.mirrored:
        left, right = GRID - right, GRID - left
    unit = one.side / GRID
    return one.x + left * unit, one.y + top * unit, one.x + right * unit, one.y + bottom * unit


@pytest.mark.parametrize("seed", range(5))
def test_all_who_sit_on_one_thing_sit_side_by_side(seed: int) -> None:
    seen = placed("two cats and a dog sitting on a sofa", seed=seed)
    middles = sorted((box(one)[0] + box(one)[2]) / 2 for one in [*seen["cat"], *seen["dog"]])
    assert len(middles) == 3
    assert all(after - before > 60 for before, after in pairwise(middles))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "prompt", ["雪山下的湖", "a volcano", "雪山和一只狗", "two snowy mountains"]
)
def test_a_mountain_stands_on_the_horizon_and_has_its_top(
    prompt: str, size: tuple[int, int]
) -> None:
    seen = placed(prompt, size)
    for one in [*seen.get("mountain", []), *seen.get("volcano", [])]:
        _, top, _, bottom = box(one)
        assert top > 0
        assert bottom == pytest.approx(HORIZON * size[1], abs=2)


@pytest.mark.parametrize("seed", range(5))
def test_what_stands_before_a_mountain_leaves_it_to_be_seen(seed: int) -> None:
    seen = placed("富士山和一朵樱花", (1024, 576), seed)
    (fuji,), (blossom,) = seen["fuji"], seen["cherry_blossom"]
    before, behind = box(blossom), box(fuji)
    hidden = min(before[2], behind[2]) - max(before[0], behind[0])
    assert hidden < 0.6 * (behind[2] - behind[0])


def test_slim_people_stand_close_and_fill_the_picture() -> None:
    (woman,) = placed("a woman", (576, 1024))["woman"]
    _, top, _, bottom = box(woman)
    assert bottom - top > 0.6 * 1024
    row = sorted(box(one) for one in placed("three women", (1024, 576))["woman"])
    for one, other in pairwise(row):
        assert 0 < other[0] - one[2] < one[2] - one[0]


def test_who_stands_has_a_book_in_hand() -> None:
    seen = placed("a woman reading a book")
    woman, book = box(seen["woman"][0]), box(seen["book"][0])
    assert book[0] < woman[2]
    assert woman[0] < book[2]


@pytest.mark.parametrize("seed", range(5))
def test_what_may_bear_letters_is_not_mirrored(seed: int) -> None:
    seen = placed("a shop, a hospital, a newspaper and a dog", seed=seed)
    assert not any(one.mirrored for key in ("shop", "hospital", "newspaper") for one in seen[key])


@pytest.mark.parametrize("where", ["in front of", "under"])
def test_those_before_one_thing_do_not_stand_in_one_place(where: str) -> None:
    seen = placed(f"a dog and a cat {where} a castle")
    dog, cat = box(seen["dog"][0]), box(seen["cat"][0])
    assert abs(dog[0] - cat[0]) > 0.6 * (dog[2] - dog[0])
