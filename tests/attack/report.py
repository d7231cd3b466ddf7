"""A round's figures, the bars that they are held to, and the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.attack.shot import Seen
from tests.attack.sizes import Sizes
from tests.attack.watch import Figures

LAG = 0.1
HEALTH_P99 = 0.1
HEALTH_WORST = 0.3
GROWTH, GROWN = 1.1, 100.0
"""Memory may be so many times what it was, and so many MB more, ten seconds later."""


@dataclass
class Round:
    """One kind of attack. `kills`: parts died, so others may have seen that."""

    name: str
    seen: list[Seen]
    figures: Figures
    peak: float
    """MB."""
    after: Sizes
    held: int
    """Micro-Tokens that are held though nobody asks any more."""
    books: str
    """What `ledger check` said, if it was not content."""
    skipped: list[str] = field(default_factory=list)
    """Entries that the time did not reach."""
    kills: bool = False

    def wrong(self) -> list[Seen]:
        return [one for one in self.seen if not one.allowed]

    def missed(self, before: Sizes, *, timed: bool) -> Iterator[str]:
        """The bars that were missed, in words; without `timed`, those of time are left out."""
        if wrong := len(self.wrong()):
            yield f"{wrong} unexpected answers"
        if self.skipped:
            yield f"not reached in time: {', '.join(self.skipped)}"
        if not self.kills:
            yield from self._others(timed=timed)
        if self.after.megabytes > (most := before.megabytes * GROWTH + GROWN):
            now, grown = self.after.megabytes, self.after.grown(before)
            yield f"memory {now:.0f} MB ten seconds later (bar {most:.0f}); more in {grown}"
        if self.held:
            yield f"{self.held} micro-Tokens are still held"
        if extra := self.after.extra(before):
            yield f"{extra} processes left: {dict(self.after.processes - before.processes)}"
        if self.books:
            yield f"the books: {self.books}"

    def _others(self, *, timed: bool) -> Iterator[str]:
        """The bars of what others see."""
        now = self.figures
        for what, took, bar in (
            ("loop lag", now.lag, LAG),
            ("/healthz p99", now.health_p99, HEALTH_P99),
            ("/healthz worst", now.health_worst, HEALTH_WORST),
        ):
            if timed and not took < bar:
                yield f"{what} {took * 1000:.0f} ms (bar {bar * 1000:.0f})"
        if failed := now.health_failed + now.others_failed:
            yield f"{failed} requests of others failed"


HEAD = (
    "round      clients wrong slowest |  lag ms  machine | healthz p99  worst | chat med  worst "
    "| formed | failed |  peak MB  after | held procs fds books"
)


def row(one: Round, before: Sizes) -> str:
    now = one.figures
    slowest = max((seen.seconds for seen in one.seen), default=0.0)

    def ms(seconds: float) -> str:
        return f"{seconds * 1000:.0f}"

    return (
        f"{one.name:10} {len(one.seen):7} {len(one.wrong()):5} {slowest:7.1f} | {ms(now.lag):>7} "
        f"{ms(now.machine):>8} | {ms(now.health_p99):>11} {ms(now.health_worst):>6} "
        f"| {ms(now.chat_median):>8} {ms(now.chat_worst):>6} | {ms(now.formed_worst):>6} "
        f"| {now.health_failed + now.others_failed:6} | {one.peak:8.0f} {one.after.megabytes:6.0f} "
        f"| {one.held:4} {one.after.extra(before):5} "
        f"{one.after.descriptors - before.descriptors:+4} {'ok' if not one.books else 'WRONG'}"
    )


def oddities(one: Round, before: Sizes) -> Iterator[str]:
    """The unexpected answers, by entry and outcome, and processes that were not there before."""
    for module, count in sorted((one.after.processes - before.processes).items()):
        yield f"  {one.name}: {count} more of {module}"
    counts = Counter((seen.name, seen.outcome) for seen in one.wrong())
    for (name, outcome), count in sorted(counts.items()):
        slowest = max(s.seconds for s in one.wrong() if (s.name, s.outcome) == (name, outcome))
        yield f"  {one.name}: {name}: {outcome} × {count}, up to {slowest:.1f} s"


def table(rounds: Sequence[Round], before: Sizes) -> str:
    return "\n".join([HEAD, *(row(one, before) for one in rounds)])
