"""What the composition holds is to be seen in the picture, in its colour and at its place."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from rapidocr import RapidOCR
from rapidocr.utils.output import RapidOCROutput

from tests.preview.asking import asked, drawn, near, share
from xinghe_preview.lettering import LABEL
from xinghe_preview.vocabulary import vocabulary

COLOURS = {key: tint.rgb for key, tint in vocabulary().colours.items()}


def middle(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


@pytest.mark.parametrize(
    ("prompt", "coat", "hat"),
    [
        ("一只白猫, 红帽子", "white", "red"),
        ("一只黑猫, 蓝帽子", "black", "blue"),
        ("a pink pig wearing a green hat", "pink", "green"),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_animal_has_its_colour_and_the_hat_its_own_above_it(
    prompt: str, coat: str, hat: str, seed: int
) -> None:
    image = drawn(asked(prompt, size=(512, 512), seed=seed))
    image = image.crop((0, 0, 512, 470))  # without the label
    body, above = near(image, COLOURS[coat], 12), near(image, COLOURS[hat], 12)
    assert share(body) > 0.08
    assert share(above) > 0.01
    assert middle(above)[0] < middle(body)[0] - 60


@pytest.mark.parametrize("colour", sorted(COLOURS))
def test_every_colour_shows_and_only_where_it_is_asked_for(colour: str) -> None:
    asked_for = drawn(asked(f"a {colour} rabbit, blue sky" if colour != "blue" else "a blue dog"))
    assert share(near(asked_for, COLOURS[colour], 10)) > 0.05


def test_a_colour_that_is_not_asked_for_is_not_there() -> None:
    image = drawn(asked("一只白猫, 红帽子"))
    for other in ("green", "purple", "blue", "cyan"):
        assert share(near(image, COLOURS[other], 24)) < 0.002


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 12])
def test_as_many_as_are_asked_for_are_to_be_seen(count: int) -> None:
    """Each apple has one leaf, which no other leaf touches."""
    image = drawn(asked(f"{count}个苹果", size=(768, 768)))
    leaves = near(image, (0, 210, 106), 30)
    assert islands(leaves) == count


def islands(mask: np.ndarray) -> int:
    """Connected areas of more than a few pixels."""
    left = mask.copy()
    found = 0
    while left.any():
        front = {tuple(np.argwhere(left)[0])}
        size = 0
        while front:
            y, x = front.pop()
            if 0 <= y < left.shape[0] and 0 <= x < left.shape[1] and left[y, x]:
                left[y, x] = False
                size += 1
                front |= {(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)}
        found += size > 6
    return found


@pytest.mark.parametrize(
    ("place", "above", "below"),
    [("night", "dark", "dark"), ("snowfield", "light", "light"), ("beach", "blue", "yellow")],
)
def test_places_colour_sky_and_ground(place: str, above: str, below: str) -> None:
    name = vocabulary().places[place].en.split(",")[0]
    pixels = np.asarray(drawn(asked(f"a cat, {name}", size=(512, 512)))).astype(int)
    seen = {
        "dark": lambda colour: colour.sum() < 300,
        "light": lambda colour: colour.sum() > 540,
        "blue": lambda colour: colour[2] > colour[0] + 30,
        "yellow": lambda colour: colour[0] > colour[2] + 40,
    }
    assert seen[above](pixels[20:90].mean(axis=(0, 1)))
    assert seen[below](pixels[470:505, :200].mean(axis=(0, 1)))


def test_one_on_another_is_above_it_and_one_beside_another_is_beside_it() -> None:
    seat = drawn(asked("a red cat on a green box", size=(512, 512)))
    assert middle(near(seat, COLOURS["red"]))[0] < middle(near(seat, COLOURS["green"]))[0] - 60
    pair = drawn(asked("a red cat next to a green box", size=(512, 512)))
    red, green = middle(near(pair, COLOURS["red"])), middle(near(pair, COLOURS["green"]))
    assert abs(red[1] - green[1]) > 120


def test_what_the_negative_prompt_bars_is_not_painted() -> None:
    image = drawn(asked("一只白猫, 红帽子", negative="帽子"))
    assert share(near(image, COLOURS["red"], 40)) < 0.001


def test_seeds_arrange_anew_and_the_same_seed_the_same() -> None:
    first, again, other = (
        drawn(asked("a dog in a park", seed=seed)).tobytes() for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other


@pytest.fixture(scope="module")
def reader() -> RapidOCR:
    return RapidOCR(
        params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 1}
    )


def read(reader: RapidOCR, image: Image.Image) -> str:
    output = reader(np.asarray(image)[..., ::-1])  # it expects BGR
    assert isinstance(output, RapidOCROutput)
    return "".join(output.txts or ())


@pytest.mark.parametrize("style", ["Base", "Pixel Art", "Neonpunk"])
def test_every_picture_says_that_it_is_a_preview(reader: RapidOCR, style: str) -> None:
    image = drawn(asked("一只白猫", size=(768, 768), style=style))
    corner = image.crop((image.width // 2, image.height * 9 // 10, image.width, image.height))
    text = read(reader, corner).replace(" ", "")
    for part in LABEL.replace(" ", "").split("·"):
        assert part in text


def test_the_words_on_a_card_can_be_read(reader: RapidOCR) -> None:
    image = drawn(asked("一只海马", size=(768, 768)))
    assert "一只海马" in read(reader, image.crop((0, 0, 768, 690)))
