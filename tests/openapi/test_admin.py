"""The document of the operators' API, and schemathesis against the real server by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.openapi.test_conformance import conforms
from xinghe.admin.table import OPERATIONS

ADMIN = "/admin/v1"


@pytest.fixture(scope="module")
def service(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Server(tmp_path_factory.mktemp("admin"), models=models, settings=QUICK) as running:
        yield running
        Books(running).settled()


@pytest.fixture(scope="module")
def operator(service: Server) -> Api:
    return Api(service.url, service.token("--scope", "admin"), ADMIN)


@pytest.fixture(scope="module")
def pool(operator: Api) -> dict[str, list[str]]:
    """Things for the cases to be about. Whoever asks is none of them, nor is his token."""
    found: dict[str, list[str]] = {name: [] for name in ("member", "group", "token")}
    found |= {name: [] for name in ("wallet", "budget", "invitation", "version")}
    found |= {name: [] for name in ("package", "order", "batch")}
    found["backup"] = ["none.backup"]  # to make one each time would take long
    for number in range(6):
        member = made(operator, "/members", name=f"pupil {number}")
        group = made(operator, "/groups", name=f"class {number}")
        made(operator, f"/groups/{group['id']}/members", member=member["id"], role="owner")
        token = made(operator, f"/members/{member['id']}/tokens")
        budget = made(operator, "/budgets", member=member["id"], unit="rpm", amount=5)
        invitation = made(operator, f"/groups/{group['id']}/invitations")
        package = made(operator, "/packages", name=f"package {number}", tokens=5, price=9.9)
        order = made(operator, f"/wallets/{group['wallet']}/orders", package=package["id"])
        if number % 2:
            made(operator, f"/orders/{order['number']}/confirm", reference=f"bank {number}")
        found["order"].append(order["number"])
        codes = {"name": f"batch {number}", "amount": 5, "count": 2, "expires_at": "2099-12-31"}
        found["batch"].append(str(made(operator, "/codes", **codes)["id"]))
        change = {"patch": {"models": {"deepseek-v3": {"rpm": 900 + number}}}}
        applied = operator.send("PATCH", "/config", json.dumps(change).encode()).json
        found["version"].append(str(applied["version"]))
        found["member"].append(member["id"])
        found["token"].append(token["id"])
        found["wallet"] += [str(member["wallet"]), str(group["wallet"])]
        things = ("group", group), ("budget", budget), ("invitation", invitation)
        for name, thing in (*things, ("package", package)):
            found[name].append(str(thing["id"]))
    return found


def made(operator: Api, path: str, **body: Any) -> Any:
    reply = operator.post(path, body)
    assert reply.status == 200, reply
    return reply.json


def admin_conforms(operator: Api, pool: dict[str, list[str]], folder: Path, *options: str) -> int:
    secret = operator.token or ""
    himself = ["default", operator.get("/members/default").json["id"], secret.split("-")[1]]
    hooks = {"ADMIN_POOL": json.dumps(pool), "ADMIN_SELF": json.dumps(himself)}
    hooks["SCHEMATHESIS_HOOKS"] = "tests.openapi.admin_hooks"
    document = f"{operator.url}{ADMIN}/openapi.json"
    return conforms(document, secret, folder, hooks, *options)


def test_the_document_is_valid(operator: Api) -> None:
    reply = operator.bearing(None).get("/openapi.json")
    document = reply.json
    OpenAPIV31SpecValidator(document).validate()
    found = {(method, path) for path, item in document["paths"].items() for method in item}
    assert found == {(each.method.lower(), ADMIN + each.path) for each in OPERATIONS}


def test_conformance(operator: Api, pool: dict[str, list[str]], tmp_path: Path) -> None:
    # Always the same cases, so that CI fails for a change and not by chance.
    options = ("--phases", "fuzzing", "--max-examples", "5", "--seed", "1")
    assert admin_conforms(operator, pool, tmp_path, *options) >= 120


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_conformance_at_length(operator: Api, pool: dict[str, list[str]], tmp_path: Path) -> None:
    # What is drawn anew each time may be wrong by a hair that no parser sees: the short run, whose
    # cases are always the same, holds that what is wrong is refused.
    lenient = ("--exclude-checks", "positive_data_acceptance,negative_data_rejection")
    assert admin_conforms(operator, pool, tmp_path, "--max-examples", "200", *lenient) >= 5000
