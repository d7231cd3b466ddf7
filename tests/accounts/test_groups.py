"""Groups: who is in them, what they allow, and what is recorded of it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tests.accounts.asking import paying, principal
from tests.accounts.audit import Audit
from xinghe.accounts import AccountError, Members, Principals, Tokens
from xinghe.accounts.group_tables import member_place
from xinghe.accounts.groups import Groups
from xinghe.accounts.rights import GroupPlace, MemberPlace
from xinghe.core import INITIAL_GRANT
from xinghe.ledger import check
from xinghe.storage import Database


@pytest.fixture
async def audit(database: Database) -> Audit:
    return Audit(database)


async def allowed(principals: Principals, secret: str) -> set[str]:
    models = (await principal(principals, secret)).models
    assert models is not None
    return {*models}


async def test_a_new_group_has_a_wallet_with_the_grant(groups: Groups, database: Database) -> None:
    made = await groups.create("高一三班", models=["b", "a"])
    assert (made.parent, made.models, made.available) == (None, ["a", "b"], INITIAL_GRANT)
    assert await groups.get("高一三班") == await groups.get(made.id) == made
    granted = await groups.grant("高一三班", 5, note="竞赛")
    assert granted.available == INITIAL_GRANT + 5
    assert await database.read(check) == []


async def test_an_organisation_has_groups_and_they_have_none(groups: Groups) -> None:
    school = await groups.create("school", amount=0)
    inner = await groups.create("class", parent="school", amount=0)
    assert (inner.parent_id, inner.parent, inner.available) == (school.id, "school", 0)
    with pytest.raises(AccountError, match="'class' belongs to 'school': there is one level only"):
        await groups.create("row", parent=inner.id)
    assert await groups.page(parent="school") == [inner]
    assert await groups.page(after=school.id) == [inner]
    assert await groups.page(limit=1) == [school]


async def test_a_name_is_given_once_and_again_after_deletion(groups: Groups) -> None:
    outcomes = await asyncio.gather(*(groups.create("a") for _ in range(5)), return_exceptions=True)
    refused = [str(outcome) for outcome in outcomes if isinstance(outcome, AccountError)]
    assert refused == ["there is a group 'a' already"] * 4
    await groups.create("b")
    with pytest.raises(AccountError, match="there is a group 'a' already"):
        await groups.rename("b", "a")
    await groups.delete("a")
    assert (await groups.rename("b", "a")).name == "a"
    with pytest.raises(AccountError, match="there is no group 'b'"):
        await groups.get("b")


@pytest.mark.parametrize(
    "name", ["", " a", "a\n", "x" * 65, "app-me", "own", "301", "３０", "\x00", "\ud800"]
)
async def test_names_that_are_refused(groups: Groups, name: str) -> None:
    with pytest.raises(AccountError, match=r"^name: "):
        await groups.create(name)
    await groups.create("a")
    with pytest.raises(AccountError, match=r"^name: "):
        await groups.rename("a", name)


async def test_who_is_in_a_group(database: Database, groups: Groups, members: Members) -> None:
    school = await groups.create("school")
    await groups.create("class", parent="school")
    teacher = await members.create("teacher")
    pupils = [await members.create(f"pupil {number}", amount=0) for number in range(3)]
    await groups.add("class", teacher.appid, role="owner")
    for pupil in pupils:
        await groups.add("class", pupil.name)
    with pytest.raises(AccountError, match="'pupil 0' is in the group 'class' already"):
        await groups.add("class", "pupil 0", role="owner")
    listed = await groups.members("class")
    assert [place.member for place in listed] == ["teacher", "pupil 0", "pupil 1", "pupil 2"]
    assert [place.role for place in listed] == ["owner", "member", "member", "member"]
    assert await groups.members("class", after=pupils[0].id, limit=1) == [listed[2]]
    assert await groups.members("school") == []
    assert (await groups.set_role("class", "pupil 1", "manager")).role == "manager"
    await groups.add("school", "pupil 1")
    places = await groups.of_member("pupil 1")
    assert [(place.group, place.role) for place in places] == [
        ("school", "member"),
        ("class", "manager"),
    ]
    found = await database.read(lambda c: member_place(c, pupils[1].id))
    assert found == MemberPlace(
        member_id=pupils[1].id,
        groups=(
            (GroupPlace(school.id), "member"),
            (GroupPlace(places[1].group_id, school.id), "manager"),
        ),
    )
    of_teacher = await database.read(lambda c: member_place(c, teacher.id))
    assert of_teacher.has_tokens


async def test_who_leaves_an_organisation_leaves_none_of_its_groups_without_an_owner(
    groups: Groups, members: Members
) -> None:
    await groups.create("school")
    await groups.create("class", parent="school")
    for name in ("a", "b"):
        await members.create(name)
        await groups.add("class", name, role="owner" if name == "a" else "member")
    await groups.add("school", "a")
    with pytest.raises(AccountError, match="'a' is the only owner of 'class': name another"):
        await groups.remove("school", "a")
    await groups.set_role("class", "b", "owner")
    await groups.remove("school", "a")
    assert [each.member for each in await groups.members("class")] == ["b"]


async def test_a_group_with_members_keeps_an_owner(groups: Groups, members: Members) -> None:
    await groups.create("team")
    for name in ("a", "b"):
        await members.create(name)
        await groups.add("team", name)
    with pytest.raises(AccountError, match="'c'"):
        await groups.set_role("team", "c", "owner")
    await groups.set_role("team", "a", "owner")
    for change in (groups.remove("team", "a"), groups.set_role("team", "a", "manager")):
        with pytest.raises(AccountError, match="'a' is the only owner of 'team': name another"):
            await change
    await groups.set_role("team", "b", "owner")
    await groups.remove("team", "a")
    await groups.remove("team", "b")
    assert await groups.members("team") == []
    with pytest.raises(AccountError, match="'b' is not in the group 'team'"):
        await groups.remove("team", "b")


async def test_who_leaves_an_organisation_leaves_its_groups(
    groups: Groups, members: Members
) -> None:
    await groups.create("school")
    await groups.create("class", parent="school")
    await groups.create("club")
    await members.create("a")
    for name in ("school", "class", "club"):
        await groups.add(name, "a")
    assert await paying(groups, "a") == ["club", "class", "school"]
    await groups.remove("school", "a")
    assert [place.group for place in await groups.of_member("a")] == ["club"]
    assert await paying(groups, "a") == ["club"]


async def test_models_of_a_group_and_its_organisation(
    groups: Groups, members: Members, tokens: Tokens, principals: Principals
) -> None:
    await groups.create("school", models=["x", "y"])
    await groups.create("class", parent="school")
    await members.create("a")
    secret = await tokens.create("a", models=["y", "z"])
    assert await allowed(principals, secret) == {"y", "z"}
    await groups.add("class", "a")
    assert await allowed(principals, secret) == {"y"}
    await groups.set_models("class", ["x"])
    assert await allowed(principals, secret) == set()
    await groups.set_models("class", None)
    await groups.set_models("school", None)
    assert await allowed(principals, secret) == {"y", "z"}
    with pytest.raises(AccountError, match="an empty list would allow no model"):
        await groups.set_models("class", [])


async def test_a_deleted_group(
    groups: Groups, members: Members, tokens: Tokens, principals: Principals, database: Database
) -> None:
    await groups.create("school", models=["x"])
    await groups.create("class", parent="school", models=["x"])
    member = await members.create("a")
    secret = await tokens.create("a")
    await groups.add("class", "a", pays="group,own")
    with pytest.raises(
        AccountError, match="the group 'class' belongs to 'school': delete it first"
    ):
        await groups.delete("school")
    await groups.delete("class")
    found = await principal(principals, secret)
    assert (found.wallets, found.models, found.standing.roles) == ((member.id,), None, {})
    assert await paying(groups, "a") == ["own"]
    assert await groups.of_member("a") == []
    left = "SELECT group_id FROM memberships UNION ALL SELECT wallet_id FROM payment_order"
    assert await database.read(lambda c: c.rows(left)) == [(member.id,)]
    assert [group.name for group in await groups.page()] == ["school"]
    await groups.delete("school")
    for wanted in ("class", "school"):
        with pytest.raises(AccountError, match=f"there is no group '{wanted}'"):
            await groups.add(wanted, "a")
    assert await database.read(check) == []


async def test_every_change_is_audited(groups: Groups, members: Members, audit: Audit) -> None:
    await groups.create("school", amount=0)
    group = await groups.create("class", parent="school", amount=7, models=["m"])
    member = await members.create("a")
    await audit.skip()
    subject, who = f"group-{group.id}", {"member": member.appid}

    async def told(change: Any, action: str, before: Any, after: Any, of: str = subject) -> None:
        await change
        assert await audit.new() == [("tester", action, of, before, after)]

    pays = {"role": "manager", "pays": "own,group"}
    added = groups.add("class", "a", role="manager", pays="own,group")
    await told(added, "group.add", None, who | pays)
    role = groups.set_role("class", "a", "owner")
    await told(role, "group.role", who | {"role": "manager"}, who | {"role": "owner"})
    order, before = groups.set_payment("a", ["class"]), {"pays": ["own", "class"]}
    await told(order, "member.pays", before, {"pays": ["class"]}, member.appid)
    await told(groups.remove("class", "a"), "group.remove", who | {"role": "owner"}, None)
    await told(groups.rename("class", "b"), "group.rename", {"name": "class"}, {"name": "b"})
    models = groups.set_models("b", None)
    await told(models, "group.models", {"models": ["m"]}, {"models": None})
    given = {
        "wallet": group.wallet_id,
        "amount": 5,
        "expires_at": None,
        "models": None,
        "note": "n",
    }
    await told(groups.grant("b", 5, note="n"), "wallet.grant", None, given)
    deleted = {"name": "b", "parent": "school", "models": None}
    await told(groups.delete("b"), "group.delete", deleted, None)


async def test_what_is_refused_changes_nothing(
    groups: Groups, members: Members, audit: Audit
) -> None:
    await groups.create("a")
    await members.create("b")
    await audit.skip()
    for refused in (
        groups.create("a"),
        groups.create("c", parent="nothing"),
        groups.create("c", amount=-1),
        groups.rename("a", "own"),
        groups.add("a", "nobody"),
        groups.add("nothing", "b"),
        groups.remove("a", "b"),
        groups.set_payment("b", ["a"]),
        groups.grant("a", 0),
        groups.grant("a", 1, expires_at=1),
        groups.delete("nothing"),
    ):
        with pytest.raises(AccountError):
            await refused
    assert await audit.new() == []
    assert [group.name for group in await groups.page()] == ["a"]
    assert msgspec.structs.asdict((await groups.page())[0])["available"] == INITIAL_GRANT
