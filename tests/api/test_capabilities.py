"""`no_parameter_permission`: a capability that the model lacks, by model and parameter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.api import ALIAS, DOCUMENTED, HELLO, STRICT, Api
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT, DULL
from tests.kit.script import Script
from xinghe.catalog import Capability

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
SCHEMA = {"name": "s", "schema": {"type": "object"}}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAF"
    "AAH/iZk9HQAAAABJRU5ErkJggg=="
)
IMAGE = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]},
]

LACKING: list[tuple[str, str, dict[str, Any]]] = [
    ("ernie-3.5-8k", "tools", {"tools": TOOLS}),
    ("ernie-speed-8k", "tools", {"tools": TOOLS}),
    ("ernie-speed-8k", "web_search", {"web_search": {"enable": True}}),
    ("ernie-x1-32k", "web_search", {"web_search": {"enable": True}}),
    ("ernie-x1-32k-preview", "response_format", {"response_format": {"type": "json_object"}}),
    ("ernie-x1-32k-preview", "response_format", {"response_format": "json_object"}),
    (
        "ernie-speed-8k",
        "response_format",
        {"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
    ),
    ("ernie-3.5-8k", "image_url", {"messages": IMAGE}),
]


@pytest.mark.parametrize("mount", [DOCUMENTED, ALIAS, "/v2"])
@pytest.mark.parametrize(("model", "parameter", "fields"), LACKING)
def test_refused(api: Api, mount: str, model: str, parameter: str, fields: dict[str, Any]) -> None:
    reply = api.at(mount).chat(model=model, **fields)
    refused(reply, 401, "access_denied", "no_parameter_permission", model, parameter)


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": TOOLS},
        {"web_search": {"enable": True}},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
        {"messages": IMAGE},
    ],
)
def test_strict_offers_for_every_model_what_its_deployment_delivers(
    api: Api, fields: dict[str, Any]
) -> None:
    asked = {"model": CHAT, "messages": Script(["{}"]).messages} | fields
    refused(api.chat(**asked), 401, "access_denied", "no_parameter_permission")
    answered(api.at(STRICT).chat(**asked))


def test_strict_refuses_what_no_deployment_delivers_as_no_matter_of_the_key(api: Api) -> None:
    for stream in (False, True):
        reply = api.at(STRICT).chat(model=DULL, tools=TOOLS, stream=stream)
        refused(reply, 400, "invalid_request_error", "unsupported_parameter", DULL, param="tools")
    called = [
        *HELLO,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]
    reply = api.at(STRICT).chat(model=DULL, messages=called)
    refused(reply, 400, "invalid_request_error", "unsupported_parameter", DULL, param="tools")


def test_models_show_what_can_be_asked_of_them_at_each_mount(api: Api) -> None:
    def served(mount: str, model: str) -> list[str]:
        shown = api.at(mount).get(f"/models/{model}").json["xinghe"]["capabilities"]
        assert shown["model"] == []
        return list(shown["served"])

    assert served(DOCUMENTED, CHAT) == []
    assert served(STRICT, CHAT) == sorted(Capability)


@pytest.mark.parametrize(
    "fields",
    [
        {"web_search": {"enable": False}},
        {"web_search": {}},
        {"response_format": {"type": "text"}},
        {"response_format": "text"},
    ],
)
def test_switched_off_is_no_use_of_a_capability(api: Api, fields: dict[str, Any]) -> None:
    answered(api.chat(model=CHAT, **fields))
