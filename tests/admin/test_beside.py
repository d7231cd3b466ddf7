"""What is looked up is still true when it is done: others come between, on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.admin.desk import Desk, Person, Reply, unique
from tests.admin.test_packages import offered
from tests.kit.postgres import Cluster
from tests.supervisor.kit import until
from xinghe.core import MICRO

WALLET = "SELECT 1 FROM wallets WHERE id = {} FOR UPDATE"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Street(Desk):
    """A desk whose database somebody else works on as well."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder, url)
        self.url = url
        self.operator = self.person("operator", operator=True)

    def between(
        self, lock: str, *sent: Coroutine[Any, Any, Reply], meanwhile: str = "SELECT 1"
    ) -> list[Reply]:
        """What is sent waits for a lock; once all do, another does something and lets it go."""

        async def whole() -> list[Reply]:
            with psycopg.connect(self.url) as holder:
                holder.execute(lock.encode())
                replies = [asyncio.ensure_future(each) for each in sent]
                await asyncio.to_thread(until, "all wait", lambda: self._waiting() == len(sent))
                holder.execute(meanwhile.encode())
            return await asyncio.gather(*replies)

        return self.run(whole())

    def _waiting(self) -> int:
        with psycopg.connect(self.url) as connection:
            [(found,)] = connection.execute(WAITING.encode()).fetchall()
        return int(found)


@pytest.fixture(scope="module")
def street(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with Street(tmp_path_factory.mktemp("beside"), postgres.database()) as opened:
        yield opened


def test_two_who_change_a_package_keep_what_the_other_changed(street: Street) -> None:
    made, by = offered(street, street.operator), street.operator.token
    path = f"/packages/{made['id']}"
    changes = {"price": 8}, {"tokens": 5}
    replies = street.between(
        "SELECT 1 FROM revision FOR UPDATE",
        *(
            street.sending("PATCH", path, by, change, by=service)
            for change, service in zip(changes, (street.admin, street.service()), strict=True)
        ),
    )
    assert [reply.status for reply in replies] == [200, 200]
    assert street.send("GET", path, by).json == {**made, "price": 8, "tokens": 5}


def test_a_package_that_is_withdrawn_meanwhile_is_not_ordered(street: Street) -> None:
    who, package = street.person(unique()), offered(street, street.operator)["id"]
    path = f"/wallets/{who.number}/orders"
    [reply] = street.between(
        WALLET.format(who.number),
        street.sending("POST", path, who.token, {"package": package}),
        meanwhile=f"UPDATE packages SET withdrawn_at = created_at WHERE id = {package}",
    )
    assert (reply.status, reply.json["error"]["param"]) == (400, "package")


def test_who_has_left_the_group_meanwhile_moves_nothing_to_it(street: Street) -> None:
    who, mate = (street.person(unique(), amount=2 * MICRO) for _ in range(2))
    group = street.group(unique())
    for each in (who, mate):
        street.join(group.id, each)

    def move(to: Person) -> Coroutine[Any, Any, Reply]:
        body = {"to": to.number, "amount": 1, "reason": "x"}
        return street.sending("POST", f"/wallets/{who.number}/transfers", who.token, body)

    assert street.run(move(mate)).status == 200
    [reply] = street.between(
        WALLET.format(who.number),
        move(mate),
        meanwhile=f"DELETE FROM memberships WHERE member_id = {who.number}",
    )
    assert (reply.status, reply.json["error"]["param"]) == (404, "to")
