"""100,000 members and 1,000 groups: every page is read as fast as of a few."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest

from xinghe.accounts import Members
from xinghe.accounts.group_tables import member_place
from xinghe.accounts.groups import Groups
from xinghe.accounts.invitations import Invitations
from xinghe.storage import Connection, Database

MEMBERS, GROUPS, INNER = 100_000, 1_000, 10
"""One in `INNER` groups is an organisation, to which the next ones belong."""
SECONDS = 0.05

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def fill(connection: Connection) -> None:
    number = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) "
    connection.run(
        f"{number} INSERT INTO wallets (id, created_at) SELECT i, 0 FROM n", MEMBERS + GROUPS
    )
    connection.run(
        "INSERT INTO members (id, appid, name, created_at) "
        "SELECT id, 'app-' || id, 'member ' || id, 0 FROM wallets WHERE id <= $1",
        MEMBERS,
    )
    connection.run(
        f"{number} INSERT INTO groups (id, name, parent_id, wallet_id, created_at) "
        "SELECT i, 'group ' || i, CASE WHEN (i - 1) % $2 = 0 THEN NULL ELSE i - (i - 1) % $2 END, "
        "i + $3, 0 FROM n",
        GROUPS,
        INNER,
        MEMBERS,
    )
    # Everybody is in the first, and in one of the others.
    connection.run(
        "INSERT INTO memberships (group_id, member_id, role, joined_at) "
        "SELECT 1, id, 'member', 0 FROM members UNION ALL "
        "SELECT 2 + id % ($1 - 1), id, 'member', 0 FROM members",
        GROUPS,
    )
    connection.run(
        "INSERT INTO payment_order (member_id, position, wallet_id) "
        "SELECT member_id, 0, group_id + $1 FROM memberships WHERE group_id > 1",
        MEMBERS,
    )
    connection.run(
        f"{number} INSERT INTO invitations (group_id, role, pays, amount, digest, uses_left, "
        "expires_at, created_at) SELECT 1, 'member', 'own', 0, "
        + (
            "CAST(printf('%032d', i) AS BLOB)"
            if connection.dialect == "sqlite"
            else "CAST(lpad(CAST(i AS TEXT), 32, '0') AS BYTEA)"
        )
        + ", 1, 1, 0 FROM n",
        MEMBERS,
    )
    connection.run("ANALYZE")


def filled(database: Database) -> None:
    with closing(database.backend.session(patient=True)) as session:
        session.begin()
        fill(session)
        session.commit()


async def took(read: Callable[[], Awaitable[object]]) -> float:
    """Seconds of a read; the machine may be busy with others at one moment or another."""
    times = []
    for _ in range(11):
        began = time.perf_counter()
        assert await read()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


async def test_every_page(database: Database) -> None:
    await asyncio.to_thread(filled, database)
    members, groups, invitations = Members(database), Groups(database), Invitations(database)
    last = MEMBERS - 200
    reads: dict[str, Callable[[], Awaitable[object]]] = {
        "members": members.page,
        "members, at the end": lambda: members.page(after=last),
        "members called": lambda: members.search("member 5"),
        "members called, further on": lambda: members.search("member", after=last),
        "member": lambda: members.get(f"member {last}"),
        "groups": groups.page,
        "groups, at the end": lambda: groups.page(after=GROUPS - 100),
        "groups of one": lambda: groups.page(parent=GROUPS - INNER + 1),
        "members of all": lambda: groups.members(1),
        "members of all, at the end": lambda: groups.members(1, after=last),
        "members of one": lambda: groups.members(GROUPS),
        "groups of a member": lambda: groups.of_member(f"member {last}"),
        "payment": lambda: groups.payment(f"member {last}"),
        "standing": lambda: database.read(lambda c: member_place(c, last)),
        "invitations": lambda: invitations.page(1),
        "invitations, at the end": lambda: invitations.page(1, after=last),
    }
    measured = {name: await took(read) for name, read in reads.items()}
    assert {name: seconds for name, seconds in measured.items() if seconds >= SECONDS} == {}
