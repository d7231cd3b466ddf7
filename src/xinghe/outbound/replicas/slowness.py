"""Whether a replica is so much slower than the others that they had better do its work."""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from statistics import median_low

SEEN = 3
"""Answers that are looked at, the last ones; with fewer nothing is known."""
FRESH = 60.0
"""Seconds after which an answer tells nothing any more."""
TIMES = 2.5
"""How many times as long as the others' an answer takes to begin, of a slow replica."""
MORE = 0.05
"""And how many seconds longer at least."""
SLOW_FOR, ANSWERS = 0.5, 4
"""Seconds for which a replica must be slow until conversations leave it too, and as many times the
others' time: another one has to read all of theirs anew, and who reads prompts by turns is slow
for a moment at every long one.
"""
LOOK_EVERY = 5.0
"""Seconds after which a slow replica gets a request again, to see whether it still is."""


class FirstWords:
    """The shortest of the last answers' times until they began, as long prompts take long anywhere;
    or what half of several requests that wait have waited already, if that is more. All times are
    those of one clock, in seconds.
    """

    def __init__(self) -> None:
        self._times: deque[tuple[float, float]] = deque(maxlen=SEEN)
        self._waiting: dict[object, float] = {}

    def asked(self, now: float) -> object:
        """A request is sent: what `answered` and `gone` take."""
        asked = object()
        self._waiting[asked] = now
        return asked

    def answered(self, asked: object, now: float) -> None:
        """The answer to it has begun."""
        began = self._waiting.pop(asked, None)
        if began is not None:
            self._times.append((now, now - began))

    def gone(self, asked: object) -> None:
        """It is not waited for any more."""
        self._waiting.pop(asked, None)

    def typical(self, now: float) -> float | None:
        """Seconds until an answer begins; `None`: not known."""
        while self._times and now - self._times[0][0] > FRESH:
            self._times.popleft()
        usual = min(took for _, took in self._times) if len(self._times) == SEEN else None
        if len(self._waiting) < 2:
            return usual
        half = next(islice(self._waiting.values(), len(self._waiting) // 2, None))
        return max(now - half, usual or 0.0)

    def oldest(self) -> object:
        """The request that has waited longest; `None` where none does."""
        return next(iter(self._waiting), None)

    def longest_wait(self, now: float) -> float:
        """Seconds for which the oldest request has waited; 0 where none does."""
        return now - next(iter(self._waiting.values()), now)


def slow_ones(times: Sequence[float | None]) -> list[float | None]:
    """Of the typical times of some replicas, for each that is slow the usual time of the others."""
    slow = list[float | None]()
    for at, own in enumerate(times):
        others = [one for one in (*times[:at], *times[at + 1 :]) if one is not None]
        if own is None or not others:
            slow.append(None)
            continue
        usual = median_low(others)
        is_slow = own > TIMES * usual and own > usual + MORE
        slow.append(usual if is_slow else None)
    return slow
