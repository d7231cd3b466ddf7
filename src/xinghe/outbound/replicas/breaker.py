"""Whether a replica is to be tried at all: its circuit breaker, and the time that it asked for."""

from typing import Literal, Protocol

import msgspec

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a replica that has failed is tried with a request; each failed trial doubles
them."""
TRIALS = 1
"""Requests that try a replica at once."""

LONGEST_WORD = 60.0
"""Seconds for which a server's own word is taken; then it is asked again."""
UNASKED = 1.0
"""Seconds for which others are preferred to one that is full and did not say for how long."""
UNANSWERED, FROZEN = 2, 3
"""Probes in a row after which others are asked, and after which nobody is."""

Cause = Literal["lost", "silent", "frozen", "failing"]
"""`lost`: requests have found nobody there. `silent`: probes have, and it may be at work all the
same. `frozen`: it would have answered them. `failing`: somebody answers, and does not do the work.
Of all but the last, a probe tells when it is back."""


class Breaker(Protocol):
    """All times are those of one clock, in seconds."""

    def may_try(self, now: float, *, last_hope: bool = False) -> bool:
        """Whether a request may be sent; `last_hope`: no other replica could take it."""

    def begun(self, now: float) -> int:
        """A request is sent: a ticket for what becomes of it."""

    def answered(self, ticket: int) -> None:
        """It has begun to be answered."""

    def succeeded(self, ticket: int) -> None: ...

    def failed(self, ticket: int, now: float, *, lost: bool = False, certain: bool = False) -> None:
        """`lost`: nobody answers. `certain`: once is enough to know that."""

    def doubted(self, ticket: int) -> None:
        """It has failed, and that may be the request's own fault."""

    def dropped(self, ticket: int) -> None:
        """It was given up before anything was known."""

    def probed(self, alive: bool, now: float, *, sure: bool = False) -> None:
        """A probe was answered, or was not; `sure`: it would have been, were anybody there."""

    def froze(self, now: float) -> None:
        """A request has waited for as long as it may, and nothing has come meanwhile."""


class CircuitBreaker(msgspec.Struct):
    """Opens after so many `failures` in a row, the first of them at least `grace` seconds ago.

    Open, nothing is sent. It becomes half open when a probe finds it back, or after a pause: then
    one request tries it, and closes it, or opens it for longer. What is known of requests from
    before it opened changes nothing.
    """

    failures: int = 3
    grace: float = 0.0
    state: Literal["closed", "open", "half_open"] = "closed"
    cause: Cause = "failing"
    alive: bool = False
    """A probe has been answered since it opened."""
    trials: int = 0
    _failed: int = 0
    _doubts: int = 0
    _first: float = 0.0
    _silent: int = 0
    """Probes in a row that were not answered."""
    _pause: float = FIRST_PAUSE
    _unproven: bool = False
    """A trial has begun to be answered, and nothing has been done since."""
    _opened: float = 0.0
    _until: float = 0.0
    _round: int = 0
    """How often it has opened: a ticket of an earlier time is void."""

    def may_try(self, now: float, *, last_hope: bool = False) -> bool:
        if self.state == "closed":
            return True
        if last_hope and (self.alive or self.cause in {"silent", "failing"}):
            return True  # there may be somebody, and there is nothing to lose
        if self.state == "half_open":
            return self.trials < TRIALS
        soon = last_hope and self.cause != "frozen"  # whose trial may wait for long
        return now >= (self._opened + FIRST_PAUSE if soon else self._until)

    @property
    def has_failed(self) -> bool:
        """Whether there is a failure since it has last done its work."""
        return self._failed + self._doubts > 0

    @property
    def is_silent(self) -> bool:
        """Whether the last probe was not answered."""
        return self._silent > 0

    def wait(self, now: float) -> float:
        """Seconds until a request may try it where no other can be tried."""
        return 0.0 if self.state == "closed" else max(0.0, self._opened + FIRST_PAUSE - now)

    def begun(self, now: float) -> int:
        if self.state == "open":
            self.state, self._silent = "half_open", 0
        if self.state == "half_open":
            self.trials += 1
        return self._round

    def answered(self, ticket: int) -> None:
        if ticket == self._round and self.state == "half_open":
            self.state, self._unproven = "closed", True
            self._failed = self._doubts = self._silent = self.trials = 0

    def succeeded(self, ticket: int) -> None:
        self.answered(ticket)
        if self.state == "closed":
            self._failed = self._doubts = self._silent = 0
            if ticket == self._round:
                self._pause, self._unproven = FIRST_PAUSE, False

    def failed(self, ticket: int, now: float, *, lost: bool = False, certain: bool = False) -> None:
        if ticket != self._round:
            return
        if self.state == "half_open" or self._unproven:
            self._open("lost" if lost else self.cause, now, self._pause * 2)
            return
        self._first = self._first if self._failed else now
        self._failed += 1
        if (certain or self._failed >= self.failures) and now - self._first >= self.grace:
            self._open("lost" if lost else "failing", now, FIRST_PAUSE)

    def doubted(self, ticket: int) -> None:
        self._doubts += ticket == self._round

    def dropped(self, ticket: int) -> None:
        if ticket == self._round and self.state == "half_open":
            self.trials = max(0, self.trials - 1)

    def probed(self, alive: bool, now: float, *, sure: bool = False) -> None:
        self.alive = alive
        self._silent = 0 if alive else self._silent + 1
        is_frozen = self.cause == "frozen" and self.state == "open"
        if self.state == "closed":
            if self._silent >= UNANSWERED:  # the first may have met a short trouble
                self._open("lost" if self.has_failed else "silent", now, FIRST_PAUSE)
        elif self._silent >= FROZEN and not is_frozen and (sure or self.cause == "frozen"):
            self.froze(now)
        elif alive and self.state == "open" and self.cause != "failing":
            self.state = "half_open"
        elif not alive and self.state == "half_open" and not self.trials:
            self.state, self._opened, self._until = "open", now, now + self._pause

    def froze(self, now: float) -> None:
        self._open("frozen", now, LONGEST_PAUSE)

    def _open(self, cause: Cause, now: float, pause: float) -> None:
        self.state, self.cause, self.alive = "open", cause, False
        self._pause = min(pause, LONGEST_PAUSE)
        self._opened, self._until = now, now + self._pause
        self._failed = self._doubts = self.trials = 0
        self._unproven = False
        self._round += 1


class Cooldown(msgspec.Struct):
    """A replica that says that it is full is left alone for as long as it asks.

    Honours `Retry-After`, up to a minute; without one, others go first for a second.
    """

    until: float = 0.0
    others_until: float = 0.0

    def full(self, now: float, advice: float | None) -> None:
        """It says that it is full, and perhaps for how long."""
        if advice is not None:
            self.until = max(self.until, now + min(advice, LONGEST_WORD))
        self.put_last(now, max(UNASKED, self.left(now)))

    def put_last(self, now: float, seconds: float) -> None:
        """Others are to be asked before it for so long."""
        self.others_until = max(self.others_until, now + seconds)

    def left(self, now: float) -> float:
        """Seconds for which it is not to be asked; 0: it may be."""
        return max(0.0, self.until - now)

    def is_second_choice(self, now: float) -> bool:
        """Whether others are to be asked before it."""
        return now < self.others_until
