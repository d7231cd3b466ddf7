"""Reasoning, structured output and pictures, as OpenAI's clients know them."""

from __future__ import annotations

import base64
import json

import pytest

from tests.api.test_pictures import plain
from tests.kit.api import Api
from tests.kit.expect import malformed, refused
from tests.kit.models import ABLE, VISION
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from tests.responses.kit import asking, create, stream

PNG = f"data:image/png;base64,{base64.b64encode(plain(40, 30)).decode()}"
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
FORMAT = {"format": {"type": "json_schema", "name": "number", "schema": SCHEMA, "strict": True}}


def thinking() -> Script:
    return Script(thoughts=["想", "想"], pieces=["好"])


def test_a_thought_comes_before_the_answer(api: Api) -> None:
    thought, message = create(api, thinking(), model=ABLE).json["output"]
    assert thought["type"] == "reasoning"
    assert thought["summary"] == []
    assert thought["content"] == [{"type": "reasoning_text", "text": "想想"}]
    assert "encrypted_content" not in thought
    assert message["content"][0]["text"] == "好"
    seen = stream(api, thinking(), model=ABLE)
    deltas = seen.of("response.reasoning_text.delta")
    assert "".join(each["delta"] for each in deltas) == "想想"
    assert [each["type"] for each in seen.last["output"]] == ["reasoning", "message"]
    assert seen.last["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


def test_a_summary_is_the_thought(api: Api) -> None:
    asked = {"effort": "medium", "summary": "auto"}
    response = create(api, thinking(), model=ABLE, reasoning=asked).json
    assert response["reasoning"] == asked
    assert response["output"][0]["summary"] == [{"type": "summary_text", "text": "想想"}]
    assert "content" not in response["output"][0]
    seen = stream(api, thinking(), model=ABLE, reasoning=asked)
    kinds = [each for each in seen.kinds if "reasoning" in each]
    assert kinds[0] == "response.reasoning_summary_part.added"
    assert kinds[-2:] == [
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
    ]
    assert seen.of("response.reasoning_summary_text.done")[0]["text"] == "想想"


def test_a_thought_is_taken_back(api: Api, upstream: Upstream) -> None:
    thought, message = create(api, thinking(), model=ABLE).json["output"]
    after = Script()
    items = [*asking(Script()), thought, message, *asking(after)]
    assert create(api, model=ABLE, input=items).status == 200
    said = upstream.received(after).body["messages"][1]
    assert said["content"] == "好"
    assert said["reasoning_content"] == "想想"


def test_a_thought_that_is_carried_is_taken_back(api: Api, upstream: Upstream) -> None:
    more = {"model": ABLE, "include": ["reasoning.encrypted_content"]}
    reply = create(api, thinking(), **more)
    assert "x-ignored-parameters" not in reply.headers
    thought, message = reply.json["output"]
    seen = stream(api, thinking(), reasoning={"summary": "auto"}, **more)
    again = seen.last["output"][0]["encrypted_content"]
    assert again == thought["encrypted_content"] != ""
    after = Script()
    bare = {"type": "reasoning", "id": thought["id"], "summary": [], "encrypted_content": again}
    items = [*asking(Script()), bare, message, *asking(after)]
    assert create(api, None, input=items, **more).status == 200
    assert upstream.received(after).body["messages"][1]["reasoning_content"] == "想想"


@pytest.mark.parametrize("content", ["gAAAAA", "xinghe.***", "xinghe./w==", ""])
def test_a_thought_of_another_provider_is_passed_over(
    api: Api, upstream: Upstream, content: str
) -> None:
    after = Script()
    other = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": content}
    said = {"role": "assistant", "content": "好"}
    items = [*asking(Script()), other, said, *asking(after)]
    assert create(api, model=ABLE, input=items).status == 200
    assert "reasoning_content" not in upstream.received(after).body["messages"][1]


def test_effort(api: Api) -> None:
    reply = create(api, thinking(), model=ABLE, reasoning={"effort": "minimal"})
    assert reply.headers["x-ignored-parameters"] == "reasoning.effort"  # nobody steers that engine
    assert create(api, thinking(), model=ABLE, reasoning={"effort": "max"}).status == 200
    output = create(api, Script(), model="scripted-dull", reasoning={"effort": "none"}).json
    assert [each["type"] for each in output["output"]] == ["message"]
    malformed(create(api, reasoning={"effort": "much"}), "much", param="reasoning.effort")


def test_json_by_a_schema(api: Api, upstream: Upstream) -> None:
    script = Script(pieces=['{"n":', " 7}"])
    response = create(api, script, model=ABLE, text=FORMAT).json
    assert json.loads(response["output"][0]["content"][0]["text"]) == {"n": 7}
    assert response["text"]["format"]["schema"] == SCHEMA
    sent = upstream.received(script).body["response_format"]["json_schema"]
    assert sent["name"] == "number"
    seen = stream(api, Script(pieces=['{"n":', " 7}"]), model=ABLE, text=FORMAT)
    assert json.loads(seen.last["output"][0]["content"][0]["text"]) == {"n": 7}


def test_a_schema_that_cannot_be_held(api: Api) -> None:
    form = {"type": "json_schema", "name": "x", "schema": {"$ref": "#/no"}}
    malformed(create(api, model=ABLE, text={"format": form}), "text.format.schema", param="text")
    malformed(
        create(api, model=ABLE, text={"format": {"type": "json_schema", "name": "x"}}),
        param="text.format.schema",
    )


def test_a_picture(api: Api, upstream: Upstream) -> None:
    script = Script()
    parts = [
        {"type": "input_text", "text": script.prompt},
        {"type": "input_image", "image_url": PNG, "detail": "auto"},
    ]
    items = [{"role": "user", "content": parts}]
    assert create(api, model=VISION, input=items).status == 200
    content = upstream.received(script).body["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]


def test_pictures_that_are_refused(api: Api) -> None:
    def refusal(part: dict[str, str], role: str, *says: str) -> None:
        items = [{"role": "user", "content": "一"}, {"role": role, "content": [part]}]
        reply = create(api, model=VISION, input=items)
        refused(reply, 400, "invalid_request_error", "invalid_messages", *says, param="input")

    refusal({"type": "input_image", "file_id": "file-1"}, "user", "input[1].content[0].image_url")
    broken = {"type": "input_image", "image_url": "data:image/png;base64,eA=="}
    refusal(broken, "user", "input[1].content[0].image_url")
    refusal({"type": "input_file", "file_id": "file-1"}, "user", "input[1].content[0]")
    refusal({"type": "input_image", "image_url": PNG}, "system", "input[1].content")
