"""Passwords: what one may be, and its hash by Argon2id (RFC 9106).

A password is compared in its form NFKC: an input method for Chinese writes the same digits and
letters in full or half width, and the same accented letter comes in two codings. NIST's SP
800-63B wants it so, too.
"""

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from xinghe.accounts import AccountError
from xinghe.workers import Threads

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 8, 256
"""Characters, before and after normalization."""
KINDS = 5
"""How many different characters are in it at least."""
BESIDE_NAME = 4
"""How many characters it has at least beside the member's name."""
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
"""OWASP's Password Storage Cheat Sheet; some 20 ms of one core."""
WAITING, SHARE = 64, 8
"""Hashes that wait for their turn in all, and those of one address."""

COMMON = frozenset(
    """
    password password1 password12 password123 passw0rd p@ssw0rd p@ssword 12345678 123456789
    1234567890 12345678910 87654321 987654321 0123456789 123123123 12341234 123456abc abc123456
    a123456789 a12345678 1q2w3e4r 1q2w3e4r5t q1w2e3r4 1qaz2wsx qazwsxedc qwertyui qwertyuiop
    qwerty123 qwer1234 asdfghjk asdfghjkl zxcvbnm1 iloveyou sunshine princess football baseball
    superman trustno1 starwars computer internet letmein1 welcome1 welcome123 admin123 admin1234
    administrator changeme changeme1 woaini1314 woaini520 woaini123 5201314520 abcd1234 abcdefgh
    aa123456 qq123456 asd123456 zxc123456 zhang123 wang1234 google123 test1234 student1 teacher1
    """.split()  # noqa: SIM905 - a list of a line each would be a page
)
"""What is tried first everywhere."""


class PasswordRefused(AccountError):
    """A new password is none that can be used; the message says why, and never what it is."""


class Passwords:
    """Hashes and checks in a thread of its own, which gives up the GIL for it.

    Requests wait in the turn of `core.ACCOUNT`; both methods raise `QueueFull`.
    """

    def __init__(self) -> None:
        self._threads = Threads("xinghe-passwords", waiting=WAITING, share=SHARE)

    async def hash(self, password: str) -> str:
        """What is kept of a password that `check` has let pass."""
        return await self._threads.run(lambda: _hasher().hash(_bytes(password)))

    async def verify(self, kept: str | None, password: str) -> tuple[bool, str | None]:
        """Whether a password is right, and its new hash where it should be kept otherwise now.

        Without anything kept it takes as long as with it, and is wrong.
        """
        return await self._threads.run(_verified, kept, password)

    def close(self) -> None:
        self._threads.close()


def check(password: str, name: str) -> str:
    """A new password for the member of a `name`. Raises `PasswordRefused`."""
    normal = _normal(password[: LONGEST + 1])
    if not all(SHORTEST <= len(each) <= LONGEST for each in (password, normal)):
        raise PasswordRefused(f"password: {SHORTEST} to {LONGEST} characters are allowed")
    if any(unicodedata.category(each) in {"Cc", "Cn", "Cs"} for each in normal):
        raise PasswordRefused("password: it holds what is no text, such as a control character")
    folded = normal.casefold()
    if len(set(folded)) < KINDS:
        raise PasswordRefused(f"password: at least {KINDS} different characters are needed")
    if folded in COMMON:
        raise PasswordRefused("password: it is one of those that are tried first")
    own = _normal(name).casefold()
    if own and len(folded.replace(own, "")) < BESIDE_NAME:
        raise PasswordRefused("password: it is little more than the member's name")
    return password


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _bytes(password: str) -> bytes:
    return _normal(password).encode("utf-8", "surrogatepass")


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # noqa: PLC0415 - not needed where nobody has a password

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


@cache
def _nobodys() -> str:
    """The hash of a password that nobody has."""
    return _hasher().hash(b"")


def _verified(kept: str | None, password: str) -> tuple[bool, str | None]:
    """In the thread."""
    from argon2.exceptions import VerifyMismatchError  # noqa: PLC0415

    # Longer ones are wrong, and cost no more. Nobody's is made whoever is first asked for.
    sent, nobodys = _bytes(password[: LONGEST + 1]), _nobodys()
    try:
        _hasher().verify(nobodys if kept is None else kept, sent)
    except VerifyMismatchError:
        return False, None
    if kept is None:
        return False, None
    return True, _hasher().hash(sent) if _hasher().check_needs_rehash(kept) else None
