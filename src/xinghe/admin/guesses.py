"""Who guesses redeem codes is slowed, each member by himself."""

import asyncio
from weakref import WeakValueDictionary

from xinghe.signin import Throttle
from xinghe.signin.throttle import Attempt


class Guesses:
    """Counts what is no code. A member tries one after the other, in his `turn`."""

    def __init__(self) -> None:
        self._throttle = Throttle()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn(self, member: str) -> asyncio.Lock:
        return self._turns.setdefault(member, asyncio.Lock())

    def attempt(self, member: str) -> Attempt:
        """Raises `Slowed`."""
        return self._throttle.attempt(member, member)
