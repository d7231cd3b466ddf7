"""Methods and paths that nobody means: JSON, and nothing beyond the paths of the API."""

from __future__ import annotations

import pytest

from tests.edge.conftest import exchange, head
from tests.kit.api import Api
from tests.kit.expect import refused
from tests.kit.raw import Connection

NOWHERE = (404, "invalid_request_error", "no_such_path")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/%00",
        "/%",
        "/v1/../v1/models",
        "/v1/%2e%2e/openapi.json",
        "/../etc/passwd",
        "/V1/models",
        "*",
        "/v1/models%0d%0aX-Injected:%201",
        "/v1/" + "a" * 20_000,
        "//v1/models",
    ],
)
def test_odd_path(api: Api, path: str) -> None:
    reply = exchange(api, head(api, method="GET", path=path))
    refused(reply, *NOWHERE)
    assert "x-injected" not in reply.headers
    assert len(reply.body) < 1000


@pytest.mark.parametrize("name", ["%00", "..%2f..%2fetc%2fpasswd", "%ff", "\\", "a" * 20_000])
def test_odd_model(api: Api, name: str) -> None:
    reply = exchange(api, head(api, method="GET", path=f"/v1/models/{name}"))
    refused(reply, 404, "invalid_request_error", "no_such_model")
    assert len(reply.body) < 1000


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND", "GET", "POST"])
@pytest.mark.parametrize("path", ["/nowhere", "*"])
def test_any_method_elsewhere(api: Api, method: str, path: str) -> None:
    refused(exchange(api, head(api, method=method, path=path)), *NOWHERE)


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "QUERY"])
def test_odd_method_on_chat(api: Api, method: str) -> None:
    reply = exchange(api, head(api, method=method))
    refused(reply, 405, "invalid_request_error", "method_not_supported")
    assert "POST" in reply.headers["allow"]


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/chat/completions", 405), ("/v1/models", 405), ("/nowhere", 404)]
)
def test_head_has_no_body(api: Api, path: str, status: int) -> None:
    with Connection(api.url, timeout=120) as connection:
        for _ in range(2):
            connection.request("HEAD", path, headers=api.headers)
            reply = connection.reply()
            assert reply.status == status
            assert reply.headers["x-request-id"]
