"""`no_parameter_permission`: a capability that the model lacks, by model and parameter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT

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


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize(("model", "parameter", "fields"), LACKING)
def test_refused(api: Api, mount: str, model: str, parameter: str, fields: dict[str, Any]) -> None:
    reply = api.at(mount).chat(model=model, **fields)
    refused(reply, 401, "access_denied", "no_parameter_permission", model, parameter)


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
