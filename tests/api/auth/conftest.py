"""A service at which members sign in: by password, by token, at a real provider."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.api.auth.visitor import Visitor
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.openid import CLIENT, SECRET, OpenIDProvider
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from xinghe.accounts.groups import Groups
from xinghe.accounts.invitations import Invitations
from xinghe.signin import Passwords, set_password
from xinghe.storage import Database

PUBLIC = "http://xinghe.test"
PASSWORD = "correct horse battery"
SETTINGS = """
[server]
public_url = "{}"
trusted_proxies = ["127.0.0.1"]

[signin.oidc]
issuer = "{}"
client_id = "{}"
client_secret_env = "THE_SECRET"
"""


@pytest.fixture(scope="package")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIDProvider]:
    folder = tmp_path_factory.mktemp("openid") / "config"
    made = OpenIDProvider(folder, f"{PUBLIC}/auth/v1/oidc/callback")
    with made.running():
        yield made


@pytest.fixture(scope="package")
def service(
    upstream: Upstream, provider: OpenIDProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    data = tmp_path_factory.mktemp("signin")
    (data / "xinghe.toml").write_text(SETTINGS.format(PUBLIC, provider.issuer, CLIENT), "utf-8")
    with Server(data, models=models, settings={"THE_SECRET": SECRET}) as running:
        running.token()  # makes the member `default`
        yield running


@pytest.fixture
def member(service: Server, request: pytest.FixtureRequest) -> str:
    """The name of a member of the test's own, with the password `PASSWORD`."""
    name: str = request.node.name[-64:].strip()
    service.run("member", "create", name)

    async def protected() -> None:
        passwords = Passwords()
        async with await Database.open(service.data) as database:
            await set_password(database, passwords, name, PASSWORD, actor="tester")
        passwords.close()

    asyncio.run(protected())
    return name


@pytest.fixture
def code(service: Server, request: pytest.FixtureRequest) -> str:
    """An invitation into a group of the test's own."""

    async def invited() -> str:
        async with await Database.open(service.data) as database:
            group = f"of {request.node.name}"[-64:].strip()
            await Groups(database).create(group)
            _, made = await Invitations(database).create(group, uses=3)
            return made

    return asyncio.run(invited())


@pytest.fixture
def visitor(service: Server) -> Visitor:
    """Somebody at an address of his own."""
    return Visitor(service.url)
