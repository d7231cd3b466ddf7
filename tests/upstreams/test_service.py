"""Every dialect over sockets: cut in thirty places, and through the service to its clients."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.models import ABLE
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from tests.upstreams.fixtures import Form, Wanted, cases, played
from tests.upstreams.test_parser import PROMPT, check
from xinghe.catalog import UpstreamDeployment
from xinghe.core import Delta, EngineRequest, Prompt, Sampling, UsageDelta
from xinghe.engines import EngineFailed
from xinghe.engines.upstream import UpstreamEngine

BOUNDARIES = 30
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


async def read(engine: UpstreamEngine, script: Script) -> tuple[list[Delta], bool]:
    """What the engine makes of a case, and whether it broke off."""
    prompt = Prompt(10, 20, exact=False, payload=PROMPT | {"messages": script.messages})
    deltas: list[Delta] = []
    try:
        async for batch in engine.generate(EngineRequest("as-0", prompt, Sampling(), 1000)):
            deltas += batch.deltas
    except EngineFailed:
        return deltas, True
    return deltas, False


@pytest.mark.parametrize(("name", "form"), played())
async def test_thirty_cuts_on_the_wire(name: str, form: Form, upstream: Upstream) -> None:
    case = cases()[name]
    size = len(case.body(form))
    cuts = Random(name).sample(range(1, size), min(BOUNDARIES, size - 1))
    engine = UpstreamEngine("up", UpstreamDeployment(url=upstream.url, model="m"))
    try:
        for at in cuts:
            script = Script(replay=name, form=form, cuts=[at])
            wanted, found = case.wanted, await asyncio.wait_for(read(engine, script), 60)
            if form == "stream":
                check(wanted, *found)
            else:
                check_whole(wanted, *found)
    finally:
        await engine.aclose()


def check_whole(wanted: Wanted, deltas: list[Delta], broke_off: bool) -> None:
    """An error in place of the answer has shown nothing; its count may be its own."""
    if wanted.ends == "error":
        assert broke_off
    elif wanted.usage:
        check(wanted, deltas, broke_off)
    else:
        count = [delta for delta in deltas if isinstance(delta, UsageDelta)]
        said = [delta for delta in deltas if delta not in count]
        check(replace(wanted, counted=tokens_of(said)), said, broke_off)


def tokens_of(deltas: list[Delta]) -> int:
    return sum(getattr(delta, "tokens", 0) for delta in deltas)


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize(("name", "form"), played())
def test_what_clients_get(name: str, form: Form, mount: str, api: Api, books: Books) -> None:
    wanted = cases()[name].wanted
    asked: dict[str, Any] = {"model": ABLE, "messages": Script(replay=name, form=form).messages}
    if wanted.calls:
        asked["tools"] = [TOOL]
    there = api.at(mount)
    shows = bool(wanted.text or wanted.thought or wanted.refusal or wanted.calls)
    in_its_place = form == "whole" and "error" in cases()[name].whole[:10]
    if wanted.ends == "error" and (in_its_place or not shows):
        assert there.chat(**asked, stream=True).status == there.chat(**asked).status == 500
        return
    streamed = there.stream(**asked, stream_options={"include_usage": True})
    whole = there.chat(**asked)
    if wanted.ends == "error":
        assert [error["error"]["type"] for error in streamed.errors] == ["Internal_error"]
        assert not streamed.done
        assert whole.status == 500
        return
    assert streamed.done
    assert whole.status == 200
    choice, usage = whole.json["choices"][0], whole.json["usage"]
    strict = mount == STRICT
    message = choice["message"]
    refused = strict and wanted.refusal
    text = wanted.text if strict else wanted.text or wanted.refusal
    assert (message["content"] or "") == streamed.content == text
    assert (message.get("refusal") or "") == ("" if not refused else wanted.refusal)
    said = [each["delta"] for each in streamed.choices]
    assert "".join(each.get("refusal") or "" for each in said) == (refused or "")
    thought = "".join(each.get("reasoning_content") or "" for each in said)
    assert (message.get("reasoning_content") or "") == thought == wanted.thought
    calls = [each["function"] for each in message.get("tool_calls") or []]
    assert [(each["name"], each["arguments"]) for each in calls] == wanted.calls
    names = {"normal": "stop", "function_call": "tool_calls"}
    ends = "stop" if refused else names.get(wanted.ends, wanted.ends) if strict else wanted.ends
    assert choice["finish_reason"] == streamed.finish_reason == ends
    if wanted.finish == "content_filter":
        safety = (None, None) if strict else (3, -1)
        assert (choice.get("flag"), choice.get("ban_round")) == safety
    assert streamed.usage == usage
    if wanted.usage:
        found = [usage["prompt_tokens"], usage["completion_tokens"]]
        found.append(usage["prompt_tokens_details"]["cached_tokens"])
        found.append(usage["completion_tokens_details"]["reasoning_tokens"])
        # Where the server does not tell the thought's tokens, ours are.
        assert found[: len(wanted.usage)] == wanted.usage
    elif form == "stream":
        assert usage["completion_tokens"] == wanted.counted


FORM = {
    "type": "json_schema",
    "json_schema": {"name": "w", "schema": {"type": "object", "required": ["city"]}},
}


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize(
    "demand", [{"response_format": FORM}, {"tools": [TOOL], "tool_choice": "required"}]
)
def test_a_refusal_breaks_no_promise(demand: dict[str, Any], mount: str, api: Api) -> None:
    name, there = "azure/the model refuses", api.at(mount)
    for form in ("stream", "whole"):
        asked = {"model": ABLE, "messages": Script(replay=name, form=form).messages} | demand
        whole, streamed = there.chat(**asked), there.stream(**asked)
        assert whole.status == 200
        message, delta = whole.json["choices"][0]["message"], streamed.choices[1]["delta"]
        field = "refusal" if mount == STRICT else "content"
        assert message[field] == cases()[name].wanted.refusal
        assert delta[field]
        assert streamed.finish_reason == ("stop" if mount == STRICT else "content_filter")
        if mount == STRICT:
            assert message["content"] is None
        else:
            assert "refusal" not in message
