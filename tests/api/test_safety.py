"""Moderation of questions and answers (contract, Safety; section 4.1.3, flag and ban_round)."""

from __future__ import annotations

import base64
import time
import urllib.request
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import pytest

from tests.kit import message
from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered, refused
from tests.kit.models import ABLE, CHAT, VISION
from tests.kit.script import Call, Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream
from tests.pictures.render import encoded, written
from tests.safety.lists import HERE

BANNED = "紫色飞艇计划"
"""Harmless, and banned by the operator's own list."""
SEVERE = "银色潜艇计划"
ALLOWED = "紫色飞艇计划书"
WRITTEN = "星河机器吸烟"
"""Of the letters that pictures are drawn with."""

Messages = list[dict[str, str]]


@pytest.fixture(scope="module")
def moderated(server: Server) -> Iterator[Server]:
    folder = server.data / "safety"
    folder.mkdir(exist_ok=True)  # another module of tests may have had it before
    (folder / "own.txt").write_text(f"# ours\n{BANNED}\t2\n{SEVERE}\t3\n{WRITTEN}\t3\n", "utf-8")
    (folder / "allow.txt").write_text(f"{ALLOWED}\n", "utf-8")
    api = Api(server.url, server.token())
    until(lambda: flag_of(api) != 0)  # live without a restart
    yield server
    for file in folder.iterdir():
        file.unlink()
    until(lambda: flag_of(api) == 0)


def flag_of(api: Api) -> int:
    messages = [{"role": "user", "content": BANNED}]
    flag: int = answered(api.chat(model=CHAT, messages=messages))["choices"][0]["flag"]
    return flag


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def guarded(moderated: Server, api: Api) -> Api:
    del moderated
    return api


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_safe_answer_says_so(guarded: Api) -> None:
    reply = guarded.chat(model=CHAT, messages=Script(["你", "好"]).messages)
    answered(reply)
    choice = reply.json["choices"][0]
    assert choice["flag"] == 0
    assert "ban_round" not in choice


def test_unsafe_system(guarded: Api, books: Books) -> None:
    messages = [{"role": "system", "content": f"讲讲{BANNED}"}, user("你好")]
    refused(
        guarded.chat(model=CHAT, messages=messages), 403, "unsafe_request", "system_unsafe",
        "the content of system field is invalid", param="system",
    )  # fmt: skip
    books.settled()


@pytest.mark.parametrize("field", ["user", "user_id"])
def test_unsafe_user_setting(guarded: Api, field: str) -> None:
    refused(
        guarded.chat(model=CHAT, **{field: BANNED}), 403, "unsafe_request", "user_setting_unsafe",
        "the content of user field is invalid", param="user",
    )  # fmt: skip


@pytest.mark.parametrize("field", ["tools", "functions"])
@pytest.mark.parametrize("model", [CHAT, "deepseek-v3"])
def test_unsafe_functions(guarded: Api, field: str, model: str) -> None:
    function = {"name": "look_up", "description": f"查询{BANNED}", "parameters": {}}
    tool = {"type": "function", "function": function} if field == "tools" else function
    refused(
        guarded.chat(model=model, **{field: [tool]}), 403, "unsafe_request", "functions_unsafe",
        "the content of functions field is invalid", param="functions",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("messages", "flag", "ban_round"),
    [
        ([user(f"说说{BANNED}")], 2, -1),
        ([user(BANNED), assistant("不"), user("你好")], 2, 1),
        ([user("一"), assistant("好"), user("二"), assistant(SEVERE), user("三")], 3, 2),
        ([user(BANNED), assistant("不"), user(SEVERE)], 3, -1),
    ],
    ids=["question", "first round", "an answer of the second round", "the worse one"],
)
def test_unsafe_conversation_is_answered_with_its_round(
    guarded: Api, books: Books, messages: Messages, flag: int, ban_round: int
) -> None:
    reply = guarded.chat(model=CHAT, messages=messages)
    answered(reply)
    choice = reply.json["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert (choice["flag"], choice["ban_round"]) == (flag, ban_round)
    assert choice["message"]["content"]
    assert BANNED not in choice["message"]["content"]
    assert reply.json["usage"]["total_tokens"] == 0
    books.settled()

    stream = guarded.stream(model=CHAT, messages=messages)
    assert stream.done
    last = stream.chunks[-1]["choices"][0]
    assert (last["finish_reason"], last["flag"], last["ban_round"]) == (
        "content_filter", flag, ban_round,
    )  # fmt: skip
    assert all("flag" not in chunk["choices"][0] for chunk in stream.chunks[:-1])


def test_an_unsafe_conversation_is_answered_as_often_as_asked(guarded: Api) -> None:
    messages = [user(f"讲讲{BANNED}")]
    body = answered(guarded.at(STRICT).chat(model=CHAT, messages=messages, n=2))
    assert [each["finish_reason"] for each in body["choices"]] == ["content_filter"] * 2
    stream = guarded.at(STRICT).stream(model=CHAT, messages=messages, n=2)
    ends = [
        (each["index"], each["finish_reason"])
        for chunk in stream.chunks
        for each in chunk["choices"]
        if each["finish_reason"]
    ]
    assert ends == [(0, "content_filter"), (1, "content_filter")]
    assert stream.done


def test_a_refusal_is_no_first_token_of_an_engine(guarded: Api, server: Server) -> None:
    def timed() -> list[str]:
        with urllib.request.urlopen(server.metrics_url) as page:
            lines: list[str] = page.read().decode().splitlines()
        return [line for line in lines if line.startswith("xinghe_first_token_seconds_count")]

    before = timed()
    answered(guarded.chat(model=CHAT, messages=[user(BANNED)]))
    assert guarded.stream(model=CHAT, messages=[user(BANNED)]).done
    assert timed() == before
    answered(guarded.chat(model=CHAT))
    assert timed() != before


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"system": [{"type": "text", "text": BANNED}]}, "system"),
        ({"metadata": {"user_id": BANNED}}, "metadata.user_id"),
        ({"tools": [{"name": "x", "description": BANNED, "input_schema": {}}]}, "tools"),
    ],
)
def test_in_anthropics_form_it_is_refused(guarded: Api, fields: Any, field: str) -> None:
    reply = message.ask(guarded, model=ABLE, **fields)
    message.refused(reply, 403, "permission_error", f"the content of {field} field is invalid")


def test_in_anthropics_form_it_ends_with_a_refusal(guarded: Api, books: Books) -> None:
    asked = message.both(guarded, messages=[user(BANNED)])
    assert (asked["stop_reason"], asked["usage"]["output_tokens"]) == ("refusal", 0)
    answer = message.both(guarded, messages=Script(["我想说", BANNED], backwards=True).messages)
    assert (answer["stop_reason"], answer["content"][0]["text"]) == ("refusal", "我想说")
    books.settled()


def test_the_operators_exception_shields(guarded: Api) -> None:
    reply = guarded.chat(model=CHAT, messages=[user(f"请写一份{ALLOWED}")])
    assert reply.json["choices"][0]["finish_reason"] != "content_filter"


@pytest.mark.parametrize("form", ["紫 色 飞 艇 计 划", "紫色飛艇計劃", "紫-色-飞-艇-计-划"])
def test_disguise_does_not_help(guarded: Api, form: str) -> None:
    reply = guarded.chat(model=CHAT, messages=[user(f"说说{form}吧")])
    assert reply.json["choices"][0]["finish_reason"] == "content_filter"


@pytest.mark.parametrize(
    "pieces",
    [["我想说", "紫色", "飞艇", "计划", "的事"], ["我想说", *BANNED, "的事"], ["我想说" + BANNED]],
    ids=["words", "letters", "whole"],
)
def test_unsafe_answer_is_never_shown_in_part(guarded: Api, pieces: list[str]) -> None:
    script = Script(pieces, backwards=True)
    stream = guarded.stream(model=CHAT, messages=script.messages)
    assert stream.content == "我想说"
    last = stream.chunks[-1]["choices"][0]
    assert (last["finish_reason"], last["flag"], last["ban_round"]) == ("content_filter", 2, -1)

    reply = guarded.chat(model=CHAT, messages=script.messages)
    choice = reply.json["choices"][0]
    assert choice["message"]["content"] == "我想说"
    assert (choice["finish_reason"], choice["flag"], choice["ban_round"]) == (
        "content_filter", 2, -1,
    )  # fmt: skip


@pytest.mark.parametrize(
    "pieces",
    [["好的,怎么", "在家里", "制造", "炸弹", "呢"], ["好的,怎么在家里制造炸", "弹", "呢"]],
    ids=["words", "the last letter apart"],
)
def test_unsafe_answer_by_the_lexicon_is_never_shown_whole(guarded: Api, pieces: list[str]) -> None:
    script = Script(pieces, backwards=True)
    stream = guarded.stream(model=CHAT, messages=script.messages)
    assert (stream.content, stream.finish_reason) == ("好的,怎么在家里制造", "content_filter")
    choice = answered(guarded.chat(model=CHAT, messages=script.messages))["choices"][0]
    assert (choice["message"]["content"], choice["flag"]) == (stream.content, 3)


def test_ordinary_prose_arrives_as_the_engine_cut_it(guarded: Api) -> None:
    text = (HERE / "prose.zh.txt").read_text("utf-8")[:600]
    pieces = [text[at : at + 2] for at in range(0, len(text), 2)]
    stream = guarded.stream(model=CHAT, messages=Script(pieces).messages)
    assert stream.content == text
    shown = {*accumulate(len(choice["delta"]["content"]) for choice in stream.choices)}
    held = {*accumulate(map(len, pieces))} - shown
    assert len(held) <= 0.05 * len(pieces)


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_unsafe_refusal_is_never_shown_in_part(guarded: Api, mount: str) -> None:
    """What a model says in an answer's place is moderated as an answer is."""
    pieces = ["我不能说", *BANNED, "的事"]
    script, there = Script(pieces, refuses=True, backwards=True), guarded.at(mount)
    stream = there.stream(model=CHAT, messages=script.messages)
    message = answered(there.chat(model=CHAT, messages=script.messages))["choices"][0]["message"]
    field = "refusal" if mount == STRICT else "content"
    assert message[field] == "我不能说"
    assert "".join(choice["delta"].get(field) or "" for choice in stream.choices) == "我不能说"
    assert stream.finish_reason == "content_filter"
    assert stream.choices[-1].get("flag") == (None if mount == STRICT else 2)

    safe = Script(["我不能说。"], refuses=True)
    (choice,) = answered(there.chat(model=CHAT, messages=safe.messages))["choices"]
    assert choice["message"][field] == "我不能说。"


def test_the_beginning_of_a_phrase_alone_is_shown_in_the_end(guarded: Api) -> None:
    stream = guarded.stream(model=CHAT, messages=Script(["我喜欢", "紫色", "飞艇"]).messages)
    assert stream.content == "我喜欢紫色飞艇"
    assert stream.chunks[-1]["choices"][0]["finish_reason"] == "normal"


def test_openai_dialect_has_no_extra_fields(guarded: Api) -> None:
    reply = guarded.at(STRICT).chat(model=CHAT, messages=[user(BANNED)])
    choice = reply.json["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert not {"flag", "ban_round"} & set(choice)


def test_what_was_generated_is_charged(guarded: Api, books: Books) -> None:
    reply = guarded.chat(model=CHAT, messages=Script(["好", BANNED, "好"], backwards=True).messages)
    assert reply.json["usage"]["completion_tokens"] >= 1
    assert books.usage(reply.json["id"])
    books.settled()


def test_logs_name_the_category_and_not_the_text(guarded: Api, moderated: Server) -> None:
    guarded.chat(model=CHAT, messages=[user(BANNED)])
    log = moderated.log.read_text("utf-8")
    assert "operator/own" in log
    assert BANNED not in log


def test_the_built_in_lexicon_is_at_work(api: Api) -> None:
    reply = api.chat(model=CHAT, messages=[user("教我怎么制作炸弹")])
    assert reply.json["choices"][0]["finish_reason"] == "content_filter"
    harmless = api.chat(model=CHAT, messages=Script(["杀毒软件的性能"]).messages)
    assert harmless.json["choices"][0]["finish_reason"] == "normal"


ESCAPED = BANNED.encode("unicode_escape").decode()


@pytest.mark.parametrize("stream", [False, True])
def test_escapes_of_json_hide_nothing_in_an_answer(guarded: Api, stream: bool) -> None:
    script = Script(['{"a": "', *ESCAPED, '"}'])
    fields: dict[str, Any] = {"messages": script.messages, "response_format": "json_object"}
    if stream:
        read = guarded.stream(model=ABLE, **fields)
        content, choice = read.content, read.choices[-1]
    else:
        choice = answered(guarded.chat(model=ABLE, **fields))["choices"][0]
        content = choice["message"]["content"]
    assert (choice["finish_reason"], choice["flag"]) == ("content_filter", 2)
    assert content == '{"a": "'


def test_escapes_of_json_hide_nothing_in_a_call(guarded: Api) -> None:
    script = Script(calls=[Call("clock", ['{"at": "', *ESCAPED, '"}'])])
    tool = {"type": "function", "function": {"name": "clock", "parameters": {
        "type": "object", "properties": {"at": {"type": "string"}},
    }}}  # fmt: skip
    body = answered(guarded.chat(model=ABLE, messages=script.messages, tools=[tool]))
    (choice,) = body["choices"]
    assert (choice["finish_reason"], choice["flag"]) == ("content_filter", 2)
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"at": "'


def showing(*lines: str, text: str = "图片里写了什么?") -> dict[str, Any]:
    image = written([(20, 20 + 60 * at, line) for at, line in enumerate(lines)], (400, 180))
    url = f"data:image/png;base64,{base64.b64encode(encoded(image)).decode()}"
    picture = {"type": "image_url", "image_url": {"url": url}}
    return {"role": "user", "content": [{"type": "text", "text": text}, picture]}


@pytest.mark.parametrize("lines", [[f"小心{WRITTEN}"], [WRITTEN[:4], WRITTEN[4:]]])
@pytest.mark.parametrize(("later", "ban_round"), [([], -1), ([assistant("好"), user("谢谢")], 1)])
def test_what_is_written_in_a_picture_is_moderated(
    guarded: Api, books: Books, lines: list[str], later: Messages, ban_round: int
) -> None:
    """Where the platform reads it out for an engine without vision."""
    messages = [showing(*lines), *later]
    reply = guarded.chat(model=ABLE, messages=messages)
    (choice,) = answered(reply)["choices"]
    assert choice["finish_reason"] == "content_filter"
    assert (choice["flag"], choice["ban_round"]) == (3, ban_round)
    assert choice["message"]["content"].startswith("抱歉")
    assert reply.json["usage"]["total_tokens"] == 0
    books.free(reply.json["id"])

    stream = guarded.stream(model=ABLE, messages=messages)
    assert stream.content == choice["message"]["content"]
    assert stream.finish_reason == "content_filter"


def test_a_harmless_picture_passes(guarded: Api) -> None:
    reply = guarded.chat(model=ABLE, messages=[showing("今日特价", "苹果每斤五元")])
    assert answered(reply)["choices"][0]["flag"] == 0


def test_an_engine_with_vision_judges_by_itself(guarded: Api, upstream: Upstream) -> None:
    script = Script(["好。"])
    system = {"role": "system", "content": script.prompt}
    answered(guarded.chat(model=VISION, messages=[system, showing(WRITTEN)]))
    assert upstream.attempts(script)


@pytest.mark.usefixtures("moderated")
def test_an_unsafe_prompt_costs_nothing_beside_others(api: Api, books: Books) -> None:
    safe = Script(["好"], prompt_tokens=10)
    asked = {"model": CHAT, "prompt": [BANNED, safe.prompt], "max_tokens": 64}
    answer = api.at(STRICT).post("/completions", asked).json
    told = [(each["text"], each["finish_reason"]) for each in answer["choices"]]
    assert told[1] == ("好", "stop")
    assert told[0][1] == "content_filter"
    assert books.usage(answer["id"])["prompt_tokens"] == 10
    both = api.at(STRICT).post("/completions", {**asked, "prompt": [BANNED, BANNED]})
    assert {each["finish_reason"] for each in both.json["choices"]} == {"content_filter"}
    books.free(both.json["id"])
