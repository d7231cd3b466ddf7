"""What a chat body becomes: which refusal comes first, and what is kept as it was sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from xinghe.api.chat.reading import read_request
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.schema import CHAT
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors
from xinghe.catalog import Capability, Kind, ModelCard

CARD = ModelCard(Kind.CHAT, context=9000, max_input=8000, output_max=99, output_default=9)
ALL = frozenset(Capability)
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "你好"}]
PICTURE: dict[str, Any] = {"role": "user", "content": [{"type": "image_url", "image_url": {}}]}
CALL: dict[str, Any] = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
ASKED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT: dict[str, Any] = {"role": "tool", "content": "1", "tool_call_id": "c"}


def read(
    dialect: Dialect = Dialect.DOCUMENTED, able: frozenset[Capability] = ALL, **fields: Any
) -> ChatRequest:
    text = json.dumps({"model": "m", "messages": HELLO, **fields}).encode()
    asked = CHAT[dialect].read(text)
    return asyncio.run(read_request(asked, "m", CARD, dialect, able, 32_000))


def refusal(**fields: Any) -> ApiError:
    with pytest.raises(ApiError) as raised:
        read(**fields)
    return raised.value


@pytest.mark.parametrize("dialect", Dialect)
def test_a_call_id_matters_in_the_message_of_a_tool_only(dialect: Dialect) -> None:
    (message,) = read(dialect, messages=[{**HELLO[0], "tool_call_id": 5}]).messages
    assert message.tool_call_id is None
    error = refusal(dialect=dialect, messages=[*HELLO, ASKED, {**RESULT, "tool_call_id": 5}])
    assert error.message.startswith("messages[2].tool_call_id is 5, allowed: the id of the tool")


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([PICTURE], "image_url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}], "image_url"),
        ([*HELLO, {**ASKED, "tool_calls": [{"id": 5}]}], "tools"),
        ([*HELLO, {"role": "tool", "content": 5}], "tools"),
    ],
)
def test_what_a_model_cannot_do_is_said_before_how_it_is_written(
    dialect: Dialect, messages: list[dict[str, Any]], param: str
) -> None:
    error = refusal(dialect=dialect, able=frozenset(), messages=messages)
    lacking = Errors.UNSUPPORTED_PARAMETER
    if dialect is Dialect.DOCUMENTED:
        lacking = Errors.NO_PARAMETER_PERMISSION
    assert (error.row, error.param) == (lacking.value, param)
    error = refusal(dialect=dialect, messages=messages)
    assert (error.row, error.param) == (Errors.INVALID_MESSAGES.value, "messages")


@pytest.mark.parametrize("first", [5, {"role": "narrator"}, {"role": "user", "content": 5}])
def test_the_first_fault_of_the_messages_is_told(first: Any) -> None:
    error = refusal(able=frozenset(), messages=[first, PICTURE])
    assert error.row == Errors.INVALID_MESSAGES.value


@pytest.mark.parametrize("options", [{"include_usage": None}, {"more": 1}, {"include_usage": True}])
def test_stream_options_belong_to_a_stream(options: dict[str, Any]) -> None:
    error = refusal(stream_options=options)
    assert (error.param, error.row) == ("stream_options", Errors.MALFORMED_JSON.value)
    request = read(stream_options=options, stream=True)
    assert request.include_usage is (options.get("include_usage") is True)
    assert request.ignored == ()
    assert read(stream_options={}).include_usage is False


@pytest.mark.parametrize("absent", [None, "", [{"type": "text", "text": ""}]])
def test_beside_calls_content_may_be_absent_or_say_nothing(absent: object) -> None:
    said = {**ASKED, "content": absent}
    for dialect in Dialect:
        read_back = read(dialect, messages=[*HELLO, said, RESULT]).messages[1]
        assert (read_back.content, len(read_back.tool_calls)) == ("", 1)
    alone = {"role": "assistant", "content": absent}
    error = refusal(messages=[*HELLO, alone, *HELLO])
    assert error.message.startswith("messages[1].content ")


def test_beside_calls_a_list_without_parts_is_refused() -> None:
    error = refusal(messages=[*HELLO, {**ASKED, "content": []}, RESULT])
    assert error.message.startswith("messages[1].content is an empty array")


def test_functions_are_moderated_and_counted_as_they_were_sent() -> None:
    function = {"strict": True, "name": "f", "note": "说明", "description": None}
    tools = [{"function": function, "more": {"x": "y"}}]
    assert json.loads(read(tools=tools).functions) == [tools]
    assert json.loads(read(tools=tools, unknown=1).functions) == [tools]
    assert read(tools=[]).functions == ""
    error = refusal(tools=[{"function": {"name": "f", "note": "x" * 32_000}}])
    # With the names of the fields: function, name, note, and the name itself.
    assert error.message.endswith("its functions have 32017")


def test_a_search_without_effect_is_told() -> None:
    assert read(web_search={"enable": True, "more": 1}).ignored == ("web_search.more",)
    search = read(web_search={"enable": True, "search_num": 3}).search
    assert search is not None
    assert search.search_number == 3


@pytest.mark.parametrize(("content", "told"), [(5, "5"), ([], "an empty array")])
def test_what_content_may_be_is_told(content: object, told: str) -> None:
    assert refusal(messages=[{"role": "user", "content": content}]).message == (
        f"messages[0].content is {told}, allowed: a string or a list of parts, not an empty one"
    )
