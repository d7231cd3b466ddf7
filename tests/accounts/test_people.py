"""Members renamed, disabled and deleted: who can call, who is named, and what stays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.accounts.audit import Audit
from xinghe.accounts import AccountError, Alerts, Members, Principals, Tokens
from xinghe.accounts.asking import MemberDisabled
from xinghe.accounts.groups import Groups
from xinghe.ledger import check
from xinghe.storage import Database, now


async def test_pages_of_members(members: Members) -> None:
    made = [await members.create(name, amount=0) for name in ("b", "ab", "张三", "a", "张四")]
    assert await members.page(limit=2) == made[:2]
    assert await members.page(after=made[1].id, limit=2) == made[2:4]
    assert await members.page(after=made[-1].id) == []
    assert [member.name for member in await members.search("a")] == ["a", "ab"]
    assert [member.name for member in await members.search("张", limit=1)] == ["张三"]
    assert await members.search("c") == []
    assert [member.name for member in await members.search("", after=made[1].id)] == [
        "b",
        "张三",
        "张四",
    ]


async def test_a_new_name(members: Members, tokens: Tokens, principals: Principals) -> None:
    member = await members.create("a")
    await members.create("b")
    secret = await tokens.create("a")
    assert (await members.rename("a", "c")).name == "c"
    found = await principals.authenticate(secret)
    assert found is not None
    assert (found.member_name, found.appid) == ("c", member.appid)
    for name in ("b", "", "app-x"):
        with pytest.raises(AccountError):
            await members.rename("c", name)
    with pytest.raises(AccountError, match="no member 'a'"):
        await members.get("a")
    await members.create("a")


async def test_of_many_who_want_a_name_one_gets_it(
    members: Members, tmp_path: Path, database_url: str
) -> None:
    made = [await members.create(f"{number}") for number in range(6)]
    # Another process, such as the command line.
    async with await Database.open(tmp_path, database_url) as other:
        both = [members, Members(other)]
        for name in ("a", "b", "c"):
            outcomes = await asyncio.gather(
                *(both[place % 2].rename(each.appid, name) for place, each in enumerate(made)),
                *(each.create(name) for each in both),
                return_exceptions=True,
            )
            refused = [str(each) for each in outcomes if isinstance(each, BaseException)]
            assert refused == [f"there is a member {name!r} already"] * 7


async def test_who_is_disabled_is_refused_at_once(
    members: Members, tokens: Tokens, principals: Principals
) -> None:
    await members.create("a")
    secret = await tokens.create("a")
    found = await principals.authenticate(secret)
    assert found is not None
    first = await members.disable("a")
    assert first.disabled_at is not None
    assert (await members.disable("a")).disabled_at == first.disabled_at
    with pytest.raises(MemberDisabled):
        await principals.authenticate(secret)
    assert await principals.lapsed([found.bearer]) == [found.bearer]
    assert (await members.enable("a")).disabled_at is None
    assert await principals.authenticate(secret) is not None
    assert await principals.lapsed([found.bearer]) == []


async def test_an_operator(members: Members, tokens: Tokens, principals: Principals) -> None:
    await members.create("a")
    secret = await tokens.create("a", scopes=["admin"])
    for operator in (True, False):
        assert (await members.set_operator("a", operator)).operator == operator
        found = await principals.authenticate(secret)
        assert found is not None
        assert found.operator == operator


NAMES = ("王小明", "小明的笔记本", "王大明", "wangxiaoming")


async def test_a_deleted_person_is_named_nowhere_and_the_books_agree(
    members: Members, tokens: Tokens, principals: Principals, groups: Groups, database: Database
) -> None:
    member = await members.create(NAMES[0])
    await members.rename(NAMES[0], NAMES[2])
    await members.grant(NAMES[2], 5, note="gift")
    await groups.create("class")
    await groups.add("class", NAMES[2], role="owner")
    await groups.set_payment(NAMES[2], ["own", "class"])
    await groups.remove("class", NAMES[2])
    await groups.add("class", NAMES[2], pays="group,own")
    secret = await tokens.create(NAMES[2], name=NAMES[1], cap=5)
    revoked = await tokens.create(NAMES[2], name=NAMES[1])
    await tokens.revoke(revoked.split("-")[1])
    await Alerts(database).put(NAMES[2], 5, f"https://example.edu/{NAMES[3]}")
    found = await principals.authenticate(secret)
    assert found is not None
    await database.write(
        lambda c: c.run(
            "INSERT INTO kept_answers (member_id, operation, key, asked, model, status, headers, "
            "body, size, at) VALUES ($1, 'chat', $2, $2, 'm', 200, $3, $3, 4, 1)",
            member.id,
            bytes(32),
            NAMES[0].encode(),
        )
    )
    await database.write(
        lambda c: c.run(
            "INSERT INTO kept_responses (member_id, name, model, input, response, size, at) "
            "VALUES ($1, 'resp_1', 'm', $2, $2, 4, 1)",
            member.id,
            NAMES[0].encode(),
        )
    )
    await members.delete(NAMES[2])
    assert await principals.authenticate(secret) is None
    assert await principals.lapsed([found.bearer]) == [found.bearer]
    everything = await whole(database)
    for name in NAMES:
        assert name not in everything
    with pytest.raises(AccountError, match="no member"):
        await members.get(member.appid)
    assert await members.page() == []
    assert await groups.members("class") == []
    assert await database.read(check) == []
    # The name is free for another person, who is another.
    again = await members.create(NAMES[2])
    assert again.appid != member.appid


async def test_the_audit_log_can_only_forget_who_was_deleted(
    members: Members, tokens: Tokens, database: Database
) -> None:
    await members.create("a")
    await members.create("b")
    await tokens.create("b")
    await members.delete("a")
    before = await whole(database)
    of_b = "SELECT id FROM audit WHERE subject IN (SELECT appid FROM members WHERE name = 'b') "
    for statement in (
        f"UPDATE audit SET detail = 'x' WHERE id IN ({of_b})",
        f"UPDATE audit SET before = NULL, after = NULL WHERE id IN ({of_b})",
        "UPDATE audit SET after = NULL WHERE action = 'token.create'",
        "UPDATE audit SET at = 1",
        "UPDATE audit SET actor = 'x' WHERE action = 'member.delete'",
        "DELETE FROM audit",
    ):
        with pytest.raises(Exception, match="the audit log is append-only"):
            await database.write(lambda c: c.run(statement))  # noqa: B023
    assert await whole(database) == before


async def test_changes_are_audited(members: Members, database: Database) -> None:
    member = await members.create("a", amount=0)
    audit = Audit(database)
    await audit.skip()
    await members.rename("a", "b")
    await members.set_operator("b", True)
    disabled = (await members.disable("b")).disabled_at
    await members.enable("b")
    told = [
        ("member.rename", {"name": "a"}, {"name": "b"}),
        ("member.operator", {"operator": False}, {"operator": True}),
        ("member.disable", {"disabled_at": None}, {"disabled_at": disabled}),
        ("member.enable", {"disabled_at": disabled}, {"disabled_at": None}),
    ]
    assert await audit.new() == [
        ("tester", action, member.appid, before, after) for action, before, after in told
    ]
    await members.delete("b")
    assert await audit.new() == [("tester", "member.delete", member.appid, None, None)]
    assert disabled is not None
    assert disabled <= now()


async def whole(database: Database) -> str:
    """All that the database holds, as text."""
    tables = [
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public'",
    ]
    found = await database.read(
        lambda c: [
            (table, c.rows(f"SELECT * FROM {table}"))
            for (table,) in sorted(c.rows(tables[c.dialect == "postgresql"]))
        ]
    )
    return str(found) + "".join(
        each.decode(errors="replace")
        for _, rows in found
        for row in rows
        for each in row
        if isinstance(each, bytes)
    )
