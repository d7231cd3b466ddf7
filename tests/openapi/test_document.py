"""`/openapi.json` is an OpenAPI 3.1 document and holds every operation of the contract."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.kit.api import DOCUMENTED, STRICT, Api
from xinghe.api.chat.schema import ChatBody


@pytest.fixture(scope="module")
def document(api: Api) -> Any:
    reply = api.at("").bearing(None).get("/openapi.json")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("application/json")
    return reply.json


def test_is_valid(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_operations(document: Any) -> None:
    posts = ("/chat/completions", "/embeddings", "/rerank", "/images/generations")
    operations = {("get", "/models"), ("get", "/models/{id}"), *(("post", path) for path in posts)}
    found = {(method, path) for path, item in document["paths"].items() for method in item}
    assert found == {
        (method, mount + path) for mount in (DOCUMENTED, STRICT) for method, path in operations
    }


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_every_parameter_that_is_read_is_described(document: Any, mount: str) -> None:
    operation = document["paths"][f"{mount}/chat/completions"]["post"]
    ref = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = document["components"]["schemas"][ref.rsplit("/", 1)[1]]
    assert set(schema["properties"]) == set(ChatBody.__struct_encode_fields__)


def test_every_operation_needs_the_token(document: Any) -> None:
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
