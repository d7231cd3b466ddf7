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


class Key:
    """One key: what was sent with it in the last minute, and what is at work."""

    def __init__(self, spec: KeySpec, number: int) -> None:
        self.spec = spec
        self.number = number
        """Counted from 1: what it is called where it must not be told."""
        self.outstanding = 0
        self.refused = False
        self.used_at = -math.inf
        self._until = 0.0
        self._minute: deque[Charge] = deque()
        self._tokens = 0

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
        waits = [max(0.0, self._until - now)]
        if spec.concurrent and self.outstanding >= spec.concurrent:
            waits.append(WAITS)
        if spec.rpm and len(self._minute) >= spec.rpm:
            waits.append(self._minute[len(self._minute) - spec.rpm].at + MINUTE - now)
        if spec.tpm and self._minute and self._tokens + tokens > spec.tpm:
            left, too_much = self._tokens, spec.tpm - tokens
            for charge in self._minute:
                left -= charge.tokens
                waits.append(charge.at + MINUTE - now)
                if left <= too_much:
                    break
        return max(waits)

    def take(self, now: float, tokens: int) -> Charge:
        """A request is sent."""
        self.used_at = now
        self.outstanding += 1
        charge = Charge(now, tokens)
        if self.spec.rpm or self.spec.tpm:
            self._minute.append(charge)
            self._tokens += tokens
        return charge

    def gave_back(self) -> None:
        """It has ended."""
        self.outstanding -= 1

    def correct(self, charge: Charge, tokens: int, now: float) -> None:
        """So many tokens it was in truth."""
        if (self.spec.rpm or self.spec.tpm) and now - charge.at < MINUTE:
            self._tokens += tokens - charge.tokens
            charge.tokens = tokens

    def full(self, now: float, advice: float | None) -> None:
        """The server says that this key has used up what it may."""
        pause = WAITS if advice is None else min(advice, LONGEST)
        self._until = max(self._until, now + pause)

    def turned_away(self, now: float) -> None:
        """The server refuses it."""
        self.refused, self._until = True, now + REFUSED_FOR

    def accepted(self) -> None:
        self.refused = False

    def _forget(self, now: float) -> None:
        while self._minute and now - self._minute[0].at >= MINUTE:
            self._tokens -= self._minute.popleft().tokens


class KeyChoice(Protocol):
    """Picks the key for a request."""

    def choose(self, now: float, tokens: int, tried: Container[Key] = ()) -> Key | None:
        """A key that has not been tried with it; `None`: there is none that may be used now."""

    def wait(self, now: float, tokens: int) -> float:
        """Seconds until one may be."""


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
        left = [key for key in self.keys if key not in tried and key.value]
        ready = [key for key in left if not key.wait(now, tokens)]
        if not ready and all(key.refused for key in self.keys if key.value):
            ready = left
        return min(ready, key=lambda key: (key.outstanding, key.used_at), default=None)

    def wait(self, now: float, tokens: int) -> float:
        waits = [key.wait(now, tokens) for key in self.keys if key.value and not key.refused]
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
