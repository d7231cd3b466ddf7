"""The chunks of a stream are those that the document describes."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.models import CHAT
from tests.kit.script import Script


@pytest.fixture(scope="module")
def chunk(api: Api) -> Draft202012Validator:
    """The schema of a chunk; a field that it does not name is an error here."""
    document = api.at("").get("/openapi.json").json
    schemas: dict[str, Any] = document["components"]["schemas"]
    for schema in schemas.values():
        if schema.get("type") == "object":
            schema["additionalProperties"] = False
    root = {"$ref": "#/components/schemas/ChatCompletionChunk", "components": {"schemas": schemas}}
    return Draft202012Validator(root)


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize("include_usage", [False, True])
def test_chunks(api: Api, chunk: Draft202012Validator, mount: str, include_usage: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    stream = api.at(mount).stream(model=CHAT, messages=Script().messages, **options)
    assert stream.done
    assert stream.content == Script().text
    for each in stream.chunks:
        chunk.validate(each)


def test_the_schema_can_refuse(chunk: Draft202012Validator) -> None:
    assert not chunk.is_valid({"id": "as-0123456789", "object": "chat.completion.chunk"})
