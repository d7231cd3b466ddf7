"""How quick each model has been of late, over all that this process has served."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import msgspec

HOUR = 3600.0
HOURS = 24


class Speed(msgspec.Struct, frozen=True):
    """Means: milliseconds to the first token, tokens a second from then on; None: not known."""

    first_token_ms: float | None = None
    tokens_per_second: float | None = None


class _Sums(msgspec.Struct):
    """Of an hour: its answers, the seconds to their first tokens and from there to their ends."""

    answers: int = 0
    waited: float = 0.0
    tokens: int = 0
    seconds: float = 0.0


class Speeds:
    """Sums by hour, of the running one and the 24 before it; older ones are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hours: dict[str, dict[int, _Sums]] = {}

    def note(self, model: str, *, waited: float, tokens: int, seconds: float) -> None:
        """An answer has ended: its first token came after `waited` seconds, the rest took so many
        seconds more.
        """
        hour = self._hour()
        hours = self._hours.setdefault(model, {})
        if hour not in hours:
            hours[hour] = _Sums()
            for old in [each for each in hours if each < hour - HOURS]:
                del hours[old]
        sums = hours[hour]
        sums.answers += 1
        sums.waited += waited
        sums.tokens += tokens
        sums.seconds += seconds

    def forget(self, models: Iterable[str]) -> None:
        """Others serve them now."""
        for model in models:
            self._hours.pop(model, None)

    def of(self, model: str) -> Speed:
        oldest = self._hour() - HOURS
        late = [sums for hour, sums in self._hours.get(model, {}).items() if hour >= oldest]
        answers = sum(each.answers for each in late)
        seconds = sum(each.seconds for each in late)
        return Speed(
            round(sum(each.waited for each in late) / answers * 1000, 1) if answers else None,
            round(sum(each.tokens for each in late) / seconds, 2) if seconds > 0 else None,
        )

    def _hour(self) -> int:
        return int(self._clock() // HOUR)
