"""Whether what a server says piece by piece is worth being read in larger ones.

A piece alone costs the gateway some ten times what it costs among others: a turn of the loop, a
look of moderation, a write to the client.
"""

from __future__ import annotations

import math

import msgspec


class Coalescer(msgspec.Struct):
    """Of one stream: its first piece goes on at once, and so does each of a slow one.

    `seconds` is for how long pieces are gathered; 0: never.
    """

    seconds: float
    came: float = -math.inf
    """When the last piece came."""
    goes_on: bool = False

    def pays(self, came: float, events: int) -> bool:
        """Whether to gather behind so many events, which have come together just now.

        It does where two pieces come within the time, for as long as it brings more than one.
        """
        within = came - self.came < self.seconds
        self.goes_on = bool(self.seconds) and (events > 1 if self.goes_on else within)
        self.came = came
        return self.goes_on
