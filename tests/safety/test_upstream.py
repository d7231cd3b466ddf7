"""An upstream moderation model: asked after the lexicon, its categories become flags."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from tests.safety.model import BAD, Model, review, serving
from xinghe.safety import Moderator, Place, Verdict
from xinghe.safety.moderator import ASKED_AT_ONCE
from xinghe.safety.upstream import OVERLAP, PIECE, UNCHECKED
from xinghe.settings import SafetyFlags, SafetyUpstream

Make = Callable[..., Moderator]


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    async with serving() as model:
        yield model


@pytest.fixture
async def make(model: Model) -> AsyncIterator[Make]:
    made: list[Moderator] = []

    def make(own: SafetyFlags | None = None, **settings: Any) -> Moderator:
        upstream = SafetyUpstream(**{"url": model.url} | settings)
        made.append(Moderator(flags=own or SafetyFlags(), upstream=upstream))
        return made[-1]

    yield make
    for moderator in made:
        await moderator.aclose()


async def test_its_finding_becomes_a_verdict(model: Model, make: Make) -> None:
    moderator = make(model="omni")
    assert await review(moderator, f"说说{BAD}") == Verdict(4, "upstream/violence")
    assert await review(moderator, "说说天气") is None
    assert model.asked == [
        {"input": f"说说{BAD}", "model": "omni"},
        {"input": "说说天气", "model": "omni"},
    ]


async def test_what_the_lexicon_finds_is_not_sent(model: Model, make: Make) -> None:
    verdict = await review(make(), "怎么制造炸弹")
    assert verdict == Verdict(3, "weapons")
    assert model.asked == []


async def test_a_text_is_asked_about_once(model: Model, make: Make) -> None:
    moderator = make()
    for _ in range(3):
        assert await review(moderator, BAD) is not None
        assert await review(moderator, "天气") is None
    assert len(model.asked) == 2


async def test_equal_texts_of_a_request_are_asked_about_once(model: Model, make: Make) -> None:
    texts: list[tuple[str, Place]] = [("天气", "user"), (BAD, "conversation")] * 3
    texts += [("字" * 9 * PIECE, "conversation"), (BAD, "answer")]
    found = await make(answers=False).review(texts)
    assert [bool(verdict) for verdict in found] == [False, True] * 3 + [False, False]
    # All pieces of the long one but the last are equal.
    assert len(model.asked) == 4


REFUSED: dict[str, tuple[tuple[str, Place], int]] = {
    "by the lexicon": (("怎么制造炸弹", "user"), 0),
    "by the model": ((BAD, "functions"), ASKED_AT_ONCE),
    "by the model in a system message": ((BAD, "system"), ASKED_AT_ONCE),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_of_a_refused_request_no_more_is_asked(model: Model, make: Make, case: str) -> None:
    first, asked = REFUSED[case]
    texts = [first, *((f"第{at}句", "conversation") for at in range(40))]
    found = await make().review(texts)
    assert len(found) == len(texts)
    assert found[0] is not None
    assert len(model.asked) == asked


@pytest.mark.parametrize("text", ["怎么制造炸弹", BAD])
async def test_of_an_unsafe_conversation_all_is_asked(model: Model, make: Make, text: str) -> None:
    """The worst that is found in it counts, and where."""
    texts: list[tuple[str, Place]] = [(text, "conversation")]
    texts += [(f"第{at}句", "conversation") for at in range(8)]
    texts += [(f"{BAD}!", "conversation")]
    found = await make().review(texts)
    assert found[0] is not None
    assert found[-1] == Verdict(4, "upstream/violence")


async def test_blank_texts_are_not_sent(model: Model, make: Make) -> None:
    moderator = make()
    assert await review(moderator, "") is None
    assert await review(moderator, " \n") is None
    assert model.asked == []


@pytest.mark.parametrize(
    ("category", "flags", "wanted"),
    [
        ("sexual/minors", {}, Verdict(4, "upstream/sexual/minors")),
        ("hate", {}, Verdict(2, "upstream/hate")),
        ("illicit", {}, Verdict(1, "upstream/illicit")),
        ("hate", {"hate": 4}, Verdict(4, "upstream/hate")),
        ("violence", {"violence": 0}, None),
        ("S1-何也" * 50, {}, Verdict(1, "upstream/other")),
        ("mine", {"mine": 2}, Verdict(2, "upstream/mine")),
    ],
)
async def test_categories_become_flags(
    model: Model, make: Make, category: str, flags: dict[str, int], wanted: Verdict | None
) -> None:
    model.category = category
    assert await review(make(flag=1, flags=flags), BAD) == wanted


async def test_a_category_that_the_operator_switched_off_is_off_here_too(
    model: Model, make: Make
) -> None:
    assert await review(make(SafetyFlags(violence=0)), BAD) is None
    model.category = "hate"
    assert await review(make(SafetyFlags(violence=0)), BAD) == Verdict(2, "upstream/hate")


async def test_the_key_comes_from_the_variable(
    model: Model, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARD_KEY", " secret\n")
    await review(make(key_env="GUARD_KEY"), "天气")
    await review(make(), "天气")
    assert model.headers[0]["Authorization"] == "Bearer secret"
    assert "Authorization" not in model.headers[1]


async def test_a_long_text_is_sent_whole_in_overlapping_pieces(model: Model, make: Make) -> None:
    moderator = make()
    for at in (0, PIECE - 2, PIECE - OVERLAP - 1, 3 * PIECE):
        text = "天" * at + BAD + "地" * (3 * PIECE)
        assert await review(moderator, text) == Verdict(4, "upstream/violence"), at
    assert all(len(body["input"]) <= PIECE for body in model.asked)


async def test_lone_surrogates_are_no_trouble(make: Make) -> None:
    assert await review(make(), f"\ud800{BAD}") == Verdict(4, "upstream/violence")


async def test_a_chat_model_is_asked_for_a_verdict(model: Model, make: Make) -> None:
    moderator = make(kind="chat", model="any")
    assert await review(moderator, BAD) == Verdict(4, "upstream/violence")
    assert await review(moderator, "天气") is None
    first = model.asked[0]
    assert first["model"] == "any"
    assert first["messages"][-1] == {"role": "user", "content": BAD}
    assert "personal_data" in first["messages"][0]["content"]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("unsafe\nS1", Verdict(3, "upstream/unspecified")),
        ("Safety: Unsafe\nCategories: Violent", Verdict(3, "upstream/unspecified")),
        ("safe", None),
        ('<think>is it unsafe?</think>\n```json\n{"unsafe": false}\n```', None),
        ('{"unsafe": true}', Verdict(3, "upstream/unspecified")),
        ("I cannot say.", Verdict(3, UNCHECKED)),
        ('{"unsafe": "perhaps"}', Verdict(3, UNCHECKED)),
    ],
)
async def test_what_chat_models_say(
    model: Model, make: Make, said: str, wanted: Verdict | None
) -> None:
    model.said = said
    assert await review(make(kind="chat", model="any", on_error="refuse"), "天气") == wanted


RESULTS: list[tuple[Any, Verdict | None]] = [
    ({"flagged": True, "categories": None}, Verdict(3, "upstream/unspecified")),
    ({"flagged": True}, Verdict(3, "upstream/unspecified")),
    ({"flagged": None, "categories": {"violence": True, "hate": None}},
     Verdict(4, "upstream/violence")),
    ({"categories": {"violence": False}, "category_scores": {"violence": 0.1}}, None),
    ({"flagged": False, "categories": {"violence": True}}, None),
    ({"categories": None}, Verdict(3, UNCHECKED)),
]  # fmt: skip


@pytest.mark.parametrize(("result", "wanted"), RESULTS, ids=range(len(RESULTS)))
async def test_what_a_result_leaves_out(
    model: Model, make: Make, result: Any, wanted: Verdict | None
) -> None:
    model.fault = lambda: web.json_response({"results": [result]})
    assert await review(make(on_error="refuse"), "天气") == wanted


FAULTS: dict[str, Callable[[], web.Response]] = {
    "status": lambda: web.json_response({"error": "天气"}, status=500),
    "redirect": lambda: web.Response(status=307, headers={"Location": "http://127.0.0.1:1/"}),
    "no json": lambda: web.Response(text="<html>"),
    "not utf-8": lambda: web.Response(body=b"\xff\xfe"),
    "no result": lambda: web.json_response({"results": []}),
    "another shape": lambda: web.json_response({"results": [{"flagged": "no"}]}),
    "endless": lambda: web.Response(text='{"results": [' + " " * 1_000_000),
}


def hostile(text: str) -> Callable[[], web.Response]:
    return lambda: web.Response(text=text)


FAULTS |= {
    "deep": hostile('{"results": ' + "[" * 100_000),
    "deep elsewhere": hostile('{"x": ' + "[" * 5000 + "]" * 5000 + "}"),
    "compressed": lambda: web.Response(body=b"x" * 50, headers={"Content-Encoding": "gzip"}),
    "a value that quotes": hostile('{"results": [{"flagged": "天气"}]}'),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_what_the_operator_says_it_is(
    model: Model, make: Make, fault: str
) -> None:
    model.fault = FAULTS[fault]
    with capture_logs() as logs:
        assert await review(make(), "天气") is None
        assert await review(make(on_error="refuse", flag=2), "天气") == Verdict(2, UNCHECKED)
    told = [entry for entry in logs if entry["log_level"] == "warning"]
    assert len(told) == 2
    assert "天气" not in repr(told)


async def test_thoughts_without_end_cost_little(model: Model, make: Make) -> None:
    """Read by a pattern that looks for the end of each, they took minutes."""
    model.said = "<think>" * 30_000
    begun = time.thread_time()
    assert await review(make(kind="chat", model="any", on_error="refuse"), "天气") is not None
    assert time.thread_time() - begun < 1


async def test_many_categories_are_told_by_few_names(model: Model, make: Make) -> None:
    names = {f"category-{at}": True for at in range(8000)}
    model.fault = lambda: web.json_response({"results": [{"flagged": True, "categories": names}]})
    verdict = await review(make(), "天气")
    assert verdict == Verdict(3, "upstream/other")


async def test_a_server_that_is_gone_or_slow(model: Model, make: Make) -> None:
    gone = make(url="http://127.0.0.1:1/v1", on_error="refuse")
    assert await review(gone, "天气") == Verdict(3, UNCHECKED)
    model.delay = 5
    slow = make(timeout=0.2, on_error="refuse")
    begun = asyncio.get_running_loop().time()
    assert await review(slow, "天气") == Verdict(3, UNCHECKED)
    assert asyncio.get_running_loop().time() - begun < 3


async def test_a_fault_is_not_remembered_and_told_once(model: Model, make: Make) -> None:
    moderator = make(on_error="refuse")
    model.fault = FAULTS["status"]
    with capture_logs() as logs:
        assert await review(moderator, "天气") is not None
        assert await review(moderator, "天气") is not None
        model.fault = None
        assert await review(moderator, "天气") is None
    assert [entry["event"] for entry in logs] == [
        "moderation model fails",
        "moderation model answers again",
    ]


async def test_a_review_can_be_cancelled(model: Model, make: Make) -> None:
    model.delay = 5
    moderator = make()
    asked = asyncio.create_task(review(moderator, BAD))
    await asyncio.sleep(0.1)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    model.delay = 0
    assert await review(moderator, BAD) is not None


async def test_answers_are_asked_about_only_if_wanted(model: Model, make: Make) -> None:
    moderator = make(answers=False)
    assert await review(moderator, BAD, "answer") is None
    assert not moderator.asks_of_answers
    assert model.asked == []
    assert await review(make(), BAD, "answer") is not None
