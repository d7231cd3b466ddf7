"""`reasoning_content` (section 5.7), before any content: on every kind of engine."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.expect import answered, malformed
from tests.kit.models import ABLE, CHAT, DULL, PLAIN, R1, STEERED
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from xinghe.catalog.deployments import ThinkingField

FIVE = [
    "ernie-x1-turbo-32k",
    "ernie-x1-32k",
    "ernie-x1-32k-preview",
    "deepseek-r1",
    "deepseek-r1-250528",
]
TAGGED = ["<th", "ink>\n", "想一", "想。", "</thi", "nk>\n\n", "答", "案"]


def in_order(stream: Any) -> tuple[str, str]:
    """The thought and the answer of a stream, where no thought comes after content."""
    thought = answer = ""
    for chunk in stream.chunks:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            if delta.get("reasoning_content"):
                assert not answer
                thought += delta["reasoning_content"]
            answer += delta["content"]
    return thought, answer


@pytest.mark.parametrize("mount", ["/llm/lmapi/v3", STRICT])
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_upstream_with_a_field_of_its_own(api: Api, mount: str, field: Any) -> None:
    script = Script(["答", "案"], thoughts=["想一", "想。"], thoughts_as=field)
    body = answered(api.at(mount).chat(model=ABLE, messages=script.messages))
    message = body["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("想一想。", "答案")
    assert body["usage"]["completion_tokens"] == 4
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2
    assert in_order(api.at(mount).stream(model=ABLE, messages=script.messages)) == (
        "想一想。",
        "答案",
    )


@pytest.mark.parametrize("wire", ["plain", "bytewise", "one_write"])
def test_upstream_with_tags(api: Api, wire: Any) -> None:
    script = Script(TAGGED, wire=wire)
    message = answered(api.chat(model=ABLE, messages=script.messages))["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("想一想。", "答案")
    assert in_order(api.stream(model=ABLE, messages=script.messages)) == ("想一想。", "答案")


def test_upstream_whose_template_opens_the_thought(api: Api) -> None:
    script = Script(["想。", "</think>", "答案"])
    message = answered(api.chat(model=R1, messages=script.messages))["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("想。", "答案")


def test_tags_are_text_on_a_model_that_shows_no_thoughts(api: Api) -> None:
    message = answered(api.chat(model=CHAT, messages=Script(TAGGED).messages))["choices"][0][
        "message"
    ]
    assert message["content"] == "".join(TAGGED)
    assert "reasoning_content" not in message


def test_engine_whose_model_does_not_think(api: Api, upstream: Upstream) -> None:
    """The platform lets it think first: two passes, one prompt to pay."""
    script = Script(["想一想。"], again=[Script(["答案"])])
    body = answered(api.chat(model=DULL, messages=script.messages))
    message = body["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("想一想。", "答案")
    first, second = (attempt.body for attempt in upstream.attempts(script))
    assert first["max_tokens"] == 512
    assert "想一想。" in second["messages"][-1]["content"]
    usage = body["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (10, 2)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 1


@pytest.mark.parametrize(
    ("fields", "bound"),
    [
        ({"thinking_budget": 100}, 100),
        ({"reasoning_effort": "low"}, 128),
        ({"reasoning_effort": "high"}, 512),
        ({}, 512),
    ],
)
def test_bound_of_the_chain(
    api: Api, upstream: Upstream, fields: dict[str, Any], bound: int
) -> None:
    script = Script(["想"], again=[Script(["答"])])
    answered(api.chat(model=DULL, messages=script.messages, **fields))
    assert upstream.attempts(script)[0].body["max_tokens"] == bound


def test_effort_none_thinks_nothing(api: Api, upstream: Upstream) -> None:
    script = Script(["答案"])
    message = answered(api.chat(model=DULL, messages=script.messages, reasoning_effort="none"))[
        "choices"
    ][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("", "答案")
    assert len(upstream.attempts(script)) == 1


def test_the_field_is_there_without_a_thought(api: Api) -> None:
    """The sample of section 5.7 reads it unguarded; `/v1` has no empty extra fields."""
    script = Script(["答"])
    for mount, thought in ((DOCUMENTED, ""), (STRICT, None)):
        body = answered(api.at(mount).chat(model=ABLE, messages=script.messages))
        assert body["choices"][0]["message"].get("reasoning_content") == thought


def test_effort_of_an_engine_that_thinks_by_itself_is_ignored(api: Api) -> None:
    script = Script(["答"], thoughts=["想"] * 40)
    reply = api.chat(model=ABLE, messages=script.messages, reasoning_effort="minimal")
    assert answered(reply)["choices"][0]["message"]["reasoning_content"] == "想" * 40
    assert reply.headers["x-ignored-parameters"] == "reasoning_effort"


def test_chain_that_does_not_end(api: Api) -> None:
    """An upstream that thinks beyond the bound is cut off there."""
    script = Script(["答"], thoughts=["想"] * 40)
    body = answered(api.chat(model=ABLE, messages=script.messages, thinking_budget=7))
    choice = body["choices"][0]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["reasoning_content"] == "想" * 7
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 7


def test_bound_of_the_answer_is_another(api: Api) -> None:
    script = Script(["答"] * 20, thoughts=["想"] * 20)
    body = answered(api.chat(model=ABLE, messages=script.messages, max_tokens=5))
    message = body["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("想" * 20, "答" * 5)
    assert body["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"thinking_budget": 513}, "512"),
        ({"thinking_budget": 0}, "thinking_budget"),
        ({"thinking_budget": "x"}, "thinking_budget"),
        ({"reasoning_effort": "much"}, "medium"),
    ],
)
def test_what_cannot_be_meant(api: Api, fields: dict[str, Any], says: str) -> None:
    malformed(api.chat(model=ABLE, **fields), says)


def test_budget_of_a_model_without_a_chain_is_ignored(api: Api) -> None:
    reply = api.chat(model=CHAT, thinking_budget=5, reasoning_effort="low")
    answered(reply)
    assert reply.headers["x-ignored-parameters"] == "thinking_budget, reasoning_effort"


OFF: list[dict[str, Any]] = [
    {"reasoning_effort": "none"},
    {"enable_thinking": False},
    {"thinking": {"type": "disabled"}},
    {"thinking": {"type": "disabled", "budget_tokens": 100}},
    {"enable_thinking": False, "thinking_budget": 100},
]
ON: list[tuple[dict[str, Any], int]] = [
    ({"enable_thinking": True}, 2048),
    ({"thinking": {"type": "enabled"}}, 2048),
    ({"thinking": {"type": "enabled", "budget_tokens": 100}}, 100),
    ({"thinking_budget": 100}, 100),
    ({"reasoning_effort": "low"}, 512),
    ({"enable_thinking": True, "thinking": {"type": "auto"}, "thinking_budget": 100}, 100),
]


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize("fields", OFF)
def test_every_switch_turns_the_thought_off(
    api: Api, upstream: Upstream, mount: str, fields: dict[str, Any]
) -> None:
    script = Script(["答案"])
    reply = api.at(mount).chat(model=DULL, messages=script.messages, **fields)
    assert answered(reply)["choices"][0]["message"]["content"] == "答案"
    assert len(upstream.attempts(script)) == 1


@pytest.mark.parametrize(("fields", "bound"), ON)
def test_every_switch_lets_any_model_think_at_v1(
    api: Api, upstream: Upstream, fields: dict[str, Any], bound: int
) -> None:
    """`PLAIN` has no chain of thought of its own, and its upstream gives none: a pass of ours."""
    script = Script(["想"], again=[Script(["答"])])
    body = answered(api.at(STRICT).chat(model=PLAIN, messages=script.messages, **fields))
    message = body["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("想", "答")
    assert upstream.attempts(script)[0].body["max_tokens"] == bound
    script = Script(["答"])
    reply = api.chat(model=PLAIN, messages=script.messages, **fields)
    assert "reasoning_content" not in answered(reply)["choices"][0]["message"]
    assert set(reply.headers["x-ignored-parameters"].split(", ")) == set(fields)


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"enable_thinking": True, "thinking": {"type": "disabled"}}, "thinking.type"),
        ({"enable_thinking": True, "reasoning_effort": "none"}, "reasoning_effort"),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}, "thinking_budget": 8}, "budget"),
    ],
)
def test_switches_that_contradict_one_another(
    api: Api, mount: str, fields: dict[str, Any], says: str
) -> None:
    malformed(api.at(mount).chat(model=ABLE, **fields), says)


def test_a_budget_above_the_models_is_brought_down_at_v1(api: Api, upstream: Upstream) -> None:
    for fields in ({"thinking_budget": 600}, {"thinking": {"type": "auto", "budget_tokens": 600}}):
        script = Script(["想"], again=[Script(["答"])])
        asked = {"model": DULL, "messages": script.messages, **fields}
        reply = api.at(STRICT).chat(**asked)
        answered(reply)
        assert reply.headers["x-adjusted-parameters"].endswith("=512")
        assert upstream.attempts(script)[0].body["max_tokens"] == 512
        malformed(api.chat(**asked), 600, 512)


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        (
            {"enable_thinking": False},
            {
                "enable_thinking": False,
                "chat_template_kwargs": {"enable_thinking": False, "thinking": False},
                "thinking": {"type": "disabled"},
                "reasoning_effort": "none",
            },
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 100}},
            {
                "enable_thinking": True,
                "chat_template_kwargs": {"enable_thinking": True, "thinking": True},
                "thinking": {"type": "enabled", "budget_tokens": 100},
                "thinking_budget": 100,
            },
        ),
        ({"thinking": {"type": "adaptive"}}, {}),
        ({}, {}),
    ],
)
def test_an_upstream_is_told_in_its_own_form(
    api: Api, upstream: Upstream, fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    script = Script(["答"])
    reply = api.at(STRICT).chat(model=STEERED, messages=script.messages, **fields)
    answered(reply)
    assert "x-ignored-parameters" not in reply.headers
    body = upstream.received(script).body
    assert {name: body[name] for name in get_args(ThinkingField) if name in body} == sent


@pytest.mark.embedded
@pytest.mark.parametrize("model", FIVE)
def test_embedded_engine(api: Api, model: str) -> None:
    stream = api.stream(
        model=model,
        messages=[{"role": "user", "content": "1+1=?"}],
        max_tokens=8,
        thinking_budget=12,
        stream_options={"include_usage": True},
    )
    thought, answer = in_order(stream)
    assert thought
    assert answer
    usage = stream.usage
    assert usage is not None
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] <= 12
    assert usage["completion_tokens"] <= 20
