"""A page of a list is read by as many statements as one row of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.admin.desk import Desk, Person, unique
from tests.admin.test_orders import BACK, paid
from tests.admin.test_packages import offered
from xinghe.storage import Connection


class Counting:
    """A connection that counts what it is asked."""

    def __init__(self, connection: Connection) -> None:
        self.count = 0
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in {"rows", "row", "value"}:
            return found

        def counted(*given: object) -> Any:
            self.count += 1
            return found(*given)

        return counted


@pytest.fixture
def statements(desk: Desk, operator: Person, monkeypatch: pytest.MonkeyPatch) -> Any:
    """How many an answer takes."""

    def asked(path: str) -> tuple[int, list[dict[str, Any]]]:
        counts: list[int] = []
        read = desk.database.read

        async def counted(operation: Callable[[Connection], Any]) -> Any:
            def whole(connection: Any) -> Any:
                counting = Counting(connection)
                done = operation(counting)
                counts.append(counting.count)
                return done

            return await read(whole)

        desk.send("GET", path, operator.token)  # who asks is known from then on
        with monkeypatch.context() as patched:
            patched.setattr(desk.database, "read", counted)
            rows = desk.send("GET", path, operator.token).json["data"]
        return sum(counts), rows

    return asked


def test_a_page_of_orders(desk: Desk, operator: Person, statements: Any) -> None:
    for who in (desk.person(unique()) for _ in range(4)):
        path = f"/orders/{paid(desk, operator, who)}/refunds"
        for tokens in (1, 2):
            body = {**BACK, "tokens": tokens, "reference": unique()}
            assert desk.send("POST", path, operator.token, body).status == 200
    few, [_] = statements("/orders?limit=1")
    many, rows = statements("/orders?limit=4")
    assert few == many > 0
    assert [row["refunded_tokens"] for row in rows] == [3] * 4
    assert len({row["ordered_by"] for row in rows}) == 4


def test_a_page_of_packages(desk: Desk, operator: Person, statements: Any) -> None:
    groups = [desk.group(unique()).id for _ in range(3)]
    made = [offered(desk, operator, groups=groups[:n]) for n in range(4)]
    first = made[0]["id"] - 1
    few, [_] = statements(f"/packages?limit=1&after={first}")
    many, rows = statements(f"/packages?limit=4&after={first}")
    assert few == many > 0
    assert rows == made
