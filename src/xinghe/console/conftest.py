"""A real service for the pages' tests, with a scripted upstream, and people who look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.kit.api import Api
from tests.kit.classroom import Desk
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.payer import KEY
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.kit.visitor import Visitor

MakeVisitor = Callable[..., Visitor]


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="session")
def service(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its models are all served by the upstream; `default` is its operator; a payment service
    `bridge` may tell of payments.

    Each visitor comes from an address of his own.
    """
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    data = tmp_path_factory.mktemp("console")
    (data / "backups").mkdir()
    text = f'[server]\ntrusted_proxies = ["127.0.0.1"]\n[backups]\nfolder = "{data}/backups"\n'
    (data / "xinghe.toml").write_text(text, "utf-8")
    settings = {
        "XINGHE_PAYMENT__PROVIDERS__BRIDGE__SECRET": KEY,
        "XINGHE_SEARCH__DOCUMENTATION": "false",
    }
    with Server(data, models=models, settings=settings) as running:
        running.token()
        yield running


@pytest.fixture(scope="session")
def desk(service: Server) -> Desk:
    """What its operator does by the API."""
    return Desk(service)


@pytest.fixture
def make_member(service: Server) -> Callable[[str], str]:
    """Makes a member of a name, with 1,000,000 Tokens; gives an access token of all scopes."""

    def make(name: str) -> str:
        service.run("member", "create", name)
        scopes = ("model.call", "account.read", "admin")
        return service.token(*(part for each in scopes for part in ("--scope", each)), account=name)

    return make


@pytest.fixture
def nobody(service: Server) -> Visitor:
    """Somebody who is not signed in."""
    return Visitor(service.url)


@pytest.fixture
def operator(service: Server) -> Visitor:
    """The operator, signed in by a one-time link."""
    visitor = Visitor(service.url)
    link = service.run("console", "link").strip()
    visitor.submit(visitor.get(link[link.index("/console/") :]), "/console/link")
    return visitor


@pytest.fixture
def member_token(make_member: Callable[[str], str], request: pytest.FixtureRequest) -> str:
    """An access token of a member that is the test's own."""
    return make_member(f"m{abs(hash(request.node.nodeid)) % 10**12}")


@pytest.fixture
def member(service: Server, member_token: str) -> Visitor:
    """That member, signed in."""
    visitor = Visitor(service.url)
    visitor.sign_in(member_token)
    return visitor


@pytest.fixture
def api(service: Server, member_token: str) -> Api:
    """What that member's programs ask."""
    return Api(service.url, member_token)
