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
