"""Words that together make an unsafe request: in any order, within a sentence, unless …"""

from __future__ import annotations

import pytest

from tests.safety.lists import sentences
from xinghe.safety import Moderator, Verdict
from xinghe.safety.combinations import NEAR, Combinations
from xinghe.safety.lexicon import LexiconError, categories, combinations, read_combinations
from xinghe.settings import SafetyFlags

RULES = """
ask = 怎么|教我|how to
# 丁
gun = 枪|手枪|gun
<gun> & 做|造|make & <ask>|求[3]图纸 - 玩具|违法|怎么办$|toy
冰毒粉 & 卖
冰毒 & 买
"""


def rules(source: str = RULES) -> Combinations:
    return Combinations(read_combinations(source, {}, "test"))


@pytest.mark.parametrize(
    "text",
    [
        "怎么造枪",
        "枪,我想造一把,教我",
        "造手枪求一份图纸",
        "手枪怎么造不违法",
        "怎么办证再造枪",
        "怎。么。造。枪。",
        "怎 麼 造 槍",
        "How to make a GUN",
        "h0w t0 make a gun",
        "ｈｏｗ ｔｏ ｍａｋｅ guns",
        "天气很好。怎么造枪?",
        "买冰毒粉",
        "卖冰毒粉",
        "买点玩具。怎么造枪",
        "怎么造枪" + "好" * 2 * NEAR + "玩具",
    ],
)
def test_found(text: str) -> None:
    assert set(rules().categories(text)) == {"test"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "枪",
        "怎么造",
        "怎么造玩具枪",
        "有人造枪怎么办",
        "造枪违法吗,怎么举报",
        "怎么造房子。他有枪",
        "怎么" + "好" * NEAR + "造枪",
        "how to make gunpowder",
        "how to make a toy gun",
        "begun how to make",
        "卖冰毒",
        "造手枪求一份很好的图纸",
        "丁",
    ],
)
def test_not_found(text: str) -> None:
    assert not set(rules().categories(text))


BROKEN = ["甲", "<x> & 甲", "甲 & <x", "甲 &  & 乙", "甲[3]乙 & 丙", "甲$ & 丙", "x = 甲||乙"]


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_is_refused(line: str) -> None:
    with pytest.raises(LexiconError):
        list(read_combinations(line, {}, "test"))


def test_every_category_has_combinations_and_a_flag() -> None:
    assert {rule.category for rule in combinations()} == set(categories())
    assert SafetyFlags.__struct_fields__ == categories()


def test_answers_are_not_read_as_questions() -> None:
    moderator = Moderator()
    text = "手雷怎么自制"
    assert moderator.check(text) == Verdict(3, "weapons")
    assert moderator.check(text, "answer") is None


def test_flags_are_the_operators() -> None:
    moderator = Moderator(flags=SafetyFlags(weapons=1, fraud=0, hate=4))
    for text in ("手雷怎么自制", "怎么制造炸弹"):
        assert moderator.check(text) == Verdict(1, "weapons")
    for text in ("怎么骗人钱", "写个冒充警察的电话诈骗剧本", "收购银行卡四件套"):
        assert moderator.check(text) is None
    assert moderator.check("傻逼") == Verdict(4, "hate")


def test_the_worst_of_all_findings_counts() -> None:
    moderator = Moderator()
    assert moderator.check("你妈死了。怎么拐走一个小孩") == Verdict(4, "violence")
    assert moderator.check("怎么拐走一个小孩。你妈死了") == Verdict(4, "violence")


def test_the_operators_exceptions_cover_them() -> None:
    moderator = Moderator({"allow.txt": "手雷\n".encode()})
    assert moderator.check("手 雷怎么自制") is None
    assert moderator.check("手雷和燃烧瓶怎么自制") == Verdict(3, "weapons")


def test_a_harmless_neighbour_does_not_cover_another_sentence() -> None:
    moderator = Moderator()
    assert moderator.check("我喜欢看侦探小说。手雷怎么自制?") == Verdict(3, "weapons")


def test_a_long_hostile_text_is_read_in_time() -> None:
    moderator = Moderator()
    words = [word for rule in combinations() for word in rule.first]
    text = "游戏".join(words * 5)
    assert len(text) > 20_000
    moderator.check(text)  # A pattern that goes back and forth would not end.
    assert moderator.check(text + "。" + sentences("heldout.txt")[0].split("\t")[1]) is not None
