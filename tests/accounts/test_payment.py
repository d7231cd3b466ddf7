"""Which wallets pay for a member, and in which order."""

from __future__ import annotations

import pytest

from tests.accounts.asking import paying, principal
from xinghe.accounts import AccountError, Members, Principals, Tokens
from xinghe.accounts.group_tables import Pays
from xinghe.accounts.groups import Groups


@pytest.mark.parametrize(
    ("pays", "alone", "beside"),
    [
        ("own", ["own"], ["first"]),
        ("group", ["team"], ["team", "first"]),
        ("group,own", ["team", "own"], ["team", "first", "own"]),
        ("own,group", ["own", "team"], ["own", "first", "team"]),
    ],
)
async def test_which_wallets_pay_for_who_joins(
    groups: Groups, members: Members, pays: Pays, alone: list[str], beside: list[str]
) -> None:
    await groups.create("first")
    await groups.create("team")
    await members.create("a")
    await members.create("b")
    await groups.add("team", "a", pays=pays)
    assert await paying(groups, "a") == alone
    await groups.add("first", "b", pays="group")
    await groups.add("team", "b", pays=pays)
    assert await paying(groups, "b") == beside
    await groups.remove("team", "a")
    assert await paying(groups, "a") == ["own"]
    await groups.remove("first", "b")
    assert await paying(groups, "b") == [name for name in beside if name != "first"] or ["own"]


async def test_the_order_of_payment(
    groups: Groups, members: Members, principals: Principals, tokens: Tokens
) -> None:
    school = await groups.create("school")
    inner = await groups.create("class", parent="school")
    await groups.create("other")
    member = await members.create("a")
    secret = await tokens.create("a")
    await groups.add("class", "a", pays="own")
    assert (await principal(principals, secret)).wallets == (member.id,)
    order = ["school", "own", "class"]
    assert [each.group for each in await groups.set_payment("a", order)] == [
        "school",
        None,
        "class",
    ]
    found = await principal(principals, secret)
    assert found.wallets == (school.wallet_id, member.id, inner.wallet_id)
    for wrong, message in (
        ([], "at least one"),
        (["own", "own"], "each once"),
        (["other"], "the group 'other' cannot pay for 'a', who is not in it"),
        (["nothing"], "'nothing' cannot pay"),
    ):
        with pytest.raises(AccountError, match=message):
            await groups.set_payment("a", wrong)
    assert (await principal(principals, secret)).wallets == found.wallets
    await groups.remove("class", "a")
    assert (await principal(principals, secret)).wallets == (member.id,)


async def test_an_organisation_pays_for_nobody_whose_group_is_deleted(
    groups: Groups, members: Members, tokens: Tokens, principals: Principals
) -> None:
    await groups.create("school")
    await groups.create("class", parent="school")
    member = await members.create("a")
    secret = await tokens.create("a")
    await groups.add("class", "a")
    await groups.set_payment("a", ["school", "class"])
    await groups.delete("class")
    assert await paying(groups, "a") == ["own"]
    assert (await principal(principals, secret)).wallets == (member.id,)


async def test_a_wallet_does_not_pay_again_by_itself(groups: Groups, members: Members) -> None:
    """The school paid for its class; the class is gone, and its pupil comes back for himself."""
    await groups.create("school")
    await groups.create("class", parent="school")
    await members.create("b")
    await groups.add("class", "b", pays="own")
    await groups.set_payment("b", ["own", "school"])
    await groups.delete("class")
    await groups.add("school", "b", pays="own")
    assert [source.group for source in await groups.payment("b")] == [None]
