"""What is settled together with a stored response: both are done, or neither."""

from __future__ import annotations

import pytest

from tests.kit.postgres import ON_SQLITE
from tests.kit.sqlite import session
from tests.ledger.books import Books, away, hold, used
from tests.storage.test_writer import note, notes
from xinghe.accounts import Principal
from xinghe.core import Usage
from xinghe.ledger import Ledger, holding
from xinghe.ledger.settlements import Unsaved
from xinghe.storage import Connection, Database, Locks

pytestmark = ON_SQLITE


def store(connection: Connection) -> None:
    note(connection, "the response")


async def test_what_is_not_charged_in_time_is_not_stored(
    ledger: Ledger,
    principal: Principal,
    books: Books,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "SAVE_SECONDS", 0.5)
    session(database).wait_at_most(10)
    with away(database) as lock, database.defer(Locks(principal.member_id)) as writes:
        usage = Usage()
        async with hold(ledger, principal, usage, stream=False):
            lock()
            used(usage, 5, 3)
            usage.finished = True
        writes.hand_in(store)
        with pytest.raises(Unsaved):
            await writes.cleared()
        assert ledger._settlements._lingering == {}, "it must not be in the journal alone"
    assert await books.balance() == (1000, 0)
    assert await books.usage() == []
    assert "the response" not in await database.read(notes)


async def test_a_stream_that_is_not_noted_in_time_costs_nothing(
    ledger: Ledger,
    principal: Principal,
    books: Books,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "SAVE_SECONDS", 0.5)
    session(database).wait_at_most(10)
    with away(database) as lock, database.defer(Locks(principal.member_id)):

        async def stream() -> None:
            usage = Usage()
            async with hold(ledger, principal, usage):
                lock()
                used(usage, 5, 3)
                usage.finished = True

        with pytest.raises(Unsaved):
            await stream()
    assert await books.balance() == (1000, 0)
    rows = await database.read(lambda c: c.rows("SELECT state, started, emitted FROM holds"))
    assert rows == [("released", 0, 0)]
