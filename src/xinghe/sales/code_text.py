"""What a redeem code looks like: drawn at random, typed by people, known by its hash.

`XH-7K3M9-…`: 24 digits of Crockford's base 32 (120 bits) and a check digit, by which one that is
mistyped is told.
"""

import hashlib
import secrets
import unicodedata

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PREFIX = "XH"
DIGITS = 24
GROUP = 5
_READ_AS = str.maketrans("ILO", "110")


def make(count: int) -> list[str]:
    """Codes as they are told."""
    return [_told(_drawn()) for _ in range(count)]


def read(typed: str) -> str | None:
    """A code as it is told, however it was typed; None for what cannot be one.

    Small letters are as good, what stands between the letters is not looked at, and `O`, `I` and
    `L` are read as the figures that they look like.
    """
    upper = unicodedata.normalize("NFKC", typed).upper()
    digits = "".join(each for each in upper if each.isalnum())
    if len(digits) == len(PREFIX) + DIGITS + 1:
        digits = digits.removeprefix(PREFIX)
    digits = digits.translate(_READ_AS)
    if len(digits) != DIGITS + 1 or not set(digits) <= set(ALPHABET):
        return None
    return _told(digits) if _check_digit(digits[:-1]) == digits[-1] else None


def digest(code: str) -> bytes:
    """By which the database knows a code that was `read`."""
    # 120 bits: a plain hash of them cannot be guessed.
    return hashlib.sha256(code.encode()).digest()


def _drawn() -> str:
    number = secrets.randbits(5 * DIGITS)
    digits = "".join(ALPHABET[number >> 5 * place & 31] for place in range(DIGITS))
    return digits + _check_digit(digits)


def _check_digit(digits: str) -> str:
    """Luhn's, to the base of 32: one wrong digit is told, and nearly all that changed places."""
    base, total = len(ALPHABET), 0
    for place, digit in enumerate(reversed(digits)):
        value = ALPHABET.index(digit) * (1 + (place + 1) % 2)
        total += value // base + value % base
    return ALPHABET[-total % base]


def _told(digits: str) -> str:
    parts = (digits[start : start + GROUP] for start in range(0, len(digits), GROUP))
    return "-".join((PREFIX, *parts))
