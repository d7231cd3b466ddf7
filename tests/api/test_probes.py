"""What an operator's machinery asks: is it alive, can it serve, how is it doing."""

from __future__ import annotations

import re
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kit.api import Api
from tests.kit.expect import answered, keeps_secrets, refused
from tests.kit.models import CHAT
from tests.kit.server import Server


def test_alive(api: Api) -> None:
    assert api.at("").bearing(None).get("/healthz").status == 200


def test_ready(api: Api) -> None:
    reply = api.at("").bearing(None).get("/readyz")
    assert reply.status == 200
    keeps_secrets(reply.body)


def test_metrics_parse_and_count_requests(server: Server, api: Api) -> None:
    before = total(server)
    answered(api.chat(model=CHAT))
    assert total(server) > before


def test_metrics_are_not_on_the_public_port(api: Api) -> None:
    refused(api.at("").bearing(None).get("/metrics"), 404, "invalid_request_error", "no_such_path")


def total(server: Server) -> float:
    """All requests counted so far, whatever the labels."""
    with urllib.request.urlopen(server.metrics_url) as answer:
        page = answer.read()
    keeps_secrets(page)
    families = list(text_string_to_metric_families(page.decode()))
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if family.name.startswith("xinghe_") and sample.name.endswith("requests_total")
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/nowhere"])
def test_every_answer_has_an_id(api: Api, path: str) -> None:
    reply = api.at("").bearing(None).get(path)
    assert re.fullmatch(r"as-[a-z0-9]{10}", reply.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_probes_are_only_read(api: Api, path: str, method: str) -> None:
    reply = api.at("").bearing(None).send(method, path)
    refused(reply, 405, "invalid_request_error", "method_not_supported", "GET")
    assert reply.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_head_of_a_probe(api: Api, path: str) -> None:
    reply = api.at("").bearing(None).send("HEAD", path)
    assert (reply.status, reply.body) == (200, b"")
