"""Access tokens: `xh-<public id>-<secret part>`, shown once and kept as a hash."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from typing import NamedTuple

ID_ALPHABET = string.ascii_lowercase + string.digits
_BASE62 = string.ascii_letters + string.digits
_FORM = re.compile(r"xh-([a-z0-9]{10})-[A-Za-z0-9]{43}")


class NewSecret(NamedTuple):
    """A fresh token: what its holder gets, and what is stored."""

    secret: str
    public_id: str
    digest: bytes


def random_id() -> str:
    """10 of `[a-z0-9]`."""
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(10))


def new_secret() -> NewSecret:
    """43 characters of base62 are just over 256 bits: a plain hash of them cannot be guessed."""
    public_id = random_id()
    secret = f"xh-{public_id}-{''.join(secrets.choice(_BASE62) for _ in range(43))}"
    return NewSecret(secret, public_id, digest(secret))


def public_id(secret: str) -> str | None:
    """The public id within a well-formed token, else None."""
    match = _FORM.fullmatch(secret)
    return match[1] if match else None


def digest(secret: str) -> bytes:
    """SHA-256 of a well-formed token."""
    return hashlib.sha256(secret.encode("ascii")).digest()
