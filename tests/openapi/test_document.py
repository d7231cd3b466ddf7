"""`/openapi.json` is an OpenAPI 3.1 document and holds every operation of the contract."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.kit.api import DOCUMENTED, STRICT, Api
from xinghe.api.chat.schema import ChatBody
from xinghe.api.operations import OPERATIONS


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
    posts = (
        "/chat/completions",
        "/chat/completions/check",
        "/embeddings",
        "/rerank",
        "/images/generations",
    )
    gets = ["/models", "/models/{id}", "/account", "/account/entries", "/account/usage"]
    gets += ["/account/requests", "/account/requests/{id}", "/dashboard/billing/subscription"]
    gets += ["/dashboard/billing/usage", "/account/bill"]
    operations = {*(("get", path) for path in gets), *(("post", path) for path in posts)}
    found = {(method, path) for path, item in document["paths"].items() for method in item}
    both = {(method, mount + path) for mount in (DOCUMENTED, STRICT) for method, path in operations}
    kept = f"{STRICT}/responses/{{id}}"
    strict = {("post", f"{STRICT}/responses"), ("post", f"{kept}/cancel")}
    strict |= {("post", "/v1/completions"), ("post", "/v1/moderations"), ("post", "/v1/tokenize")}
    strict |= {("post", "/v1/messages"), ("post", "/v1/messages/count_tokens")}
    strict |= {("get", kept), ("get", f"{kept}/input_items"), ("delete", kept)}
    assert found == both | strict
    for path in gets:
        one, other = (document["paths"][mount + path]["get"] for mount in (DOCUMENTED, STRICT))
        assert {**one, "operationId": ""} == {**other, "operationId": ""}, path


def test_messages_have_their_own_form_of_errors_and_events(document: Any) -> None:
    answers = document["paths"]["/v1/messages"]["post"]["responses"]
    assert "service_unavailable" in answers["529"]["description"]
    assert "503" not in answers
    for status, answer in answers.items():
        schema = answer["content"]["application/json"]["schema"]["$ref"]
        assert schema.endswith("/AnsweredMessage" if status == "200" else "/MessageError")
    events = answers["200"]["content"]["text/event-stream"]["schema"]["properties"]["data"]
    assert "[DONE]" not in str(events)


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_every_parameter_that_is_read_is_described(document: Any, mount: str) -> None:
    operation = document["paths"][f"{mount}/chat/completions"]["post"]
    ref = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = document["components"]["schemas"][ref.rsplit("/", 1)[1]]
    assert set(schema["properties"]) == set(ChatBody.__struct_encode_fields__)


def test_every_operation_needs_the_token(document: Any) -> None:
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_operation_tells_its_name_and_scopes(document: Any) -> None:
    for mount, dialect in ((DOCUMENTED, "documented"), (STRICT, "openai")):
        for each in OPERATIONS:
            if dialect not in {one.value for one in each.dialects}:
                assert mount + each.path not in document["paths"]
                continue
            described = document["paths"][mount + each.path][each.method.lower()]
            assert described["operationId"] == f"{each.name}.{dialect}"
            assert described["security"] == [{"token": [scope]} for scope in each.scopes]


def test_every_parameter_of_a_query_is_described(document: Any) -> None:
    for each in OPERATIONS:
        if each.query is not None:
            described = document["paths"][STRICT + each.path]["get"]["parameters"]
            names = [parameter["name"] for parameter in described if parameter["in"] == "query"]
            assert names == list(each.query.__struct_encode_fields__)
            assert each.query.__name__ not in document["components"]["schemas"]


def test_amounts_are_numbers(document: Any) -> None:
    wallet = document["components"]["schemas"]["Wallet"]["properties"]
    assert wallet["available"]["type"] == "number"


def test_an_operation_tells_the_refusals_that_it_may_meet(document: Any) -> None:
    def told(path: str, method: str) -> set[str]:
        answers = document["paths"][STRICT + path][method]["responses"]
        return {code for each in answers.values() for code in each["description"].split(", ")}

    chat, account = told("/chat/completions", "post"), told("/account", "get")
    assert {"invalid_messages", "token_quota_exceeded", "functions_unsafe"} <= chat
    assert "invalid_messages" not in told("/embeddings", "post")
    assert not {"invalid_messages", "token_quota_exceeded", "tpm_rate_limit_exceeded"} & account
    assert not {"conflict", "not_permitted", "changed_meanwhile"} & (chat | account)
