"""Coming in by invitation, on both databases: counted, whoever comes at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.signin.conftest import HERE, PASSWORD, MakeSignIn
from tests.signin.hostile import Hostile
from xinghe.accounts import AccountError
from xinghe.accounts.groups import Groups
from xinghe.accounts.invitations import Invitations
from xinghe.settings import OpenID
from xinghe.settings import SignIn as Settings
from xinghe.signin import PasswordRefused, SignIn, Unknown
from xinghe.storage import Database

WRONG = "xi-" + "A" * 32


@pytest.fixture
async def code(database: Database) -> str:
    """An invitation into a group, for one."""
    await Groups(database).create("class")
    _, made = await Invitations(database).create("class", uses=1)
    return made


async def names(database: Database) -> set[str]:
    return {name for (name,) in await database.read(lambda c: c.rows("SELECT name FROM members"))}


async def roles(signin: SignIn, secret: str) -> list[str]:
    principal = await signin.sessions.authenticate(secret)
    assert principal is not None
    return list(principal.standing.roles.values())


async def test_who_is_invited_joins_and_is_in_the_group(
    signin: SignIn, database: Database, code: str
) -> None:
    made = await signin.join(code, "bob", PASSWORD, HERE)
    assert await roles(signin, made.secret) == ["member"]
    await signin.by_password("bob", PASSWORD, HERE)
    for used in (code, WRONG, "no code", "\0"):
        with pytest.raises(AccountError, match="not valid"):
            await signin.join(used, "carol", PASSWORD, HERE)
    assert await names(database) == {"bob"}


@pytest.mark.usefixtures("alice")
async def test_what_goes_wrong_uses_no_invitation_up(signin: SignIn, code: str) -> None:
    with pytest.raises(AccountError, match="already"):
        await signin.join(code, "alice", PASSWORD, HERE)
    with pytest.raises(PasswordRefused):
        await signin.join(code, "bob", "password", HERE)
    with pytest.raises(AccountError, match="name"):
        await signin.join(code, " bob", PASSWORD, HERE)
    await signin.join(code, "bob", PASSWORD, HERE)


async def test_of_many_with_the_last_invitation_one_joins(
    signin: SignIn, database: Database, code: str
) -> None:
    joining = (signin.join(code, f"pupil{n}", PASSWORD, f"192.0.2.{n}") for n in range(20))
    outcomes = await asyncio.gather(*joining, return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in outcomes) == 1
    assert len(await names(database)) == 1


@pytest.mark.usefixtures("alice")
async def test_a_member_joins_one_more_group(signin: SignIn, code: str) -> None:
    secret = (await signin.by_password("alice", PASSWORD, HERE)).secret
    session = await signin.sessions.find(secret)
    assert session is not None
    await signin.accept(session, code, HERE)
    assert await roles(signin, secret) == ["member"]


@pytest.fixture
async def provider() -> AsyncIterator[Hostile]:
    async with Hostile().serving() as made:
        yield made


async def test_who_comes_by_the_provider_joins_by_invitation(
    make_signin: MakeSignIn, provider: Hostile, database: Database, code: str
) -> None:
    signin = make_signin(Settings(oidc=OpenID(issuer=provider.issuer, client_id="xinghe")))

    async def brought(invitation: str | None = None, name: str | None = None) -> str:
        made = await signin.by_provider(
            provider.secret, "a code", HERE, invitation=invitation, name=name
        )
        return made.owner.name

    with pytest.raises(Unknown):
        await brought(name="bob")
    with pytest.raises(AccountError, match="not valid"):
        await brought(WRONG, "bob")
    assert await brought(code, "bob") == "bob"
    assert await brought() == "bob", "from then on he is known"
    assert await names(database) == {"bob"}
