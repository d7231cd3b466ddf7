"""What the engine reads of functions and of earlier rounds."""

from __future__ import annotations

from tests.generation.tools.functions import ALL, CLOCK, EVENT, TREE, WEATHER
from tests.generation.vetted import plan
from xinghe.core import Message, Picture, Tool, ToolCall, ToolUse
from xinghe.generation.tools import flatten
from xinghe.generation.tools.prompt import MOST_DECODED, signature

CALLED = Message(
    "assistant",
    "",
    tool_calls=(
        ToolCall("call_1", "get_weather", '{\n  "city": "北京"\n}'),
        ToolCall("call_2", "get", "{}"),
    ),
)
RESULTS = (
    Message("tool", "晴", tool_call_id="call_1"),
    Message("tool", "14:05", tool_call_id="call_2"),
)


def test_a_function_is_one_short_line() -> None:
    assert signature(WEATHER) == (
        'get_weather(city: string, unit?: "celsius"|"fahrenheit") // 查询某个城市的天气'
    )
    assert signature(EVENT).startswith("create_event(标题: string, day: integer)")
    assert signature(CLOCK) == "get() // The current time"
    nested = {
        "properties": {
            "to": {"type": "array", "items": {"type": "string"}},
            "at": {
                "type": "object",
                "properties": {"h": {"type": "integer", "description": "小时"}},
            },
        }
    }
    assert signature(Tool("f", "", nested)) == "f(to?: string[], at?: {h?: integer /* 小时 */})"


def test_parameters_beyond_the_short_form_are_shown_as_their_schema() -> None:
    assert '"$ref":"#/$defs/node"' in signature(TREE)
    assert "\n" not in signature(TREE)
    assert signature(Tool("f", "", {"anyOf": [{}]})) == 'f({"anyOf":[{}]})'


def test_rounds_with_calls_read_as_plain_turns_that_alternate() -> None:
    history = [Message("user", "北京天气?几点?"), CALLED, *RESULTS]
    assert flatten(history) == (
        history[0],
        Message("assistant", 'get_weather {"city": "北京"}\nget {}'),
        Message("user", "[result of get_weather] 晴\n[result of get] 14:05"),
    )
    after = flatten([*history, Message("user", "谢谢")])
    assert [message.role for message in after] == ["user", "assistant", "user"]
    assert after[-1].content.endswith("14:05\n谢谢")


def test_content_before_a_call_and_broken_arguments_stay() -> None:
    call = ToolCall("call_1", "get", '{"x":\n 1')
    (message,) = flatten([Message("assistant", "我查一下。", tool_calls=(call,))])
    assert message == Message("assistant", '我查一下。\nget {"x": 1')


def test_very_long_arguments_are_not_decoded() -> None:
    def told(*arguments: str) -> list[str]:
        calls = tuple(ToolCall("call_1", "get", each) for each in arguments)
        (message,) = flatten([Message("assistant", "", tool_calls=calls)])
        return message.content.split("\n")

    escaped = '{"x":\n "\\u5317"}'
    assert told(escaped) == ['get {"x": "北"}']
    long = "[" + "1,\n" * MOST_DECODED + "1]"
    assert told(escaped, long) == ['get {"x": "\\u5317"}', f"get {' '.join(long.split())}"]


def test_the_role_function_and_a_picture_after_a_result() -> None:
    picture = Picture(b"x", "image/png", 1, 1)
    asked = Message("user", "这是?", parts=("这是?", picture))
    (message,) = flatten([Message("function", "晴", name="get_weather"), asked])
    assert message.content == "[result of get_weather] 晴\n这是?"
    assert message.parts == ("[result of get_weather] 晴\n", "这是?", picture)


def test_the_head_is_the_same_for_all_and_the_client_s_system_message_comes_last() -> None:
    asked = [Message("system", "你是小星。"), Message("user", "你好")]
    first = plan(asked, ToolUse(ALL), max_tokens=64).messages
    other = plan([Message("user", "?")], ToolUse(ALL[:1]), max_tokens=64).messages
    assert [message.role for message in first] == ["system", "user"]
    assert first[0].content.endswith("\n\n你是小星。")
    head = other[0].content.split(WEATHER.name)[0]
    assert len(head) > 100
    assert first[0].content.startswith(head)
