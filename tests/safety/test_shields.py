"""What lies within an allowed phrase is not found; what only overlaps it is."""

from __future__ import annotations

from tests.safety.lists import matcher
from xinghe.safety.lists import read_list
from xinghe.safety.matcher import Matcher
from xinghe.safety.phrases import Phrase


def test_an_allowed_phrase_shields_what_it_covers() -> None:
    watch = matcher("冰毒", allowed=("冰毒的危害", "远离冰毒"))
    assert watch.check("冰毒的危害有哪些") is None
    assert watch.check("请远离 冰 毒") is None
    assert watch.check("冰毒的价格") is not None
    assert watch.check("冰毒的危害不大，冰毒多少钱") is not None


def test_an_overlap_shields_nothing() -> None:
    watch = matcher("毒品交易", allowed=("拒绝毒品",))
    assert watch.check("拒绝毒品交易") is not None


def test_the_most_severe_finding_counts_and_of_equals_the_earliest() -> None:
    watch = matcher("甲甲\t1", "乙乙\t4", "丙丙\t4")
    low, high = watch.check("甲甲"), watch.check("甲甲丙丙乙乙")
    assert low is not None
    assert (low.flag, low.category) == (1, "operator/block")
    assert high is not None
    assert high.flag == 4


def test_the_lexicons_shields_do_not_cover_the_operators_phrases() -> None:
    shield = Phrase((("冰毒的危害",),), 0, "drugs")
    builtin = Phrase((("冰毒",),), 3, "drugs")
    own = read_list("own.txt", "冰毒".encode()).phrases
    assert Matcher([shield, builtin]).check("冰毒的危害") is None
    assert Matcher([shield, builtin, *own]).check("冰毒的危害") is not None


def test_the_operators_shields_cover_the_lexicons_phrases() -> None:
    builtin = Phrase((("冰毒",),), 3, "drugs")
    own = read_list("allow.txt", "冰毒".encode()).phrases
    assert Matcher([builtin, *own]).check("冰毒") is None
