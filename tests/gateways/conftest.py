"""Two services on two data directories, as on two machines, over one PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.postgres import Cluster
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream


class Pair(NamedTuple):
    """`one` and `other` ask them with the same token."""

    servers: tuple[Server, Server]
    database: str
    one: Api
    other: Api


def pair_of(
    folder: Path, url: str, upstream: Upstream, *, alone: bool = False
) -> tuple[Server, Server]:
    """Not started yet; `alone`: each keeps its images to itself."""
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    settings = {**QUICK, "XINGHE_DATABASE__URL": url}
    if not alone:
        images = folder / "images"
        images.mkdir()
        settings["XINGHE_IMAGES__FOLDER"] = str(images)
    first, second = (
        Server(folder / name, models=models, settings=settings) for name in ("first", "second")
    )
    return first, second


@pytest.fixture(scope="module")
def pair(
    postgres: Cluster, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    url = postgres.database()
    servers = pair_of(tmp_path_factory.mktemp("gateways"), url, upstream)
    with ExitStack() as stack:
        with ThreadPoolExecutor(2) as pool:
            for server in pool.map(lambda each: each.__enter__(), servers):
                stack.push(server.__exit__)
        token = servers[0].token()
        apis = [Api(server.url, token) for server in servers]
        yield Pair(servers, url, *apis)
