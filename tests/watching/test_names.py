"""What dashboard, alerts and documentation name is what a running service exports."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.pages import ROOT, Page, codes, page
from tests.kit.api import Api
from tests.kit.server import Server
from tests.watching.promql import family, grouping, selectors

OF_PROMETHEUS = {"up": set[str](), "ALERTS": {"alertname", "alertstate"}}
"""Made by Prometheus itself, and their labels."""
OF_A_SCRAPE = {"job", "instance"}
DASHBOARD = json.loads((ROOT / "deploy/grafana/xinghe.json").read_text("utf-8"))
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text("utf-8"))[
        "groups"
    ]
    for rule in group["rules"]
]
ALERTS = [page("docs/alerts.md"), page("docs/alerts.en.md")]
OPERATIONS = [page("docs/operations.md"), page("docs/operations.en.md")]


@pytest.fixture(scope="module")
def exported(server: Server, api: Api) -> dict[str, set[str]]:
    """Every metric of the running service with its labels."""
    assert api.chat(model="scripted-chat").status == 200
    with urllib.request.urlopen(server.metrics_url, timeout=30) as answer:
        text = answer.read().decode()
    found = {
        line.split()[2]: set[str]()
        for line in text.splitlines()
        if line.startswith("# TYPE ") and not line.split()[2].endswith("_created")
    }
    for each in text_string_to_metric_families(text):
        for sample in each.samples:
            name = family(sample.name, set(found))
            if name is not None:
                found[name] |= set(sample.labels)
    return {name: labels | _declared(name) for name, labels in found.items()}


def _declared(name: str) -> set[str]:
    """The labels that the code gives a metric: one that has counted nothing yet shows none."""
    metric = REGISTRY._names_to_collectors.get(name)
    return set(metric._labelnames) if isinstance(metric, MetricWrapperBase) else set()


def panels() -> Iterator[tuple[str, str, str]]:
    """Title, expression and legend of everything that the dashboard asks."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"], target["legendFormat"]
    for note in DASHBOARD["annotations"]["list"]:
        yield note["name"], note["expr"], note["titleFormat"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"], ""


def _check(expression: str, told: str, exported: dict[str, set[str]]) -> None:
    known, labels = exported | OF_PROMETHEUS, set[str]()
    for asked in selectors(expression):
        name = family(asked.metric, set(known))
        assert name is not None, f"{asked.metric} is not exported: {expression}"
        labels |= known[name] | OF_A_SCRAPE
        left = asked.labels - known[name] - OF_A_SCRAPE - {"le"}
        assert not left, f"{name} has no label {left}: {expression}"
    assert labels, f"no metric in {expression}"
    kept = grouping(expression)
    assert kept <= labels | {"le"}, f"{kept - labels} in {expression}"
    named = set(re.findall(r"{{ ?(?:\$labels\.)?([a-z_]+) ?}}", told))
    assert named <= labels, f"{named - labels} in {told}"


def test_the_dashboard_asks_for_what_is_exported(exported: dict[str, set[str]]) -> None:
    for _, expression, legend in panels():
        _check(expression, legend, exported)


def test_the_dashboard_shows_every_metric(exported: dict[str, set[str]]) -> None:
    asked = {each.metric for _, expression, _ in panels() for each in selectors(expression)}
    shown = {family(each, set(exported)) for each in asked}
    assert {name for name in exported if name.startswith("xinghe_")} - shown == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_exported(
    rule: dict[str, Any], exported: dict[str, set[str]]
) -> None:
    told = " ".join(rule["annotations"].values())
    _check(rule["expr"], told, exported)


def test_every_alert_has_its_paragraph_in_both_languages() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    for each in ALERTS:
        assert [title for level, title in each.headings if level == 3] == names
        for rule in RULES:
            file, _, anchor = rule["annotations"]["runbook"].partition("#")
            assert page(file) == ALERTS[0]
            assert anchor == rule["alert"].lower()
            assert anchor in each.anchors


def test_an_alert_is_named_on_the_panel_that_shows_it() -> None:
    titles = {panel.get("description", "") for panel in DASHBOARD["panels"]}
    told = set(re.findall(r"\bXinghe[A-Z]\w+", " ".join(titles)))
    assert told <= {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("each", OPERATIONS, ids=["chinese", "english"])
def test_the_documentation_names_every_metric_with_its_labels(
    each: Page, exported: dict[str, set[str]]
) -> None:
    rows = {codes(row[0])[0]: row[2] for row in each.tables[0]}
    assert rows.keys() == {name for name in exported if name.startswith("xinghe_")}
    for name, meaning in rows.items():
        assert exported[name] - {"le"} <= set(codes(meaning)), name


@pytest.mark.parametrize("each", [*ALERTS, *OPERATIONS], ids=lambda each: each.name)
def test_no_page_names_a_metric_that_is_not_there(
    each: Page, exported: dict[str, set[str]]
) -> None:
    for name in set(re.findall(r"\bxinghe_[a-z_]+(?:_total|_seconds|_bytes)\b", each.text)):
        assert family(name, set(exported)) is not None, name
