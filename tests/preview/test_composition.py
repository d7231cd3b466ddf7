"""What prompts ask for is what the composition holds."""

from __future__ import annotations

import pytest

from tests.preview.asking import asked
from xinghe_preview.composition import Composition, Tie
from xinghe_preview.reading import compose


def told(composition: Composition) -> list[str]:
    """Each item in a line: `3 red big dog on sofa`, with what it is tied to."""
    lines = []
    for item in composition.items:
        parts = [str(item.count)] * (item.count > 1) + list(item.colours)
        parts += ["big" if item.size > 100 else "small"] * (item.size != 100)
        parts.append(item.subject or f"“{item.text}”")
        if item.tie:
            other = composition.items[item.tie.to]
            parts += [item.tie.bond, other.subject or f"“{other.text}”"]
        lines.append(" ".join(parts))
    return lines


@pytest.mark.parametrize(
    ("prompt", "items"),
    [
        # The source's own, 4.2.1.
        ("一只白猫, 红帽子", ["white cat", "red hat wears cat"]),
        ("一只黑猫, 蓝帽子", ["black cat", "blue hat wears cat"]),
        ("a white cat wearing a red hat", ["white cat", "red hat wears cat"]),
        ("a white cat in a red hat", ["white cat", "red hat wears cat"]),
        ("white cat with red hat", ["white cat", "red hat wears cat"]),
        ("戴红帽子的白猫", ["red hat wears cat", "white cat"]),
        ("一隻白貓，紅色的帽子", ["white cat", "red hat wears cat"]),
        ("三只黑狗", ["3 black dog"]),
        ("3只小狗", ["3 dog"]),
        ("five yellow ducks", ["5 yellow duck"]),
        ("a pair of mice", ["2 mouse"]),
        ("two wolves and three butterflies", ["2 wolf", "3 butterfly"]),
        ("两个戴草帽的老人", ["2 straw_hat wears grandpa", "2 grandpa"]),
        ("猫在沙发上", ["cat on sofa", "sofa"]),
        ("沙发上有一只猫", ["sofa", "cat on sofa"]),
        ("a dog and a cat sitting under a tree", ["dog under tree", "cat under tree", "tree"]),
        ("一个盒子里的兔子", ["box", "rabbit within box"]),
        ("a cat in a castle", ["cat front castle", "castle"]),
        ("a rabbit in a box", ["rabbit within box", "box"]),
        ("宇航员骑着马", ["astronaut on horse", "horse"]),
        ("熊猫吃苹果", ["panda", "apple holds panda"]),
        ("a red car behind a house", ["red car behind house", "house"]),
        ("房子旁边的树", ["house", "tree beside house"]),
        ("a cat with a dog", ["cat", "dog beside cat"]),
        ("女孩戴着墨镜和蓝色围巾", ["girl", "sunglasses wears girl", "blue scarf wears girl"]),
        ("帽子是红色的", ["red hat"]),
        ("a cat, white", ["white cat"]),
        ("一个大苹果和一个小苹果", ["big apple", "small apple"]),
        ("a black and white cow", ["black white cow"]),
        ("an orange on a table", ["orange_fruit"]),
        ("an orange on a gizmo", ["orange_fruit", "“gizmo”"]),
        ("彩虹下的房子", ["rainbow", "house"]),
        # A colour in a name is a colour; one of eyes or hair is nobody's coat.
        ("一匹白马", ["white horse"]),
        ("一只橘猫和小白兔", ["orange cat", "white small rabbit"]),
        ("a woman with blue eyes and red dress", ["woman", "red dress wears woman"]),
        ("两个红头发的女孩", ["2 girl"]),
        ("a bowl of ramen and a cup of coffee", ["noodles", "coffee"]),
        ("樱花树下读书的女孩", ["cherry_tree", "book holds girl", "girl under cherry_tree"]),
    ],
)
def test_subjects_colours_numbers_and_ties(prompt: str, items: list[str]) -> None:
    assert told(compose(asked(prompt))) == items


@pytest.mark.parametrize(
    ("prompt", "places"),
    [
        ("海边的日落", ("beach", "sunset")),
        ("a cat in the snow at night", ("snowfield", "night")),
        ("森林里的狐狸", ("forest",)),
        ("a robot on the street, rain", ("street", "rainy")),
        ("桌子上的苹果", ("table",)),
        ("an astronaut on the moon", ("space",)),
        ("a red sports car", ()),
        ("雪山", ("meadow",)),  # it stands in no studio
        ("雪山下的湖", ("lake",)),
    ],
)
def test_places(prompt: str, places: tuple[str, ...]) -> None:
    assert compose(asked(prompt)).places == places


def test_a_backdrop_has_the_colour_that_is_named() -> None:
    composition = compose(asked("白色背景, 一辆红色的汽车"))
    assert composition.backdrop == "white"
    assert told(composition) == ["red car"]


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("一只海马", ["一只海马"]),
        ("爱与和平", ["爱与和平"]),
        ("quantum entanglement", ["quantum entanglement"]),
        ("a cat and a gizmotron", ["gizmotron"]),
        ("a gizmotron fighting a dragon", ["gizmotron"]),
        ("cyberpunk city with neon lights", []),
        ("一个书架", ["一个书架"]),
        ("a seahorse and two dogs", ["seahorse"]),
        ("马克杯", ["马克杯"]),
        ("!!!", ["!!!"]),
    ],
)
def test_what_is_unknown_is_written_and_not_drawn_as_something_else(
    prompt: str, texts: list[str]
) -> None:
    cards = [item.text for item in compose(asked(prompt)).items if not item.subject]
    assert cards == texts


@pytest.mark.parametrize(
    "prompt",
    ["人工智能", "马上开心", "一个鱼缸", "汤圆", "灯塔", "心情", "派对", "lighthouse", "fish tank"],
)
def test_words_that_hold_a_subject_s_name_are_not_that_subject(prompt: str) -> None:
    assert all(not item.subject for item in compose(asked(prompt)).items)


def test_the_negative_prompt_takes_out_subjects_with_their_ties_colours_and_places() -> None:
    prompt = "海边的白猫戴着红帽子，旁边有一只狗"
    whole = compose(asked(prompt))
    assert {item.subject for item in whole.items} == {"cat", "hat", "dog"}
    without = compose(asked(prompt, negative="帽子, 海边, white"))
    assert told(without) == ["cat", "dog beside cat"] or told(without) == ["cat", "dog"]
    assert without.places == ()
    headless = compose(asked("戴红帽子的猫", negative="cat"))
    assert [(item.subject, item.tie) for item in headless.items] == [("hat", None)]


def test_what_is_barred_does_not_come_with_the_place_either() -> None:
    assert compose(asked("森林", negative="树, pine")).barred == ("pine", "tree")


def test_all_barred_leaves_the_words() -> None:
    composition = compose(asked("一只猫", negative="猫"))
    assert [item.subject for item in composition.items] == [""]


def test_named_again_it_is_the_same_one() -> None:
    composition = compose(asked("一只白猫，这是白猫"))
    assert told(composition) == ["white cat"]


def test_numbers_are_drawn_up_to_twelve() -> None:
    assert compose(asked("999999999999999999999只猫")).items[0].count == 12


def test_ties_point_to_other_items() -> None:
    for prompt in ("猫在狗上，狗在猫上", "cat on dog on cat", "帽子戴帽子", "a hat wearing a hat"):
        composition = compose(asked(prompt))
        for at, item in enumerate(composition.items):
            assert item.tie is None or (item.tie.to != at and item.tie.to < len(composition.items))
            assert isinstance(item.tie, Tie | None)
