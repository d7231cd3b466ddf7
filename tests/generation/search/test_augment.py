"""Deciding, searching and building the prompt; a search that fails costs no answer."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence

import pytest

from xinghe.core import Constraint, Message, NothingFoundDelta, Picture, Source
from xinghe.engines.prompts import estimated_tokens
from xinghe.generation.search import Augmented, SearchOptions, augment, planned_query
from xinghe.search import Measure, Reference, SearchFailed

PLAIN = SearchOptions()
TODAY = datetime.date(2026, 1, 2)
FOUND = [
    Reference(1, "https://e.org/1", "标题一", "题一", "正文一。"),
    Reference(None, "https://corp.example/2", "内部", "内部", "正文二。"),
    Reference(2, "https://e.org/3", "标题三", "题三", "正文三。"),
]


class AskModel:
    """Answers the planning pass with a text, or fails."""

    def __init__(self, answer: str | Exception = "") -> None:
        self._answer = answer
        self.conversations: list[Sequence[Message]] = []

    async def __call__(
        self, messages: Sequence[Message], constraint: Constraint, max_tokens: int
    ) -> str:
        self.conversations.append(messages)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


class Shelf:
    """Gives what it holds, or fails."""

    def __init__(self, found: Sequence[Reference] | None = FOUND) -> None:
        self._found = found
        self.asked: list[tuple[str, int, int, int]] = []

    async def search(
        self, query: str, *, number: int, references: int, budget: int, measure: Measure
    ) -> list[Reference]:
        self.asked.append((query, number, references, budget))
        if self._found is None:
            raise SearchFailed("gone")
        return list(self._found)


async def run(
    *turns: str | Message,
    ask: AskModel | None = None,
    shelf: Shelf | None = None,
    options: SearchOptions = PLAIN,
    words: Sequence[Message] | None = None,
) -> Augmented:
    messages = [
        turn if isinstance(turn, Message) else Message("assistant" if at % 2 else "user", turn)
        for at, turn in enumerate(turns)
    ]
    ask = ask or AskModel(AssertionError("the model was asked"))
    query = await planned_query(messages if words is None else words, ask, messages)
    if query is None:
        return Augmented(tuple(messages))
    return await augment(
        messages,
        query,
        options,
        shelf or Shelf(),
        budget=600,
        measure=estimated_tokens,
        today=TODAY,
    )


def plan(search: bool, query: str = "") -> AskModel:
    return AskModel(json.dumps({"search": search, "query": query}))


async def test_what_was_found_stands_before_the_question_as_data() -> None:
    shelf = Shelf()
    options = SearchOptions(citation=True, search_number=7, reference_number=3)
    made = await run("今天有什么新闻?", shelf=shelf, options=options)
    assert shelf.asked == [("今天有什么新闻?", 7, 3, 600)]
    assert made.searches == 1
    assert made.sources == (
        Source(1, "https://e.org/1", "标题一"),
        Source(2, "https://e.org/3", "标题三"),
    )
    assert made.evidence == ("题一\n正文一。", "题三\n正文三。")
    text = made.messages[-1].content
    assert text.endswith("今天有什么新闻?")
    assert "2026年1月2日,星期五" in text
    (mark,) = set(re.findall(r"资料[0-9a-f]{12}", text))
    assert text.count(mark) == 3
    data = text.split(mark)[2]
    assert data == "\n[1] 题一\n正文一。\n\n(内部资料) 内部\n正文二。\n\n[2] 题三\n正文三。\n"
    assert "corp.example" not in text
    assert made.tokens == estimated_tokens(text) - estimated_tokens("今天有什么新闻?")
    again = await run("今天有什么新闻?", options=options)
    assert mark not in again.messages[-1].content


async def test_citations_are_asked_for_only_where_wanted() -> None:
    assert "^[1]^" not in (await run("今天有什么新闻?")).messages[-1].content


@pytest.mark.parametrize("question", ["你好", "1+1等于几"])
async def test_no_search_leaves_everything_as_it_is(question: str) -> None:
    shelf = Shelf()
    made = await run(question, shelf=shelf)
    assert made == Augmented((Message("user", question),))
    assert shelf.asked == []


async def test_the_model_decides_what_rules_cannot() -> None:
    shelf = Shelf()
    await run("光合作用的原理", ask=plan(False), shelf=shelf)
    assert shelf.asked == []
    shelf = Shelf()
    await run("光合作用的原理", ask=plan(True, " 光合作用\n原理 "), shelf=shelf)
    assert shelf.asked[0][0] == "光合作用 原理"


async def test_a_question_that_leans_on_the_conversation_is_made_whole() -> None:
    shelf, ask = Shelf(), plan(True, "姚明 现任职务")
    await run("姚明多高?", "2.26米。<|im_end|>", "那他现在呢?", ask=ask, shelf=shelf)
    assert shelf.asked[0][0] == "姚明 现任职务"
    read = ask.conversations[0][-1].content
    assert "姚明多高?" in read
    assert "<|im_end|>" not in read


@pytest.mark.parametrize(
    "answer", ["", "no json", '{"search": 3}', '{"search": true, "query": ""}']
)
async def test_a_plan_that_fails_falls_back_to_the_words(answer: str) -> None:
    shelf = Shelf()
    await run("姚明多高?", "2.26米。", "那他现在呢?", ask=AskModel(answer), shelf=shelf)
    assert shelf.asked[0][0] == "姚明多高? 那他现在呢?"
    shelf = Shelf()
    await run("光合作用的原理", ask=AskModel(RuntimeError("engine")), shelf=shelf)
    assert shelf.asked[0][0] == "光合作用的原理"


@pytest.mark.parametrize(
    ("shelf", "billed", "said"), [(Shelf(None), 0, "没有成功"), (Shelf([]), 1, "没有找到")]
)
async def test_without_results_it_is_answered_without(shelf: Shelf, billed: int, said: str) -> None:
    made = await run("今天有什么新闻?", shelf=shelf)
    assert (made.searches, made.sources, made.evidence) == (billed, (), ())
    assert made.nothing == NothingFoundDelta(failed=not billed)
    assert f"联网搜索{said}" in made.messages[-1].content
    assert made.messages[-1].content.endswith("今天有什么新闻?")


async def test_only_private_sources_are_never_shown() -> None:
    made = await run("今天有什么新闻?", shelf=Shelf(FOUND[1:2]))
    assert (made.searches, made.sources, made.evidence) == (1, (), ())
    assert made.nothing is None
    assert "正文二" in made.messages[-1].content


async def test_pictures_keep_their_place() -> None:
    picture = Picture(b"", "image/png", 1, 1)
    message = Message("user", "今天这是什么新闻?", parts=(picture, "今天这是什么新闻?"))
    made = await run(message)
    assert made.messages[-1].parts[1:] == message.parts
    assert made.messages[-1].content == f"{made.messages[-1].parts[0]}今天这是什么新闻?"


SHOWN = Message("user", "[图片1:340×110像素。图里写的全部文字是:「雷峰塔」]\n今天有什么新闻?")
ASKED = Message("user", "今天有什么新闻?", parts=(Picture(b"", "image/png", 1, 1), "今天…"))


async def test_a_question_with_a_picture_that_was_read_is_made_whole() -> None:
    shelf, ask = Shelf(), plan(True, "雷峰塔 新闻")
    made = await run(SHOWN, ask=ask, shelf=shelf, words=[ASKED])
    assert shelf.asked[0][0] == "雷峰塔 新闻"
    told = ask.conversations[0][-1].content
    assert "雷峰塔" in told
    assert told.endswith("最后一个问题:今天有什么新闻?")
    assert made.messages[-1].content.endswith(SHOWN.content)


async def test_what_a_picture_says_is_sent_to_nobody_unchosen() -> None:
    """Nor does it decide whether to search."""
    shelf = Shelf()
    await run(SHOWN, ask=AskModel(""), shelf=shelf, words=[ASKED])
    assert shelf.asked[0][0] == "今天有什么新闻?"
    shelf = Shelf()
    await run(SHOWN, shelf=shelf, words=[Message("user", "你好", parts=ASKED.parts)])
    assert shelf.asked == []


async def test_a_last_message_that_is_a_tool_s_is_left_alone() -> None:
    shelf, tool = Shelf(), Message("tool", "31度", tool_call_id="a")
    await run("今天天气?", Message("assistant", ""), tool, shelf=shelf)
    assert shelf.asked == []


async def test_courtesy_and_length_stay_out_of_the_query() -> None:
    shelf = Shelf()
    await run("请帮我联网搜索一下,最新的空间站消息" + "啊" * 500, shelf=shelf)
    assert shelf.asked[0][0].startswith("最新的空间站消息")
    assert len(shelf.asked[0][0]) == 100
