"""A phrase is found however it is written, and not where it only seems to be."""

from __future__ import annotations

import pytest

from tests.safety.lists import matcher

BANNED = matcher("冰毒", "贩卖人口", "制造炸弹", "pipe bomb", "gun", "café", "后台密码", "5G诈骗")


@pytest.mark.parametrize(
    "text",
    [
        "冰毒",
        "我要冰毒吗",
        "冰 毒",
        "冰　毒",
        "冰\u200b毒",
        "冰*毒",
        "冰.毒",
        "冰🧊毒",
        "冰👩‍👩‍👧毒",
        "冰\u0301毒",
        "冰--__--毒",
        "販賣人口",
        "製造炸彈",
        "製 造 炸 彈",
        "制，造，炸，弹",
        "制\n造\n炸\n弹",
        "後臺密碼",
        "Pipe Bomb",
        "PIPE   BOMB",
        "pipe-bomb",
        "ｐｉｐｅ　ｂｏｍｂ",
        "𝓹𝓲𝓹𝓮 𝐛𝐨𝐦𝐛",
        "ріре bоmb",  # Cyrillic
        "p1pe b0mb",
        "p\u200bipe bo\u200bmb",
        "🅿🅘🅟🅔 🅱🅞🅜🅑",
        "a gun!",
        "买gun吗",
        "cafe",
        "CAFÉ",
        "cafe\u0301",
        "5g诈骗",
        "\ud83d冰毒\udc00",
    ],
)
def test_found(text: str) -> None:
    assert BANNED.check(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ud800",
        "\u200b",
        "路面结冰。毒蛇冬眠",
        "路面结冰，毒蛇冬眠",
        "冰" + " " * 17 + "毒",
        "gunpowder",
        "begun",
        "shotgun",
        "bagpipe bomb",
        "pipe bombastic",
        "pipe bo mb",
        "9un",
        "13点",
        "3.13.2",
        "sg诈骗",
    ],
)
def test_not_found(text: str) -> None:
    assert BANNED.check(text) is None


def test_a_phrase_at_any_place_of_a_long_text() -> None:
    filler = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。\n"
    for lead in (0, 1, 150, 163, 164, 170, 400):
        for text in ("制造炸弹", "制 造 炸 弹", "製🧨造 炸*彈"):
            long = filler * lead + text + filler * 200
            assert BANNED.check(long) is not None, (lead, text)
    assert BANNED.check(filler * 1000) is None


@pytest.mark.slow
def test_every_code_point_is_folded() -> None:
    everything = "".join(map(chr, range(0x110000)))
    assert BANNED.check(everything) is None
    assert BANNED.check(everything + "。冰毒") is not None
