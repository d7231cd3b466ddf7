"""One token bucket in this process's memory."""

from __future__ import annotations

from xinghe.limits.quota import Quota

_MOST_DIPS = 64


class Bucket:
    """`deficit` was true at `at` (nanoseconds) and has been flowing back since.

    `dips` remembers how near to full the bucket has been: pairs of an event's number and the
    smallest deficit up to it and since the pair before. An event is noted with the deficit before
    it, when that is lowest.
    """

    __slots__ = ("at", "deficit", "dips", "refill")

    def __init__(self) -> None:
        self.at = 0
        self.deficit = 0
        self.refill = 1
        self.dips: list[tuple[int, int]] = []

    def now(self, at: int) -> int:
        """The deficit at a time not before the last event."""
        deficit = self.deficit - (at - self.at) * self.refill
        return deficit if deficit > 0 else 0

    def update(self, event: int, at: int, before: int, after: int, quota: Quota) -> None:
        """An event has taken the deficit from what `now` said to `after`."""
        if quota.returnable:
            self._note(event, before)
        self.at = at
        self.refill = quota.refill
        self.deficit = after

    def give_back(self, mark: int, surplus: int) -> None:
        """Lessen the take of event `mark`, within a later event that has been noted.

        Had less been taken then, the deficit would have been smaller by the surplus, until it
        reached zero: from there on refill would have been lost. So the lowest deficit since is
        the most that there is to give back.
        """
        given = min(surplus, *(deficit for event, deficit in self.dips if event > mark))
        self.deficit -= given
        self.dips = [
            (event, deficit - given if event > mark else deficit) for event, deficit in self.dips
        ]

    def _note(self, event: int, deficit: int) -> None:
        dips = self.dips
        while dips and dips[-1][1] >= deficit:
            dips.pop()  # what this one undercuts says nothing any more
        dips.append((event, deficit))
        if len(dips) > _MOST_DIPS:
            # Of each two, one that promises no more than either: too little given back is safe.
            pairs = zip(dips[::2], dips[1::2], strict=False)
            self.dips = [(later[0], min(one[1], later[1])) for one, later in pairs] + dips[-1:]
