"""What an operator's machinery asks: is it alive, can it serve, how is it doing."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.kit.api import Api
from tests.kit.expect import answered, keeps_secrets
from tests.kit.models import CHAT


def test_alive(api: Api) -> None:
    assert api.at("").bearing(None).get("/healthz").status == 200


def test_ready(api: Api) -> None:
    reply = api.at("").bearing(None).get("/readyz")
    assert reply.status == 200
    keeps_secrets(reply.body)


def test_metrics_parse_and_count_requests(api: Api) -> None:
    before = total(api)
    answered(api.chat(model=CHAT))
    assert total(api) > before


def total(api: Api) -> float:
    """All requests counted so far, whatever the labels."""
    reply = api.at("").bearing(None).get("/metrics")
    assert reply.status == 200
    keeps_secrets(reply.body)
    families = list(text_string_to_metric_families(reply.text))
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if family.name.startswith("xinghe_") and sample.name.endswith("requests_total")
    )
