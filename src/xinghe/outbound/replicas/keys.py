"""Keys that are used in turn, each within its own limits."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Container, Sequence
from typing import Protocol

import msgspec

MINUTE = 60.0
REFUSED_FOR = 60.0
"""Seconds for which a key is passed over that was refused: its account may be topped up."""
WAITS = 1.0
"""Seconds after which a place of a key may be free, or a key that is full takes more."""
LONGEST = 60.0
"""Seconds for which a server's own word about a key is taken."""


class KeySpec(Protocol):
    """A key as the operator has set it; a limit of 0 is none."""

    @property
    def key(self) -> str: ...
    @property
    def key_env(self) -> str: ...
    @property
    def rpm(self) -> int: ...
    @property
    def tpm(self) -> int: ...
    @property
    def concurrent(self) -> int: ...


class Charge(msgspec.Struct):
    """What one request takes of its key's minute."""

    at: float
    tokens: int


class Used(msgspec.Struct):
    """What is known of a key, whatever its limits are: a changed deployment goes on with it."""

    outstanding: int = 0
    refused: bool = False
    at: float = -math.inf
    """When it was used last."""
    until: float = 0.0
    """Before then it is not to be used."""
    minute: deque[Charge] = msgspec.field(default_factory=deque)
    """What was sent with it in the last minute, of `tokens` in all."""
    tokens: int = 0


class Key:
    """One key and its limits, with what was sent with it and what is at work."""

    def __init__(self, spec: KeySpec, number: int, used: Used | None = None) -> None:
        self.spec = spec
        self.number = number
        """Counted from 1: what it is called where it must not be told."""
        self.used = used or Used()

    @property
    def value(self) -> str:
        """Itself; empty where its variable is."""
        return (self.spec.key or os.environ.get(self.spec.key_env, "")).strip()

    def wait(self, now: float, tokens: int) -> float:
        """Seconds until a request of so many tokens may be sent; 0: it may be now.

        One with more tokens than a minute has goes where nothing else was sent.
        """
        self._forget(now)
        spec = self.spec
        waits = [max(0.0, self.used.until - now)]
        if spec.concurrent and self.used.outstanding >= spec.concurrent:
            waits.append(WAITS)
        if spec.rpm and len(self.used.minute) >= spec.rpm:
            waits.append(self.used.minute[len(self.used.minute) - spec.rpm].at + MINUTE - now)
        if spec.tpm and self.used.minute and self.used.tokens + tokens > spec.tpm:
            left, too_much = self.used.tokens, spec.tpm - tokens
            for charge in self.used.minute:
                left -= charge.tokens
                waits.append(charge.at + MINUTE - now)
                if left <= too_much:
                    break
        return max(waits)

    def take(self, now: float, tokens: int) -> Charge:
        """A request is sent."""
        self.used.at = now
        self.used.outstanding += 1
        charge = Charge(now, tokens)
        self.used.minute.append(charge)  # be there limits or not: a change may set some
        self.used.tokens += tokens
        self._forget(now)
        return charge

    def gave_back(self) -> None:
        """It has ended."""
        self.used.outstanding -= 1

    def correct(self, charge: Charge, tokens: int, now: float) -> None:
        """So many tokens it was in truth."""
        if now - charge.at < MINUTE:
            self.used.tokens += tokens - charge.tokens
            charge.tokens = tokens

    def full(self, now: float, advice: float | None) -> None:
        """The server says that this key has used up what it may."""
        pause = WAITS if advice is None else min(advice, LONGEST)
        self.used.until = max(self.used.until, now + pause)

    def turned_away(self, now: float) -> None:
        """The server refuses it."""
        self.used.refused, self.used.until = True, now + REFUSED_FOR

    def _forget(self, now: float) -> None:
        while self.used.minute and now - self.used.minute[0].at >= MINUTE:
            self.used.tokens -= self.used.minute.popleft().tokens


class InTurn:
    """Of the keys that may be used, the one with the fewest requests at work, then the one that
    was used longest ago. Where the others are refused too, one that was refused is used.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        self.keys = keys

    @property
    def is_missing(self) -> bool:
        """Whether no key has a value."""
        return not any(key.value for key in self.keys)

    def choose(self, now: float, tokens: int, tried: Container[Key] = ()) -> Key | None:
        """A key that has not been tried with it; `None`: there is none that may be used now."""
        left = [key for key in self.keys if key not in tried and key.value]
        ready = [key for key in left if not key.wait(now, tokens)]
        if not ready and all(key.used.refused for key in self.keys if key.value):
            ready = left
        return min(ready, key=lambda key: (key.used.outstanding, key.used.at), default=None)

    def wait(self, now: float, tokens: int) -> float:
        """Seconds until one may be."""
        waits = [key.wait(now, tokens) for key in self.keys if key.value and not key.used.refused]
        return min(waits, default=WAITS)


class Single:
    """The only key, or none at all: nobody could take its place, so the server's word is enough."""

    is_missing = False

    def __init__(self, key: Key) -> None:
        self.keys = [key]

    def choose(self, now: float, tokens: int, tried: Container[Key] = ()) -> Key | None:
        return next((key for key in self.keys if key not in tried), None)

    def wait(self, now: float, tokens: int) -> float:
        return 0.0
