"""A round's figures beside what they are held to, and their table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.reliability.traffic import RATE, WHOLE, Asked
from xinghe.ledger.ledger import CHECKPOINT_SECONDS

CHECKPOINT = RATE * CHECKPOINT_SECONDS
"""Tokens of a stream between two checkpoints."""
WRITTEN = RATE * (0.5 if "PYTEST_XDIST_WORKER" not in os.environ else 3.0)
"""Tokens that may come while a checkpoint is on its way to the disk; beside other tests it waits
for the processor, too."""


@dataclass(frozen=True)
class Round:
    """Counts of requests and of completion tokens."""

    harm: str
    streams: list[Asked]
    whole: list[Asked]
    keyed: list[Asked]
    charged: dict[str, dict[str, tuple[int, int]]]
    """By account and request id: completion tokens, and the cost in Tokens."""
    held: int
    recovery: float
    """Seconds from the end of the harm until an answer was there."""
    traded: int = 0
    """Purchases, refunds, codes, transfers and grants that were asked for until they were done."""
    astray: str = ""
    """What the books say of these, and nobody was told; or the other way round."""

    @property
    def differences(self) -> list[int]:
        """For each stream: tokens charged less those received."""
        charged = self.charged["streams"]
        known = {one.request_id for one in self.streams}
        unheard = [tokens for request, (tokens, _) in charged.items() if request not in known]
        return [
            charged.get(one.request_id, (0, 0))[0] - one.completion for one in self.streams
        ] + unheard

    @property
    def free(self) -> int:
        """Whole answers that arrived, and were not charged for exactly what they cost."""
        charged = self.charged["whole"]
        return sum(
            one.arrived and charged.get(one.request_id, (0, 0))[1] != one.cost for one in self.whole
        )

    @property
    def unheard(self) -> int:
        """Whole answers that were charged for, and did not arrive: killed between the two."""
        arrived = {one.request_id for one in self.whole if one.arrived}
        return len(self.charged["whole"].keys() - arrived)

    @property
    def keyed_difference(self) -> int:
        """Tokens charged less those received, for answers asked for until they arrived."""
        charged = self.charged["keyed"].values()
        return sum(cost for _, cost in charged) - sum(one.cost for one in self.keyed)

    def missed(self) -> Iterator[str]:
        """The bars that were missed, in words."""
        if (worst := max(map(abs, self.differences))) > CHECKPOINT + WRITTEN:
            yield f"a stream was charged {worst} tokens off"
        if self.free:
            yield f"{self.free} answers arrived without their charge"
        if self.unheard > (WHOLE if "killed" in self.harm else 0):
            yield f"{self.unheard} answers were charged and did not arrive"
        if self.keyed_difference:
            yield f"answers with a key are {self.keyed_difference} Tokens off"
        if self.astray:
            yield f"trade is off: {self.astray}"
        if self.held:
            yield f"{self.held} micro-Tokens are still held"


HEAD = (
    "round harm                           | streams   cut received  charged largest | whole "
    "arrived  free unheard | keyed   off | traded | held first answer"
)


def row(number: int, one: Round) -> str:
    received = sum(each.completion for each in one.streams)
    charged = sum(tokens for tokens, _ in one.charged["streams"].values())
    largest = max(one.differences, key=abs, default=0)
    return (
        f"{number:5} {one.harm:30} | {len(one.streams):7} "
        f"{sum(not each.arrived for each in one.streams):5} {received:8} {charged:8} {largest:+7} "
        f"| {len(one.whole):5} {sum(each.arrived for each in one.whole):7} {one.free:5} "
        f"{one.unheard:7} | {len(one.keyed):5} {one.keyed_difference:+5} | {one.traded:6} "
        f"| {one.held:4} {one.recovery:10.1f} s"
    )


def table(rounds: Sequence[Round]) -> str:
    """All rounds, by what broke in them, for `docs/reliability.md`."""
    harms = list(dict.fromkeys(one.harm for one in rounds))
    rows = [[one for one in rounds if one.harm == harm] for harm in harms]
    lines = [_line(harm, some) for harm, some in zip(harms, rows, strict=True)]
    return "\n".join([*lines, _line("all", rounds)])


def _line(name: str, rounds: Sequence[Round]) -> str:
    streams = [each for one in rounds for each in one.streams]
    answers = [each for one in rounds for each in (*one.whole, *one.keyed)]
    differences = [each for one in rounds for each in one.differences]
    recoveries = sorted(one.recovery for one in rounds)
    figures = [
        f"{len(rounds)}",
        f"{len(streams):,} ({sum(not each.arrived for each in streams):,})",
        f"{sum(each.completion for each in streams):,}",
        f"{sum(differences):+,}",
        f"{max(differences, key=abs):+}",
        f"{sum(each.arrived for each in answers):,}",
        f"{sum(one.free + abs(one.keyed_difference) for one in rounds)}",
        f"{sum(one.unheard for one in rounds)}",
        f"{sum(one.held > 0 for one in rounds)}",
        f"{recoveries[len(recoveries) // 2]:.1f}, {recoveries[-1]:.1f}",
    ]
    return f"| {name} | {' | '.join(figures)} |"
