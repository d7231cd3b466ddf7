"""A response that is stored for whoever asks again is charged, whoever has its hold by then."""

from __future__ import annotations

from tests.ledger.books import Books, hold, used
from tests.ledger.test_durability import COST, reaped_elsewhere
from xinghe.accounts import Principal
from xinghe.core import Usage
from xinghe.ledger import Ledger
from xinghe.storage import Database, Locks


async def test_charged_late(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    usage, stored = Usage(), list[str]()
    with database.defer(Locks(principal.member_id)) as writes:
        async with hold(ledger, principal, usage, stream=False):
            used(usage, 5, 3)
            usage.finished = True
            await reaped_elsewhere(database, ledger.owner.boot_id)
        writes.hand_in(lambda _: stored.append("response"))
        await writes.cleared()
    assert stored == ["response"]
    (entry,) = await books.usage()
    assert (entry.note, entry.amount) == ("late", -COST)
    assert await books.balance() == (1000 - COST, 0)
