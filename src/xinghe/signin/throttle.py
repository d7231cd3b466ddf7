"""Failed sign-ins are slowed: each further one of a name from an address waits longer.

Three counts, which all leak away: of a name from an address, of an address with any names, and of
a name from anywhere. The last refuses nobody by itself: it only takes from addresses that are new
to the name the tries that are free otherwise, all but the first. So whoever has the right password
comes in from a quiet address at once, however many others guess; and one whose name has come in
from an address before is not held up by what others of that address (a school's) do. A fourth
count, of those who came in, keeps anybody from signing in all the time: each costs a hash.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice

import msgspec

MOST = 50_000
"""Entries of each kind that are kept: those that failed longest ago go first."""
LONGEST = 900.0
"""Seconds of the longest delay; the first is of one."""
STEEP = 10
"""Failures beyond the free ones that are remembered: they double the delay to the longest."""
_SWEPT = 4
"""Entries looked at in each attempt, more than one can add."""


class Slowed(Exception):
    """Too many sign-ins lately; `retry_after` in seconds. Nothing was looked at."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"too many sign-ins, try again in {retry_after:g} s")
        self.retry_after = retry_after


class _Rule(msgspec.Struct, frozen=True):
    """`free` failures wait for nothing; one is forgiven every `leak` seconds."""

    free: int
    leak: float


PAIR = _Rule(free=5, leak=3600.0)
UNDER_ATTACK = 1
"""How many failures of a pair are free while its name fails too often from everywhere."""
ADDRESS = _Rule(free=100, leak=36.0)
NAME = _Rule(free=100, leak=36.0)
SUCCESS = _Rule(free=60, leak=5.0)
"""Of a name from an address, or of the address where no name is said: each costs a hash, too."""


class _Entry(msgspec.Struct):
    """`count` was true at `since`; `last` is when one failed last."""

    since: float
    last: float
    count: int = 0

    def now(self, at: float, rule: _Rule) -> int:
        return max(0, self.count - int((at - self.since) / rule.leak))

    def fail(self, at: float, rule: _Rule) -> None:
        left = self.now(at, rule)
        self.since = self.since + (self.count - left) * rule.leak if left else at
        self.count = min(left + 1, rule.free + STEEP)
        self.last = at

    def wait(self, at: float, rule: _Rule, free: int) -> float:
        beyond = self.now(at, rule) - free
        return max(0.0, self.last + min(LONGEST, 2.0**beyond) - at) if beyond >= 0 else 0.0


class _Counts:
    """Entries by key, a bounded number of them."""

    def __init__(self, rule: _Rule, most: int) -> None:
        self._rule = rule
        self._most = most
        self._entries: OrderedDict[int, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def wait(self, key: int, now: float, free: int | None = None) -> float:
        """Seconds until an attempt may be, where other than the rule's are `free`, say."""
        entry = self._entries.get(key)
        free = self._rule.free if free is None else free
        return 0.0 if entry is None else entry.wait(now, self._rule, free)

    def fail(self, key: int, now: float) -> None:
        self._sweep(now)
        entry = self._entries.setdefault(key, _Entry(now, now))
        self._entries.move_to_end(key)
        entry.fail(now, self._rule)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def undo(self, key: int) -> None:
        """Take one failure back."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.count = max(0, entry.count - 1)

    def forget(self, key: int) -> None:
        self._entries.pop(key, None)

    def exceeds(self, key: int, now: float) -> bool:
        """Whether more have failed than are free."""
        entry = self._entries.get(key)
        return entry is not None and entry.now(now, self._rule) >= self._rule.free

    def _sweep(self, now: float) -> None:
        for key in list(islice(self._entries, _SWEPT)):
            if self._entries[key].now(now, self._rule) > 0:
                return
            del self._entries[key]


class Throttle:
    """Who may try a password now; `clock` gives seconds. Not for use by several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._pairs = _Counts(PAIR, most)
        self._addresses = _Counts(ADDRESS, most)
        self._names = _Counts(NAME, most)
        self._successes = _Counts(SUCCESS, most)
        self._known: OrderedDict[int, None] = OrderedDict()
        """Names with addresses from which they have come in."""

    def __len__(self) -> int:
        """How much is kept."""
        counts = (self._pairs, self._addresses, self._names, self._successes)
        return sum(len(each) for each in counts) + len(self._known)

    def attempt(self, name: str, address: str) -> Attempt:
        """Begin a sign-in of a name; none (`""`) where the secret alone says whose it is.

        It has failed until it is told otherwise: those that are under way together count, too.
        Raises `Slowed`.
        """
        now, place = self._clock(), network(address)
        pair, everywhere, named = hash((name, place)), hash(place), hash(name)
        known = pair in self._known
        attacked = not known and self._names.exceeds(named, now)
        wait = self._pairs.wait(pair, now, UNDER_ATTACK if attacked else None) if name else 0.0
        wait = max(wait, self._successes.wait(pair, now))
        if not known:
            wait = max(wait, self._addresses.wait(everywhere, now))
        if wait > 0:
            raise Slowed(wait)
        if not known:
            self._addresses.fail(everywhere, now)
        if name:
            self._pairs.fail(pair, now)
            self._names.fail(named, now)
        return Attempt(self, pair, everywhere, named if name else None, known)

    def undo(self, attempt: Attempt) -> None:
        """Count it as if it had not been."""
        if attempt.name is not None:
            self._pairs.undo(attempt.pair)
            self._names.undo(attempt.name)
        if not attempt.known:
            self._addresses.undo(attempt.address)

    def succeeded(self, attempt: Attempt) -> None:
        """Forgive the name what failed from this address, and know it here from now on."""
        self.undo(attempt)
        self._successes.fail(attempt.pair, self._clock())
        if attempt.name is None:
            return
        self._pairs.forget(attempt.pair)
        self._known[attempt.pair] = None
        self._known.move_to_end(attempt.pair)
        if len(self._known) > self._most:
            self._known.popitem(last=False)


class Attempt(msgspec.Struct, frozen=True):
    """A sign-in that may be looked at; with neither call of these, it has failed."""

    throttle: Throttle
    pair: int
    address: int
    name: int | None
    """None where none was said."""
    known: bool

    def succeeded(self) -> None:
        self.throttle.succeeded(self)

    def undo(self) -> None:
        """Nothing was looked at after all."""
        self.throttle.undo(self)


def network(address: str) -> str:
    """Whose address it is: an IPv4 address itself, of IPv6 the /64, all of which one host has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Address(int(found) >> 64 << 64))
    return str(found)
