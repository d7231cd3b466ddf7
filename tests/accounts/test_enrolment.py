"""A class comes in: all of a roster or nobody, with tokens that are known before they are valid."""

from __future__ import annotations

import pytest

from xinghe.accounts import AccountError, Members, Principals, roster
from xinghe.accounts.enrolment import Enrolment, RosterRefused, Terms
from xinghe.accounts.groups import Groups
from xinghe.core import INITIAL_GRANT, MICRO
from xinghe.ledger import Window, check
from xinghe.spreadsheet import MAX_ROWS
from xinghe.storage import Database

CLASS = (
    "学号,角色,每月预算\n00,owner,\n" + "".join(f"{each:02},,\n" for each in range(1, 49)) + "49,,5"
)


@pytest.fixture
async def enrolment(database: Database) -> Enrolment:
    return Enrolment(database, actor="tester")


async def test_a_class_of_fifty_shares_the_wallet_of_its_group(
    enrolment: Enrolment,
    groups: Groups,
    members: Members,
    principals: Principals,
    database: Database,
) -> None:
    group = await groups.create("class")
    terms = Terms("class", budget=2 * MICRO, zone="Asia/Shanghai", models=["m"])
    draft = await enrolment.draft(roster.read(CLASS.encode("gbk")), terms)
    assert draft.encoding == "gb18030"
    assert await principals.authenticate(draft.people[0].token) is None
    assert await members.page() == []
    await enrolment.admit(draft)
    placed = await groups.members("class")
    assert [place.role for place in placed] == ["owner"] + ["member"] * 49
    assert [place.member for place in placed] == [f"{each:02}" for each in range(50)]
    for person in draft.people:
        found = await principals.authenticate(person.token)
        assert found is not None
        assert (found.member_name, found.token_name) == (person.name, "import")
        assert (found.wallets, found.models) == ((group.wallet_id,), frozenset({"m"}))
        (budget,) = found.budgets
        assert budget.amount == (5 if person.name == "49" else 2) * MICRO
        assert budget.window == Window("month", zone="Asia/Shanghai")
    assert sum(member.balance for member in await members.page()) == 0
    assert await database.read(check) == []


async def test_people_with_wallets_of_their_own(
    enrolment: Enrolment, groups: Groups, members: Members
) -> None:
    read = roster.read(b"name,tokens\na,\nb,0.5\n")
    await enrolment.admit(await enrolment.draft(read, Terms()))
    assert [each.balance for each in await members.page()] == [INITIAL_GRANT, 500_000]
    await groups.create("class")
    read = roster.read(b"name,tokens\nc,\nd,0.5\n")
    await enrolment.admit(await enrolment.draft(read, Terms("class", pays="own,group", amount=7)))
    assert [(await members.get(name)).balance for name in "cd"] == [7, 500_000]
    assert [source.group for source in await groups.payment("c")] == [None, "class"]


async def test_every_fault_is_told_and_nobody_is_made(
    enrolment: Enrolment, members: Members
) -> None:
    await members.create("b")
    with pytest.raises(RosterRefused) as refusal:
        await enrolment.draft(roster.read(b"name,role\na,\nb,\n,\na,\nc,owner\n=c,\n"), Terms())
    assert [(fault.line, fault.message.split(":")[0]) for fault in refusal.value.faults] == [
        (3, "name"),
        (5, "name"),
        (6, "role"),
        (7, "name"),
    ]
    assert str(refusal.value).startswith("nobody was imported: line 3: name: there is a member 'b'")
    assert str(refusal.value).endswith("; and 1 more")
    assert [member.name for member in await members.page()] == ["b"]


async def test_who_was_made_meanwhile_undoes_all(
    enrolment: Enrolment, members: Members, principals: Principals
) -> None:
    draft = await enrolment.draft(roster.read(b"name\na\nb\n"), Terms())
    await members.create("b")
    with pytest.raises(AccountError, match="there is a member 'b' already"):
        await enrolment.admit(draft)
    assert [member.name for member in await members.page()] == ["b"]
    assert await principals.authenticate(draft.people[0].token) is None


@pytest.mark.parametrize(
    "terms",
    [
        Terms("nothing"),
        Terms(99),
        Terms(zone="Middle/Earth", budget=1),
        Terms(zone="../../etc/passwd", budget=1),
        Terms(zone="America", budget=1),
        Terms(zone="", budget=1),
        Terms(zone="\x00", budget=1),
        Terms(amount=-1),
        Terms(budget=-1),
        Terms(models=[]),
        Terms(expires_at=1),
    ],
)
async def test_terms_that_are_refused(enrolment: Enrolment, members: Members, terms: Terms) -> None:
    with pytest.raises(AccountError):
        await enrolment.admit(await enrolment.draft(roster.read(b"name\na\n"), terms))
    assert await members.page() == []


async def test_the_longest_roster(enrolment: Enrolment, groups: Groups, database: Database) -> None:
    await groups.create("school")
    text = "name\n" + "".join(f"{number}\n" for number in range(MAX_ROWS))
    draft = await enrolment.draft(roster.read(text.encode()), Terms("school", budget=1))
    await enrolment.admit(draft)
    assert len(await groups.members("school", limit=2 * MAX_ROWS)) == MAX_ROWS
