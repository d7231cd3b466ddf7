"""What may be wrong with an answer, and strangers' JSON, decoded within bounds.

No message of a fault holds what was sent or answered: it is fit for the log.
"""

from __future__ import annotations

import errno
import functools
from typing import Any, TypeVar

import aiohttp
import msgspec

T = TypeVar("T")

NOBODY_LISTENS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
CLOSED_JUST_THEN = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)
"""As an idle connection is, or by a server that died."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding strangers' JSON raises. The texts of these errors may quote it."""
KNOWN_CODES = frozenset(
    {
        "authentication_error",
        "context_length_exceeded",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_request_error",
        "model_not_found",
        "not_found_error",
        "permission_denied",
        "rate_limit_exceeded",
        "server_error",
        "unsupported_parameter",
    }
)
"""What an error may be called in the log. Any other word may be a key, or a piece of a prompt."""
MOST_OF_ERROR = 65536
"""Bytes of an error that are looked at."""


class CallFailed(Exception):
    """There is no answer, or not all of it."""


class Unreachable(CallFailed):
    """The server did not begin to answer: another try may go through.

    `connected` tells that it had taken the request, or could have.
    """

    def __init__(self, message: str, *, connected: bool) -> None:
        super().__init__(message)
        self.connected = connected


class Silent(CallFailed):
    """It said nothing for longer than it may."""


class Broken(CallFailed):
    """It broke off, or did not keep to HTTP."""


class AnswerTooLarge(CallFailed):
    """It said more than it may; the message tells how many bytes those are."""


class Unreadable(CallFailed):
    """What it said is not what was asked for."""


class Refused(CallFailed):
    """It answered with a status that is no success.

    `told` are the known words of its error, as `known_words` finds them; `advice` is when to
    come again, in seconds, if it said so.
    """

    def __init__(self, status: int, told: str, advice: float | None) -> None:
        super().__init__(f"it answered {status}{told}")
        self.status = status
        self.advice = advice

    @property
    def busy(self) -> bool:
        """Whether it is full for now."""
        return self.status in {429, 503}


def fault_of(error: Exception, *, begun: bool) -> CallFailed:
    """What an error of the HTTP library amounts to; `begun` once there is the head of an answer.

    Its own text is never used: it holds the request's headers, or quotes the answer.
    """
    kind = type(error).__name__
    if isinstance(error, OSError) and (name := errno.errorcode.get(error.errno or 0)):
        kind = f"{kind}, {name}"
    if begun:
        return Broken(f"it broke off or broke the protocol ({kind})")
    if isinstance(error, NOBODY_LISTENS + CLOSED_JUST_THEN):
        connected = not isinstance(error, NOBODY_LISTENS)
        return Unreachable(f"it could not be reached ({kind})", connected=connected)
    if isinstance(error, TimeoutError):
        return Silent("it did not begin to answer")
    return Broken(f"it did not answer in HTTP ({kind})")


def known_words(data: bytes) -> str:
    """The code and type that an error body names, in parentheses, where they are known words."""
    try:
        error = msgspec.json.decode(data[:MOST_OF_ERROR])
    except UNREADABLE:
        return ""
    if isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if not isinstance(error, dict):
        return ""
    words: list[Any] = [error.get("code"), error.get("type")]
    told = [word for word in words if isinstance(word, str) and word in KNOWN_CODES]
    return f" ({', '.join(dict.fromkeys(told))})" if told else ""


def decoded(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """JSON as a value of this type. Raises `Unreadable`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except UNREADABLE:
        raise Unreadable("its answer has not the documented form") from None


def items(raw: msgspec.Raw, kind: type[T], most: int) -> list[T]:
    """The items of an array; `most` (rounded up to a power of two) is how many there may be.

    A list type would build a million of them first. Raises `Unreadable`.
    """
    wanted: Any = kind
    array = decoded(raw, _array_of(wanted, 1 << max(0, most - 1).bit_length()))
    return [item for item in msgspec.structs.astuple(array) if item is not None]


@functools.lru_cache(64)
def _array_of(kind: Any, most: int) -> type[msgspec.Struct]:
    # Written as an array, a struct with so many fields is refused at the first item too many.
    fields = [(f"item_{at}", kind | None, None) for at in range(most)]
    return msgspec.defstruct("Items", fields, array_like=True, forbid_unknown_fields=True)
