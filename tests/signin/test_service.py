"""Who is let in and who is not, on both databases; nobody is told more than that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher

from tests.signin.conftest import HERE, PASSWORD, MakeSignIn, disable
from tests.signin.hostile import Hostile
from xinghe.accounts import AccountError, Members
from xinghe.core import INITIAL_GRANT
from xinghe.settings import OpenID
from xinghe.settings import SignIn as Settings
from xinghe.signin import (
    NotLetIn,
    NotOffered,
    PasswordRefused,
    Session,
    SignIn,
    Slowed,
    Stale,
    Unknown,
    set_password,
)
from xinghe.storage import Database
from xinghe.workers import QueueFull

NEW = "a new and better one"


async def session(signin: SignIn, password: str = PASSWORD) -> Session:
    made = await signin.by_password("alice", password, HERE)
    found = await signin.sessions.find(made.secret)
    assert found is not None
    return found


async def row(database: Database, sql: str) -> tuple[object, ...]:
    found = await database.read(lambda c: c.row(sql))
    assert found is not None
    return found


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", "wrong horse"),
        ("Alice", PASSWORD),
        ("alice ", PASSWORD),
        ("nobody", PASSWORD),
        ("al\0ice", PASSWORD),
        ("tokenless", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
    ],
)
async def test_a_wrong_name_and_a_wrong_password_are_told_alike(
    signin: SignIn, members: Members, name: str, password: str
) -> None:
    await members.create("tokenless")
    with pytest.raises(NotLetIn) as refused:
        await signin.by_password(name, password, HERE)
    assert refused.value.args == ()


@pytest.mark.usefixtures("alice")
async def test_failures_are_slowed_and_the_right_one_is_let_in_elsewhere(signin: SignIn) -> None:
    for _ in range(5):
        with pytest.raises(NotLetIn):
            await signin.by_password("alice", "wrong", HERE)
    with pytest.raises(Slowed):
        await signin.by_password("alice", PASSWORD, HERE)
    await signin.by_password("alice", PASSWORD, "198.51.100.7")


@pytest.mark.usefixtures("alice")
async def test_fifty_guesses_at_once_are_five(signin: SignIn) -> None:
    guesses = (signin.by_password("alice", f"guess {n}", HERE) for n in range(50))
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["NotLetIn"] * 5 + ["Slowed"] * 45


@pytest.mark.usefixtures("alice")
async def test_what_was_not_looked_at_counts_for_nothing(
    signin: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise QueueFull("busy")

    with monkeypatch.context() as patch:
        patch.setattr(signin.passwords, "verify", busy)
        for _ in range(20):
            with pytest.raises(QueueFull):
                await signin.by_password("alice", PASSWORD, HERE)
    await signin.by_password("alice", PASSWORD, HERE)


@pytest.mark.usefixtures("alice")
async def test_a_changed_password_ends_all_sessions_and_begins_one(
    signin: SignIn, database: Database
) -> None:
    mine, other = await session(signin), await signin.by_password("alice", PASSWORD, HERE)
    with pytest.raises(NotLetIn):
        await signin.change_password(mine, "wrong", NEW, HERE)
    with pytest.raises(NotLetIn):
        await signin.change_password(mine, None, NEW, HERE)
    with pytest.raises(PasswordRefused):
        await signin.change_password(mine, PASSWORD, "short", HERE)
    made = await signin.change_password(mine, PASSWORD, NEW, HERE)
    assert await signin.sessions.find(other.secret) is None
    assert await signin.sessions.find(made.secret) is not None
    with pytest.raises(NotLetIn):
        await signin.by_password("alice", PASSWORD, HERE)
    await signin.by_password("alice", NEW, HERE)
    written = str(await database.read(lambda c: c.rows("SELECT * FROM audit")))
    assert "member.password" in written
    assert "argon2" not in written


@pytest.mark.usefixtures("alice")
async def test_of_two_changes_at_once_one_is_done(signin: SignIn) -> None:
    one, other = await session(signin), await session(signin)
    outcomes = await asyncio.gather(
        signin.change_password(one, PASSWORD, NEW, HERE),
        signin.change_password(other, PASSWORD, NEW + "!", HERE),
        return_exceptions=True,
    )
    assert sum(isinstance(each, NotLetIn) for each in outcomes) == 1


@pytest.mark.usefixtures("alice")
async def test_a_weaker_hash_is_made_anew_at_the_next_sign_in(
    signin: SignIn, database: Database
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    await database.write(lambda c: c.run("UPDATE members SET password = $1", weak))
    await signin.by_password("alice", PASSWORD, HERE)
    (kept,) = await row(database, "SELECT password FROM members WHERE name = 'alice'")
    assert "m=19456" in str(kept)
    await signin.by_password("alice", PASSWORD, HERE)


async def test_nobody_joins_uninvited_unless_the_operator_lets_all(
    signin: SignIn, make_signin: MakeSignIn, database: Database
) -> None:
    with pytest.raises(NotOffered):
        await signin.join(None, "bob", PASSWORD, HERE)
    made = await make_signin(Settings(open=True)).join(None, "bob", PASSWORD, HERE)
    found = await row(
        database,
        "SELECT w.available, m.operator FROM wallets w JOIN members m "
        "ON m.id = w.id WHERE m.name = 'bob'",
    )
    assert found == (INITIAL_GRANT, 0)
    assert made.owner.name == "bob"


async def test_who_makes_members_by_the_hundred_is_slowed(
    make_signin: MakeSignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    signin = make_signin(Settings(open=True))

    async def hashed(*_: object) -> str:
        return "a hash"

    monkeypatch.setattr(signin.passwords, "hash", hashed)
    for number in range(100):
        await signin.join(None, f"bot{number}", PASSWORD, HERE)
    with pytest.raises(Slowed):
        await signin.join(None, "bot", PASSWORD, HERE)
    await signin.join(None, "somebody", PASSWORD, "198.51.100.7")


@pytest.mark.usefixtures("alice")
async def test_what_is_switched_off_is_not_offered(make_signin: MakeSignIn) -> None:
    signin = make_signin(Settings(passwords=False, tokens=False, open=True))
    with pytest.raises(NotOffered):
        await signin.by_password("alice", PASSWORD, HERE)
    with pytest.raises(NotOffered):
        await signin.by_token("xh-a", HERE)
    with pytest.raises(NotOffered):
        await signin.join(None, "bob", PASSWORD, HERE)
    with pytest.raises(NotOffered):
        await signin.by_provider("secret", "code", HERE, invitation=None, name=None)


@pytest.fixture
async def provider() -> AsyncIterator[Hostile]:
    async with Hostile().serving() as made:
        yield made


def at(provider: Hostile, *, create: bool = False) -> Settings:
    return Settings(oidc=OpenID(issuer=provider.issuer, client_id="xinghe", create=create))


async def brought(signin: SignIn, provider: Hostile, name: str | None = None) -> str:
    made = await signin.by_provider(provider.secret, "a code", HERE, invitation=None, name=name)
    return made.owner.name


@pytest.mark.usefixtures("alice")
async def test_an_unknown_identity_is_nobodys_whatever_it_is_called(
    make_signin: MakeSignIn, provider: Hostile
) -> None:
    provider.claims = {
        "preferred_username": "alice",
        "name": "alice",
        "email": "alice@example.org",
        "email_verified": True,
    }
    with pytest.raises(Unknown):
        await brought(make_signin(at(provider)), provider)
    with pytest.raises(AccountError, match="already"):
        await brought(make_signin(at(provider, create=True)), provider)


@pytest.mark.usefixtures("alice")
async def test_an_identity_is_linked_by_its_member_alone(
    make_signin: MakeSignIn, provider: Hostile, database: Database, members: Members
) -> None:
    signin = make_signin(at(provider))
    mine = await session(signin)
    await signin.link(mine, provider.secret, "a code", HERE)
    await signin.link(mine, provider.secret, "a code", HERE)
    assert await brought(signin, provider) == "alice"
    await members.create("mallory")
    await set_password(database, signin.passwords, "mallory", PASSWORD, actor="tester")
    theirs = await signin.sessions.find(
        (await signin.by_password("mallory", PASSWORD, HERE)).secret
    )
    assert theirs is not None
    with pytest.raises(AccountError, match="another member"):
        await signin.link(theirs, provider.secret, "a code", HERE)
    await database.write(lambda c: c.run("UPDATE sessions SET created_at = created_at - 700000000"))
    old = await signin.sessions.find((await signin.by_password("alice", PASSWORD, HERE)).secret)
    assert old is not None
    await signin.link(old, provider.secret, "a code", HERE)
    await disable(database, "alice")
    with pytest.raises(NotLetIn):
        await brought(signin, provider)


@pytest.mark.usefixtures("alice")
async def test_an_old_session_changes_nothing_of_how_its_member_comes_in(
    make_signin: MakeSignIn, provider: Hostile, database: Database
) -> None:
    signin = make_signin(at(provider))
    secret = (await signin.by_password("alice", PASSWORD, HERE)).secret
    ten = "UPDATE sessions SET created_at = created_at - 601000000"
    await database.write(lambda c: c.run(ten))
    await database.write(lambda c: c.run("UPDATE members SET password = NULL"))
    old = await signin.sessions.find(secret)
    assert old is not None
    with pytest.raises(Stale):
        await signin.link(old, provider.secret, "a code", HERE)
    with pytest.raises(Stale):
        await signin.change_password(old, None, NEW, HERE)
    assert not provider.asked, "the provider was not even asked"


async def test_who_is_new_becomes_a_member_as_the_operator_lets(
    make_signin: MakeSignIn, provider: Hostile
) -> None:
    with pytest.raises(Unknown):
        await brought(make_signin(at(provider)), provider, name="bob")
    signin = make_signin(at(provider, create=True))
    with pytest.raises(AccountError):  # no name of his own, and the provider tells none
        await brought(signin, provider)
    assert await brought(signin, provider, name="bob") == "bob"
    assert await brought(signin, provider) == "bob", "from then on he is known"
    provider.claims = {"sub": "another", "preferred_username": "carol"}
    assert await brought(signin, provider) == "carol"


async def test_two_first_sign_ins_at_once_make_one_member(
    make_signin: MakeSignIn, provider: Hostile, database: Database
) -> None:
    signin = make_signin(at(provider, create=True))
    both = await asyncio.gather(
        brought(signin, provider, name="one"),
        brought(signin, provider, name="other"),
        return_exceptions=True,
    )
    assert await row(database, "SELECT count(*) FROM members") == (1,)
    assert await row(database, "SELECT count(*) FROM identities") == (1,)
    assert any(each in ("one", "other") for each in both)
