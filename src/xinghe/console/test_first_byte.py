"""The first byte of every page under 100 ms, with 10,000,000 entries of the year until today."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.pages import MEMBERS, OPERATORS
from tests.kit.postgres import QUICK, cluster
from tests.kit.raw import Connection
from tests.kit.server import Server, free_port
from tests.kit.sold import SALES, sell
from tests.kit.visitor import Visitor
from tests.usage import many

from xinghe.console.menu import MENU
from xinghe.ledger.windows import HOUR
from xinghe.storage import now

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SIZES = many.Sizes(members=100_000, groups=1000, entries=10_000_000)
SECONDS = 0.1
LOOKS = 10
"""At each page; the median counts."""
PATHS = (
    *(entry.path for entry in MENU),
    *MEMBERS,
    "/console/usage/entries?period=30d",
    "/console/usage?period=30d",
    "/console/usage?period=30d&by=token&show=requests",
)

GROUP = "/console/group/1"
OF_GROUP = (
    *(f"{GROUP}?order={each}" for each in ("name", "month", "today", "last")),
    f"{GROUP}?name=9",
    f"{GROUP}/members/app-3",
    f"{GROUP}/invitations",
    f"{GROUP}/report",
)
"""Of the group of 1,000 members."""
OF_OPERATORS = (
    *OPERATORS,
    "/console/group",
    "/console/members?name=member+9",
    "/console/members/app-3",
    "/console/wallets?order=most",
    "/console/wallets?order=least&after=50000",
    "/console/wallets?name=member+9",
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def books(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """A data directory and the URL of its database; 4 GB, or 7."""
    data = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many, "SINCE", (now() - many.YEAR) // HOUR * HOUR)
        if request.param == "sqlite":
            many.make(data, "", SIZES)
            yield data, ""
            (data / "xinghe.db").unlink()
            return
        large = {**QUICK, "shared_buffers": "256MB", "max_wal_size": "8GB"}
        with cluster(data / "postgres", large) as running:
            url = running.database()
            many.make(data, url, SIZES)
            with contextlib.closing(psycopg.connect(url, autocommit=True)) as session:
                # It was filled with numbers of its own.
                session.execute(
                    "SELECT setval(pg_get_serial_sequence('tokens', 'id'), max(id)) FROM tokens"
                )
            yield data, url


def first_byte(visitor: Visitor, path: str) -> float:
    """Seconds until the head of the answer is there."""
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    with Connection(visitor.url) as connection:
        before = time.perf_counter()
        connection.request("GET", path, None, {**visitor.headers, "Cookie": cookies})
        status, _ = connection.head()
        taken = time.perf_counter() - before
    assert status == 200, path
    return taken


def test_every_page(books: tuple[Path, str]) -> None:
    data, url = books
    models = models_toml("http://127.0.0.1:9", free_port(), ALL_SCRIPTED)
    settings = {"XINGHE_DATABASE__URL": url} if url else {}
    with Server(data, models=models, settings=settings) as server:
        sold = sell(server, "member 1")
        server.run("member", "operator", "member 2", "yes")
        slow = {}
        for name, paths in (("member 1", PATHS), ("member 2", (*SALES, *OF_GROUP, *OF_OPERATORS))):
            visitor = Visitor(server.url)
            scopes = ("--scope", "account.read", "--scope", "admin")
            visitor.sign_in(server.token(*scopes, account=name))
            for path in (each.format(**sold) for each in paths):
                first_byte(visitor, path)  # its template is compiled with the first
                taken = statistics.median(first_byte(visitor, path) for _ in range(LOOKS))
                if taken >= SECONDS:
                    slow[path] = round(taken, 3)
    assert slow == {}
