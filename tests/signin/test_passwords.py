"""What a password may be, how it is kept, and that an unknown member costs as much as a known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from xinghe.signin import PasswordRefused, Passwords, passwords


@pytest.fixture
def kept() -> Iterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_a_password_is_kept_by_argon2id_and_right_only_as_it_is(kept: Passwords) -> None:
    first, second = await kept.hash("correct horse"), await kept.hash("correct horse")
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second, "two hashes of one password tell that it is one"
    assert await kept.verify(first, "correct horse") == (True, None)
    assert await kept.verify(first, "correct horsE") == (False, None)
    assert await kept.verify(first, "") == (False, None)
    assert await kept.verify(None, "") == (False, None), "nobody's password lets nobody in"


async def test_full_width_and_composed_characters_are_the_same_password(kept: Passwords) -> None:
    hashed = await kept.hash("Cafe\u0301一二三123")
    assert await kept.verify(hashed, "Café一二三１２３") == (True, None)


async def test_a_hash_of_smaller_parameters_is_made_anew(kept: Passwords) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("correct horse")
    right, renewed = await kept.verify(weak, "correct horse")
    assert right
    assert renewed is not None
    assert await kept.verify(renewed, "correct horse") == (True, None)
    assert await kept.verify(weak, "wrong horse") == (False, None)


async def test_an_unknown_member_is_looked_at_like_a_known_one(
    kept: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = await kept.hash("correct horse")
    looked_at = list[str]()
    verify = PasswordHasher.verify

    def watched(self: PasswordHasher, hash: str, password: bytes) -> bool:  # noqa: A002
        looked_at.append(hash.rpartition("$")[0].rpartition("$")[0])
        return verify(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    await kept.verify(hashed, "wrong horse")
    await kept.verify(None, "wrong horse")
    assert looked_at[0] == looked_at[1], "the same work with the same parameters"


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "8 to 256"),
        ("x1!" * 86, "8 to 256"),
        ("\ufdfa" * 200, "8 to 256"),
        ("aaaaaaaabbbb", "5 different"),
        ("PassW0rd", "tried first"),
        ("１２３４５６７８", "tried first"),
        ("tabs\tand more", "control"),
        ("nul\0 and more", "control"),
        ("surrogate \ud800 here", "no text"),
        ("Zhang San12", "member's name"),
    ],
)
def test_what_is_no_password_is_refused_without_being_repeated(password: str, why: str) -> None:
    with pytest.raises(PasswordRefused, match=why) as refused:
        passwords.check(password, "zhang san")
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password", ["correct horse", "床前明月光疑是地上霜", "пароль-ключ", "a🙂b🙃c😀d😅"]
)
def test_any_text_may_be_a_password(password: str) -> None:
    assert passwords.check(password, "张三") == password


@given(st.text(max_size=300))
def test_whatever_is_sent_is_refused_or_can_be_hashed(password: str) -> None:
    try:
        passwords.check(password, "a")
    except PasswordRefused:
        return
    assert 8 <= len(password) <= 256
    passwords._bytes(password).decode("utf-8")
