"""Why a call to a server failed. No message holds what was sent or answered."""

from __future__ import annotations

import errno

import aiohttp

NOBODY_LISTENS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
CLOSED_JUST_THEN = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)
"""As an idle connection is, or by a server that died."""


class CallFailed(Exception):
    """There is no answer, or not all of it; the text names a kind and is fit for the log."""


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
