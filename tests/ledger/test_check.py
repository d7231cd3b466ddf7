"""The check finds each kind of damage, and names it."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from tests.kit.postgres import ON_SQLITE, Cluster
from tests.kit.sqlite import raw
from tests.ledger.books import Books, hold, used
from tests.ledger.many import fill
from tests.ledger.test_budgets import again
from xinghe.accounts import Principal, Tokens
from xinghe.core import Usage
from xinghe.ledger import Ledger, check, check_file
from xinghe.storage.postgresql.backend import PostgreSQLBackend
from xinghe.storage.sqlite import SQLiteSession

CHARGED = "a captured hold was charged once, what its counts cost, at most its amount; others never"
CHAIN = "each entry's balance follows from the one before"
COUNTED = "a budget's window counts what the holds that were opened in it cost or pin"
SUMMED = "the hourly sums say what the usage entries say"
OF_MEMBERS = "the monthly sums of members say what the hourly ones say"
OF_GROUPS = "the sums of groups say what the hourly ones say"
ONE = "wallet_id, since, model, outcome, requests"
OF_ONE = "VALUES (1, 0, 'another', '', 1"
DAMAGE = [
    (CHAIN, "UPDATE entries SET amount = amount + 1 WHERE id = 1"),
    (CHAIN, "UPDATE entries SET amount = amount - 1 WHERE id = 2"),
    (CHAIN, "UPDATE entries SET balance_after = balance_after + 1 WHERE id = 1"),
    (CHAIN, "UPDATE entries SET balance_after = balance_after + 1 WHERE id = 2"),
    (CHAIN, "DELETE FROM entries WHERE id = 1"),
    ("the balance is the sum of the entries", "DELETE FROM entries WHERE kind = 'usage'"),
    ("the balance is what the lots have left", "UPDATE lots SET remaining = remaining - 1"),
    (
        "what is held is the sum of the open holds",
        "UPDATE wallets SET available = available - 1, held = held + 1",
    ),
    ("neither part of the balance is below zero", "UPDATE wallets SET available = -1"),
    (CHARGED, "UPDATE holds SET state = 'released'"),
    (CHARGED, "UPDATE holds SET wallet_id = 2"),
    (CHARGED, "UPDATE holds SET amount = 43"),
    (CHARGED, "UPDATE entries SET completion_tokens = 4 WHERE kind = 'usage'"),
    (CHARGED, "DELETE FROM entries WHERE kind = 'usage'"),
    (CHARGED, "UPDATE entries SET hold_id = 'none ' || id WHERE kind = 'usage'"),
    (COUNTED, "UPDATE budget_windows SET used = used + 1"),
    (SUMMED, "UPDATE usage_hours SET requests = requests + 1"),
    (SUMMED, "UPDATE usage_hours SET spend = spend - 1"),
    (SUMMED, "UPDATE usage_hours SET hour = hour + 3600000000"),
    (SUMMED, "DELETE FROM usage_hours"),
    (OF_MEMBERS, f"INSERT INTO usage_members ({ONE}, member_id, token_id) {OF_ONE}, 1, 1)"),
    (OF_GROUPS, f"INSERT INTO usage_groups ({ONE}, span) {OF_ONE}, 'day')"),
    (OF_GROUPS, f"INSERT INTO usage_groups ({ONE}, span) {OF_ONE}, 'month')"),
    (SUMMED, "UPDATE entries SET reasoning_tokens = 1 WHERE kind = 'usage'"),
    (SUMMED, "UPDATE entries SET model = 'another' WHERE kind = 'usage'"),
    ("every lot came with its entry", "UPDATE lots SET amount = amount + 1"),
    ("every reference leads somewhere", "UPDATE tokens SET member_id = 99"),
    ("the database file is intact", "UPDATE wallets SET held = -5"),
]


async def test_it_finds_nothing_beside_requests(
    ledger: Ledger, principal: Principal, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which write while it goes from portion to portion, and in one."""
    monkeypatch.setattr("xinghe.ledger.entries.PORTION", 7)

    async def request(number: int) -> None:
        usage = Usage()
        async with hold(ledger, principal, usage, amount=50):
            used(usage, 1, 1)
            await asyncio.sleep(0)
            ledger.checkpoint()
            usage.finished = number % 3 > 0

    async def requests() -> None:
        for number in range(0, 90, 3):
            await asyncio.gather(*map(request, range(number, number + 3)))

    serving = asyncio.create_task(requests())
    checks = 0
    while not serving.done():
        assert await books.database.read(check) == []
        checks += 1
    await serving
    assert checks > 3
    assert len(await books.usage()) == 60


@ON_SQLITE
@pytest.mark.parametrize("portion", [1, 2_000_000])
@pytest.mark.parametrize(("rule", "damage"), DAMAGE)
async def test_damage(
    rule: str,
    damage: str,
    portion: int,
    ledger: Ledger,
    tokens: Tokens,
    principal: Principal,
    books: Books,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.ledger.entries.PORTION", portion)
    await tokens.cap(str(principal.token_id), 500)
    principal = await again(books.database, principal)
    usage = Usage()
    async with hold(ledger, principal, usage):
        used(usage, 5, 3)
        usage.finished = True
    await books.agree()
    writer = raw(books.database)
    writer.pragma("ignore_check_constraints", True)
    writer.pragma("foreign_keys", False)
    writer.execute("SAVEPOINT damage; DROP TRIGGER entries_are_never_changed")
    writer.execute("DROP TRIGGER entries_are_never_deleted")
    writer.execute(damage)
    writer.pragma("ignore_check_constraints", False)
    session = SQLiteSession(writer)
    found = check(session) + check_file(session)
    writer.execute("ROLLBACK TO damage; RELEASE damage")
    assert rule in {finding.rule for finding in found}
    assert all(finding.where and finding.expected != finding.found for finding in found)


KEPT_BY_POSTGRESQL = ("available = -1", "member_id = 99", "held = -5", "amount = 43")
"""What its rules do not let anybody do; and the amount that covers what `fill` charges."""


@pytest.mark.parametrize(
    ("rule", "damage"), [each for each in DAMAGE if not each[1].endswith(KEPT_BY_POSTGRESQL)]
)
def test_damage_in_postgresql(rule: str, damage: str, postgres: Cluster) -> None:
    backend = PostgreSQLBackend.prepared(postgres.database(), create=False)
    with closing(backend.session()) as session:
        fill(session, 3)
        assert check(session) == []
        for table in "wallets", "entries", "holds":
            session.run(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        assert session.run(damage) > 0
        found = check(session)
        assert rule in {finding.rule for finding in found}
        assert all(finding.where and finding.expected != finding.found for finding in found)
