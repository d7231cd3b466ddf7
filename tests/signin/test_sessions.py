"""A session lasts as long as it may, is no access token, and ends for cause, on both databases."""

from __future__ import annotations

import pytest

from tests.signin.conftest import HERE, PASSWORD, MakeSignIn, disable
from xinghe.accounts import Members, Principals, Tokens
from xinghe.settings import SignIn as Settings
from xinghe.signin import NotLetIn, Session, SignIn, sessions, set_password
from xinghe.storage import Database

pytestmark = pytest.mark.usefixtures("alice")


async def come(signin: SignIn) -> str:
    return (await signin.by_password("alice", PASSWORD, HERE)).secret


async def age(database: Database, column: str, seconds: float) -> None:
    """Let so much time have passed for all sessions."""
    micro = int(seconds * 1_000_000)
    await database.write(lambda c: c.run(f"UPDATE sessions SET {column} = {column} - $1", micro))


async def test_a_session_is_who_signed_in_and_calls_no_model(
    signin: SignIn, members: Members
) -> None:
    secret = await come(signin)
    principal = await signin.sessions.authenticate(secret)
    alice = await members.get("alice")
    assert principal is not None
    assert (principal.member_id, principal.appid) == (alice.id, alice.appid)
    assert principal.scopes == {"account.read", "admin"}
    assert principal.wallets == (alice.id,)


async def test_only_its_hash_is_kept(signin: SignIn, database: Database) -> None:
    secret = await come(signin)
    kept = str(await database.read(lambda c: c.rows("SELECT * FROM sessions")))
    assert secret not in kept
    assert secret.removeprefix("xhs-") not in kept


@pytest.mark.parametrize("wrong", ["", "xhs-", "xhs-" + "A" * 43, "xhs-\0", "xhs-" + "a" * 10_000])
async def test_what_is_no_session(signin: SignIn, wrong: str) -> None:
    assert await signin.sessions.authenticate(wrong) is None


async def test_no_session_is_an_access_token(signin: SignIn, database: Database) -> None:
    secret = await come(signin)
    assert await Principals(database).authenticate(secret) is None


@pytest.mark.parametrize(("column", "seconds"), [("expires_at", 604_801), ("seen_at", 86_401)])
async def test_it_ends_with_time(
    signin: SignIn, database: Database, column: str, seconds: float
) -> None:
    secret = await come(signin)
    await age(database, column, seconds - 100)
    assert await signin.sessions.authenticate(secret) is not None
    await age(database, column, seconds)
    assert await signin.sessions.authenticate(secret) is None


async def test_whoever_uses_it_is_not_idle(signin: SignIn, database: Database) -> None:
    secret = await come(signin)
    for _ in range(3):
        await age(database, "seen_at", 80_000)
        assert await signin.sessions.authenticate(secret) is not None
        await database.drain()


async def test_a_sign_out_ends_that_session_alone(signin: SignIn) -> None:
    one, other = await come(signin), await come(signin)
    session = await signin.sessions.find(one)
    assert isinstance(session, Session)
    await signin.sessions.end(session)
    assert await signin.sessions.authenticate(one) is None
    assert await signin.sessions.authenticate(other) is not None


async def test_a_member_who_is_disabled_has_none(signin: SignIn, database: Database) -> None:
    secret = await come(signin)
    await disable(database, "alice")
    assert await signin.sessions.authenticate(secret) is None
    with pytest.raises(NotLetIn):
        await come(signin)


async def test_a_password_that_the_operator_sets_ends_all(
    signin: SignIn, database: Database
) -> None:
    secret = await come(signin)
    await set_password(database, signin.passwords, "alice", "another horse", actor="tester")
    assert await signin.sessions.authenticate(secret) is None


async def test_a_session_of_a_token_has_its_scopes_and_ends_with_it(
    signin: SignIn, database: Database
) -> None:
    tokens = Tokens(database)
    reader = await tokens.create("alice", scopes=["model.call", "account.read"])
    made = await signin.by_token(reader, HERE)
    principal = await signin.sessions.authenticate(made.secret)
    assert principal is not None
    assert made.scopes == principal.scopes == {"account.read"}
    session = await signin.sessions.find(made.secret)
    assert session is not None
    assert not session.is_fresh(), "a token that leaked would change how its member signs in"
    await tokens.revoke(reader.split("-")[1])
    assert await signin.sessions.authenticate(made.secret) is None
    caller = await tokens.create("alice", scopes=["model.call"])
    for secret in (reader, caller, made.secret, await come(signin), "", "xh-a", "xh-\0"):
        with pytest.raises(NotLetIn):
            await signin.by_token(secret, HERE)


async def test_a_member_has_a_bounded_number(
    signin: SignIn, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST", 3)
    secrets = [await come(signin) for _ in range(5)]
    found = [await signin.sessions.authenticate(secret) is not None for secret in secrets]
    assert found == [False, False, True, True, True]


async def test_expired_ones_are_swept(make_signin: MakeSignIn, database: Database) -> None:
    signin = make_signin(Settings(session_longest=60.0))
    secret = await come(signin)
    lasting = (await make_signin().by_password("alice", PASSWORD, HERE)).secret
    await age(database, "expires_at", 61)
    await signin.sessions.sweep()
    assert await database.read(lambda c: c.value("SELECT count(*) FROM sessions")) == 1
    assert await signin.sessions.authenticate(secret) is None
    assert await signin.sessions.authenticate(lasting) is not None
