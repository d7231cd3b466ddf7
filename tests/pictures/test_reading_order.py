"""The order in which lines are read."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from xinghe.pictures.worker import Line, in_reading_order


def line(text: str, left: float, top: float, width: float = 0.0, height: float = 20.0) -> Line:
    return Line(text, left, top, left + (width or 20.0 * len(text)), top + height)


def shuffled(lines: list[Line]) -> list[Line]:
    return random.Random(7).sample(lines, len(lines))


def test_from_top_to_bottom() -> None:
    lines = [line(str(n), 10, 30 * n) for n in range(40)]
    assert in_reading_order(shuffled(lines)) == [str(n) for n in range(40)]


def test_two_columns_under_a_title() -> None:
    lines = [line("题目横跨两栏的一个标题", 150, 0, 500)]
    lines += [line(f"左栏正文第{n}行文字", 0, 60 + 30 * n) for n in range(5)]
    lines += [line(f"右栏正文第{n}行文字", 400, 60 + 30 * n) for n in range(5)]
    expected = ["题目横跨两栏的一个标题"]
    expected += [f"{side}栏正文第{n}行文字" for side in "左右" for n in range(5)]
    assert in_reading_order(shuffled(lines)) == expected


def test_a_table_is_read_across() -> None:
    rows = [("品名", "价格", "数量"), ("苹果", "5", "10"), ("梨", "3", "20"), ("桃", "8", "7")]
    lines = [
        line(cell, 200 * column, 40 * number + column)
        for number, row in enumerate(rows)
        for column, cell in enumerate(row)
    ]
    assert in_reading_order(shuffled(lines)) == ["  ".join(row) for row in rows]


def test_slightly_tilted_lines_stay_apart() -> None:
    lines = [line(str(n), 10, 20 * n, 300, 25) for n in range(10)]
    assert in_reading_order(shuffled(lines)) == [str(n) for n in range(10)]


BOXES = st.tuples(*[st.floats(0, 1000)] * 2, *[st.floats(0, 300)] * 2)


@given(st.lists(BOXES, max_size=30), st.randoms(use_true_random=False))
def test_nothing_is_lost_and_the_order_given_does_not_matter(
    boxes: list[tuple[float, float, float, float]], chance: random.Random
) -> None:
    lines = [
        Line(f"<{n}>", left, top, left + width, top + height)
        for n, (left, top, width, height) in enumerate(boxes)
    ]
    found = in_reading_order(lines)
    assert sorted("  ".join(found).split()) == sorted(one.text for one in lines)
    chance.shuffle(lines)
    assert in_reading_order(lines) == found


def test_a_thousand_lines() -> None:
    lines = [line(str(n), 10, 5 * n, 50, 20) for n in range(1000)]
    assert len("  ".join(in_reading_order(lines)).split()) == 1000
