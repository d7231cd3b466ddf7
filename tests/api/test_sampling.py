"""Sampling parameters: their ranges at each mount, and those that a model does not support."""

from __future__ import annotations

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.expect import answered, malformed
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.upstream import Upstream

TAKEN = [
    ("temperature", 0),
    ("temperature", 0.01),
    ("temperature", 1.0),
    ("temperature", 1),
    ("temperature", None),
    ("top_p", 0),
    ("top_p", 1.0),
    ("penalty_score", 1.0),
    ("penalty_score", 2.0),
    ("frequency_penalty", -2.0),
    ("presence_penalty", 2.0),
    ("seed", 1),
    ("seed", 2147483646),
]

REFUSED = [
    # (field, value, what the message names as the edge of the range)
    ("temperature", 1.5, "1"),
    ("temperature", -0.1, "0"),
    ("top_p", 1.01, "1"),
    ("top_p", -1, "0"),
    ("penalty_score", 0.9, "1"),
    ("penalty_score", 2.1, "2"),
    ("frequency_penalty", -2.1, "-2"),
    ("presence_penalty", 2.1, "2"),
    ("seed", 0, "[1, 2147483646]"),
    ("seed", 2147483647, "[1, 2147483646]"),
    ("seed", -1, "[1, 2147483646]"),
]

WRONG_TYPE = [
    ("temperature", "hot"),
    ("temperature", True),
    ("top_p", [1]),
    ("seed", 1.5),
    ("seed", "7"),
    ("stream", "yes"),
    ("penalty_score", {}),
]


@pytest.mark.parametrize("mount", ["/llm/lmapi/v3", STRICT])
def test_names_much_like_known_ones(api: Api, mount: str) -> None:
    """The right one is told; a parameter of others is named alone, however alike."""
    reply = api.at(mount).chat(
        model=CHAT, max_token=7, maxTokens=7, **{"top-p": 1}, top_k=5, repetition_penalty=1.1,
        web_search={"enabled": False}, stop_word="x",
    )  # fmt: skip
    answered(reply)
    assert reply.headers["x-ignored-parameters"] == (
        "max_token (did you mean max_tokens?), maxTokens (did you mean max_tokens?), "
        "top-p (did you mean top_p?), top_k, repetition_penalty, stop_word, "
        "web_search.enabled (did you mean web_search.enable?)"
    )


@pytest.mark.parametrize(("field", "value"), TAKEN)
def test_taken_where_documented(api: Api, field: str, value: object) -> None:
    reply = api.chat(model=CHAT, **{field: value})
    answered(reply)
    assert field not in reply.headers.get("x-ignored-parameters", "")


@pytest.mark.parametrize(("field", "value", "edge"), REFUSED)
def test_out_of_range_where_documented(api: Api, field: str, value: float, edge: str) -> None:
    malformed(api.chat(model=CHAT, **{field: value}), field, value, edge, param=field)


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize(("field", "value"), WRONG_TYPE)
def test_wrong_type(api: Api, mount: str, field: str, value: object) -> None:
    malformed(api.at(mount).chat(model=CHAT, **{field: value}), field)


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", 0), ("temperature", 2.0), ("seed", 0), ("seed", -5), ("seed", 2**40)],
)
def test_openai_ranges_at_the_strict_mount(api: Api, field: str, value: float) -> None:
    answered(api.at(STRICT).chat(model=CHAT, **{field: value}))


@pytest.mark.parametrize(("field", "value"), [("temperature", 2.1), ("top_p", 1.1)])
def test_out_of_range_at_the_strict_mount(api: Api, field: str, value: float) -> None:
    malformed(api.at(STRICT).chat(model=CHAT, **{field: value}), field, value, param=field)


def test_parameters_reach_the_engine(api: Api, upstream: Upstream) -> None:
    script = Script()
    answered(
        api.chat(
            model=CHAT,
            messages=script.messages,
            temperature=0.3,
            top_p=0.4,
            seed=11,
            frequency_penalty=0.5,
            presence_penalty=-0.5,
            max_completion_tokens=33,
        )
    )
    body = upstream.received(script).body
    sent = (body["temperature"], body["top_p"], body["seed"])
    assert sent == (0.3, 0.4, 11)
    assert (body["frequency_penalty"], body["presence_penalty"]) == (0.5, -0.5)
    assert 33 in (body.get("max_tokens"), body.get("max_completion_tokens"))


@pytest.mark.embedded
def test_unsupported_parameters_are_left_out_and_named(api: Api) -> None:
    reply = api.chat(
        model="deepseek-v3",
        max_completion_tokens=2,
        temperature=0.5,
        top_p=0.5,
        penalty_score=1.5,
        frequency_penalty=1.0,
    )
    answered(reply)
    assert ignored(reply.headers) == {
        "temperature",
        "top_p",
        "penalty_score",
        "frequency_penalty",
    }


def test_unknown_fields_are_named_too(api: Api) -> None:
    reply = api.chat(model=CHAT, temperature=0.5, my_own_field=1, another={"x": 1})
    answered(reply)
    assert ignored(reply.headers) == {"my_own_field", "another"}


def test_nothing_ignored_nothing_named(api: Api) -> None:
    assert "x-ignored-parameters" not in api.chat(model=CHAT, temperature=0.5).headers


@pytest.mark.embedded
def test_same_seed_same_answer(api: Api) -> None:
    messages = [{"role": "user", "content": "写一句诗"}]
    asked = {"model": "ernie-speed-8k", "messages": messages, "max_tokens": 12, "seed": 42}
    assert_repeatable(api, asked)


@pytest.mark.embedded
def test_temperature_zero_is_greedy(api: Api) -> None:
    messages = [{"role": "user", "content": "写一句诗"}]
    asked = {"model": "ernie-speed-8k", "messages": messages, "max_tokens": 12, "temperature": 0}
    assert_repeatable(api, asked)


def assert_repeatable(api: Api, asked: dict[str, object]) -> None:
    # The first answer fills the prefix cache: a cold prompt is computed in other batches, whose
    # rounding may tip a close choice. "As deterministic as can be" is what the document promises.
    _, second, third = (answered(api.chat(**asked))["choices"][0]["message"] for _ in range(3))
    assert second == third


def ignored(headers: object) -> set[str]:
    assert isinstance(headers, dict)
    return {name.strip() for name in headers["x-ignored-parameters"].split(",")}
