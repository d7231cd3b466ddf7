"""Which questions plainly need a search."""

from __future__ import annotations

import time

import pytest

from tests.kit.pace import allowed
from xinghe.generation.search.augment import need


@pytest.mark.parametrize(
    "question",
    [
        "2024年奥运会乒乓球男单冠军是谁",
        "今天上海天气怎么样?",
        "最新的 iPhone 多少钱",
        "现任联合国秘书长是谁?",
        "近期有什么科技新闻",
        "帮我查一下高铁票改签规则",
        "who won the 2022 world cup?",
        "what is the weather in Paris today",
        "latest Python release",
        "比亚迪股价",
        "Xinghe 怎么限制账户每分钟的请求数?",
        "珠穆朗玛峰有多高?",
        "《红楼梦》的作者是谁",
        "星河的访问令牌怎样设花费上限?",
    ],
)
def test_yes(question: str) -> None:
    assert need(question) == "yes"


@pytest.mark.parametrize(
    "question",
    [
        "你好",
        "您好啊!",
        "谢谢你",
        "hello",
        "1+1等于几?",
        "计算 12*(3+4)",
        "把下面的句子翻译成英文:今天的新闻说股价跌了。",
        "Translate to Chinese: the latest news",
        "请总结这段话:2024年的奥运会在巴黎举行。",
        "用 Python 写一个快速排序函数",
        "写一首关于今天的诗",
        "你是谁",
        "不要联网,说说2024年奥运会",
        "```\nprint(2024)\n```\n这段代码有什么问题",
        "",
    ],
)
def test_no(question: str) -> None:
    assert need(question) == "no"


@pytest.mark.parametrize("question", ["光合作用的原理", "who wrote Hamlet"])
def test_unsure(question: str) -> None:
    assert need(question) == "unsure"


def test_a_long_word_is_quick() -> None:
    """It holds up everybody's streams while it is looked at."""
    began = time.monotonic()
    for _ in range(10):
        need("a" * 1000)
    assert time.monotonic() - began < allowed(0.5)


def test_a_huge_question_is_quick() -> None:
    began = time.monotonic()
    for char in "1?今 你 好,写":
        need(char * 1_000_000)
    assert time.monotonic() - began < allowed(2)
