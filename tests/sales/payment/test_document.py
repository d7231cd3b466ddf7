"""`/payments/openapi.json` says what is sent there, and how it is signed."""

from __future__ import annotations

from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.kit.raw import Connection
from tests.sales.payment.conftest import Street


def test_the_document(street: Street) -> None:
    with Connection(street.server.url) as connection:
        connection.request("GET", "/payments/openapi.json")
        document = connection.reply().json
    OpenAPIV31SpecValidator(document).validate()
    (path,) = document["paths"]
    assert path == "/payments/{provider}"
    operation = document["paths"][path]["post"]
    assert "security" not in operation
    headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
    assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert {"200", "400", "401", "404", "413", "429", "500"} <= operation["responses"].keys()


def test_an_address_that_asks_too_often_is_told_to_wait(street: Street) -> None:
    with Connection(street.server.url) as connection:
        for _ in range(20_000):
            connection.request("GET", "/payments/bridge")
            reply = connection.reply()
            if reply.status != 405:
                break
    assert (reply.status, reply.json["error"]["code"]) == (429, "user_rate_limit_exceeded")
    assert reply.headers["retry-after"] == "1"
