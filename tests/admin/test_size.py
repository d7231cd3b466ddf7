"""A hundred thousand members, a thousand groups, a million rows of the audit log: every page."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin.desk import Desk, Person
from xinghe.storage import Connection

MEMBERS = 100_000
GROUPS = 1_000
ROWS = 1_000_000
MOST = 0.05
"""Seconds that a page may take."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NUMBERS = (
    "WITH RECURSIVE numbers(n) AS (SELECT CAST({first} AS BIGINT) "
    "UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}) "
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def crowded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    folder: Path = tmp_path_factory.mktemp("crowd")
    with Desk(folder, url) as opened:
        session = opened.database.backend.session(patient=True)
        session.begin()
        fill(session)
        session.commit()
        session.close()
        if url:
            request.getfixturevalue("postgres").do("ANALYZE", url=url)
        yield opened


def fill(connection: Connection) -> None:
    def numbers(first: int, last: int) -> str:
        return NUMBERS.format(first=first, last=last)

    first, last = 1_000_001, 1_000_000 + MEMBERS
    groups = 2_000_000
    connection.run(
        f"{numbers(first, groups + GROUPS)} INSERT INTO wallets (id, created_at) "
        f"SELECT n, 1 FROM numbers WHERE n <= {last} OR n > {groups}"
    )
    connection.run(
        f"{numbers(first, last)} INSERT INTO members (id, appid, name, created_at) "
        "SELECT n, 'app-' || n, 'person ' || n, 1 FROM numbers"
    )
    connection.run(
        f"{numbers(1, GROUPS)} INSERT INTO groups (id, name, wallet_id, created_at, parent_id) "
        f"SELECT n, 'group ' || n, {groups} + n, 1, CASE WHEN n > 10 THEN 1 + n % 10 END "
        "FROM numbers"
    )
    connection.run(
        f"{numbers(first, last)} INSERT INTO memberships (group_id, member_id, role, joined_at) "
        f"SELECT 11 + n % ({GROUPS} - 10), n, 'member', 1 FROM numbers"
    )
    connection.run(
        f"{numbers(first, last)} INSERT INTO memberships (group_id, member_id, role, joined_at) "
        "SELECT 1, n, 'member', 1 FROM numbers"
    )
    connection.run(
        f"{numbers(1, ROWS)} INSERT INTO audit (at, actor, action, subject, detail) "
        f"SELECT n * 1000000, CASE WHEN n % 100000 = 0 THEN 'cli:rare' ELSE 'server' END, "
        "CASE WHEN n % 90000 = 0 THEN 'rare' ELSE 'often' END, "
        f"'app-' || ({first} + n % {MEMBERS}), '' FROM numbers"
    )


def test_every_page_is_there_at_once(crowded: Desk) -> None:
    operator = crowded.person("operator", operator=True)
    owner = crowded.person("owner")
    crowded.join(1, owner, "owner")
    late = {}
    for path, who in pages(operator, owner):
        took = []
        for _ in range(5):
            begin = time.perf_counter()
            reply = crowded.send("GET", path, who.token)
            took.append(time.perf_counter() - begin)
            assert reply.status == 200, reply
        if statistics.median(took) > MOST:
            late[path] = took
    assert not late


def pages(operator: Person, owner: Person) -> Iterator[tuple[str, Person]]:
    middle = 1_000_000 + MEMBERS // 2
    for path in (
        "/members?limit=200",
        f"/members?limit=200&after={middle}",
        "/members?limit=200&name=person",
        f"/members?limit=200&name=person&after={middle}",
        "/members?name=nobody",
        f"/members/app-{middle}",
        f"/members/app-{middle}/tokens",
        "/groups?limit=200&after=500",
        "/groups?limit=200&parent=5",
        f"/groups/1/members?limit=200&after={middle}",
        f"/wallets/{middle}",
        f"/budgets?member=app-{middle}",
        "/audit?limit=200",
        "/audit?limit=200&after=500000",
        "/audit?limit=200&action=rare",
        "/audit?limit=200&actor=cli:rare",
        "/audit?limit=200&actor=server&action=rare",
        f"/audit?subject=app-{middle}",
        "/audit?limit=200&since=100&until=1000",
        "/audit?limit=200&actor=server&since=100&until=1000",
        "/audit?limit=200&action=often&actor=cli:rare&after=700000",
    ):
        yield path, operator
    yield f"/groups/1/members?limit=200&after={middle}", owner
    yield "/groups", owner
    yield "/groups?parent=1", owner
    yield f"/members/app-{middle}", owner
