"""`/auth/v1/openapi.json`, and schemathesis by it: whatever is sent, nothing is a 500."""

from __future__ import annotations

from pathlib import Path

import pytest
from openapi_spec_validator import validate

from tests.api.auth.visitor import Visitor
from tests.kit.server import Server
from tests.openapi.test_conformance import conforms

HOOKS = {"SCHEMATHESIS_HOOKS": "tests.api.auth.hooks"}
OPTIONS = ("--exclude-path-regex", "/oidc/(start|callback)$")
"""Those send a browser on, with headers alone."""


def test_it_is_a_document(visitor: Visitor) -> None:
    validate(visitor.get("/openapi.json").json)


def test_conformance(service: Server, tmp_path: Path) -> None:
    url = f"{service.url}/auth/v1/openapi.json"
    made = conforms(
        url, service.token(), tmp_path, HOOKS, "--max-examples", "20", "--seed", "1", *OPTIONS
    )
    assert made >= 200
    slowed = service.log.read_text("utf-8").count("user_rate_limit_exceeded")
    assert slowed < made / 10, "most were not looked at"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_conformance_at_length(service: Server, tmp_path: Path) -> None:
    url = f"{service.url}/auth/v1/openapi.json"
    assert (
        conforms(url, service.token(), tmp_path, HOOKS, "--max-examples", "600", *OPTIONS) >= 2000
    )
