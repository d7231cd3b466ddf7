"""Coming in by invitation: counted, expiring, and exact when many come at once."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.accounts.audit import Audit
from xinghe.accounts import AccountError, Members
from xinghe.accounts.groups import Groups
from xinghe.accounts.invitations import LONGEST, Invitations
from xinghe.accounts.rights import Role
from xinghe.core import INITIAL_GRANT
from xinghe.ledger import check
from xinghe.storage import Database, now

DAY = 86_400_000_000
ROLES: tuple[Role, ...] = ("member", "manager")
INVALID = "the invitation is not valid"


async def test_a_new_member_comes_in(
    groups: Groups, members: Members, invitations: Invitations, database: Database
) -> None:
    group = await groups.create("class", amount=0)
    made, code = await invitations.create("class", role="manager", uses=2)
    assert re.fullmatch(r"xi-[A-Za-z0-9_-]{32}", code)
    assert made.state(now()) == "open"
    assert await invitations.look(code) == made
    newcomer = await invitations.sign_up(code, "新人", password="a hash")
    assert await members.get("新人") == newcomer
    (place,) = await groups.of_member("新人")
    assert (place.group_id, place.member, place.role) == (group.id, "新人", "manager")
    assert [source.group for source in await groups.payment("新人")] == ["class"]
    assert (await members.get("新人")).balance == 0
    stored = "SELECT password FROM members WHERE name = '新人'"
    assert await database.read(lambda c: c.value(stored)) == "a hash"
    await members.create("old")
    await invitations.accept(code, "old")
    assert (await invitations.get(made.id)).state(now()) == "used"
    for late in (invitations.look(code), invitations.sign_up(code, "late")):
        with pytest.raises(AccountError, match=INVALID):
            await late
    with pytest.raises(AccountError, match="no member 'late'"):
        await members.get("late")
    assert await database.read(check) == []


@pytest.mark.parametrize(
    ("fields", "balance"),
    [
        ({"pays": "own"}, INITIAL_GRANT),
        ({"pays": "own", "amount": 0}, 0),
        ({"pays": "group"}, 0),
        ({"pays": "group,own"}, 0),
        ({"pays": "own,group", "amount": 5}, 5),
    ],
)
async def test_what_the_own_wallet_of_a_new_member_begins_with(
    groups: Groups, invitations: Invitations, members: Members, fields: Any, balance: int
) -> None:
    await groups.create("class")
    _, code = await invitations.create("class", **fields)
    await invitations.sign_up(code, "a")
    assert (await members.get("a")).balance == balance


async def test_of_many_at_the_last_use_one_comes_in(
    groups: Groups,
    invitations: Invitations,
    members: Members,
    tmp_path: Path,
    database_url: str,
) -> None:
    await groups.create("class")
    old = [(await members.create(f"old {number}")).name for number in range(8)]
    made, code = await invitations.create("class", uses=3)
    await invitations.accept(code, (await members.create("first")).name)
    await invitations.accept(code, (await members.create("second")).name)
    async with await Database.open(tmp_path, database_url) as other:  # of another process
        both = [invitations, Invitations(other)]
        outcomes = await asyncio.gather(
            *(both[place % 2].accept(code, name) for place, name in enumerate(old)),
            *(both[place % 2].sign_up(code, f"new {place}") for place in range(8)),
            return_exceptions=True,
        )
    refused = [outcome for outcome in outcomes if isinstance(outcome, AccountError)]
    assert len(refused) == 15
    assert len(await groups.members("class")) == 3
    assert (await invitations.get(made.id)).uses_left == 0
    assert len(await members.page()) in {10, 11}  # whoever was not let in was not made either


async def test_who_is_in_already_uses_nothing_up(
    groups: Groups, invitations: Invitations, members: Members
) -> None:
    await groups.create("class")
    await members.create("a")
    made, code = await invitations.create("class")
    await groups.add("class", "a")
    with pytest.raises(AccountError, match="'a' is in the group 'class' already"):
        await invitations.accept(code, "a")
    with pytest.raises(AccountError, match="there is a member 'a' already"):
        await invitations.sign_up(code, "a")
    with pytest.raises(AccountError, match=r"^name: "):
        await invitations.sign_up(code, "app-a")
    assert (await invitations.get(made.id)).uses_left == 1


async def test_what_is_revoked_or_expired_or_of_a_deleted_group_lets_nobody_in(
    groups: Groups, invitations: Invitations, database: Database
) -> None:
    await groups.create("class")
    await groups.create("other")
    made, code = await invitations.create("class", uses=9)
    assert (await invitations.revoke(made.id)).state(now()) == "revoked"
    assert (await invitations.revoke(made.id)).state(now()) == "revoked"
    _, deleted = await invitations.create("other")
    await groups.delete("other")
    short, expired = await invitations.create("class", expires_at=now() + DAY)
    assert short.expires_at > now()
    await database.write(
        lambda c: c.run("UPDATE invitations SET expires_at = 1 WHERE id = $1", short.id)
    )
    for wrong in (code, deleted, expired, "", "xi-", f"xi-{'a' * 32}", code + "\n", "\x00" * 35):
        with pytest.raises(AccountError, match=INVALID):
            await invitations.sign_up(wrong, "a")
    assert await groups.members("class") == []
    states = [each.state(now()) for each in await invitations.page("class")]
    assert states == ["revoked", "expired"]
    assert len(await invitations.page("class", after=made.id, limit=5)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"uses": 0},
        {"uses": 10_001},
        {"expires_at": 1},
        {"expires_at": now() + LONGEST + DAY},
        {"amount": -1},
    ],
)
async def test_invitations_that_are_refused(
    groups: Groups, invitations: Invitations, fields: Any
) -> None:
    await groups.create("class")
    with pytest.raises(AccountError):
        await invitations.create("class", **fields)
    with pytest.raises(AccountError, match="no group"):
        await invitations.create("other")
    with pytest.raises(AccountError, match="there is no invitation 1"):
        await invitations.revoke(1)
    assert await invitations.page("class") == []


async def test_the_code_is_kept_nowhere(
    groups: Groups, invitations: Invitations, database: Database
) -> None:
    await groups.create("class")
    audit = Audit(database)
    await audit.skip()
    made, code = await invitations.create("class", uses=2)
    await invitations.sign_up(code, "a")
    await invitations.revoke(made.id)
    rows = await audit.new()
    actions = [action for _, action, *_ in rows]
    assert actions == ["invitation.create", "member.create", "group.add", "invitation.revoke"]
    stored = await database.read(lambda c: c.rows("SELECT * FROM invitations"))
    assert code not in str(rows) + str(stored)


async def test_an_invitation_holds_while_who_made_it_may_invite(
    groups: Groups, invitations: Invitations, members: Members
) -> None:
    await groups.create("school")
    await groups.create("class", parent="school")
    made_by = {name: await members.create(name) for name in ("manager", "owner", "operator")}
    await groups.add("class", "manager", role="manager")
    await groups.add("school", "owner", role="owner")
    await members.set_operator("operator", True)
    codes = {
        f"{name} for {role}": (await invitations.create("class", role=role, created_by=each.id))[1]
        for name, each in made_by.items()
        for role in ROLES
    }

    async def hold() -> list[str]:
        found = []
        for name, code in codes.items():
            with suppress(AccountError):
                assert (await invitations.look(code)).state(now()) == "open"
                found.append(name)
        return found

    others = [name for name in codes if not name.startswith("manager")]
    assert await hold() == ["manager for member", *others]
    await groups.set_role("class", "manager", "member")
    assert await hold() == others
    with pytest.raises(AccountError, match=INVALID):
        await invitations.sign_up(codes["manager for member"], "late")
    await members.set_operator("operator", False)
    assert await hold() == others[:2]
    await members.disable("owner")
    assert await hold() == []
    await members.enable("owner")
    assert await hold() == others[:2]
    states = [each.state(now()) for each in await invitations.page("class")]
    assert states == ["revoked", "revoked", "open", "open", "revoked", "revoked"]
    await members.delete("owner")
    assert await hold() == []
