"""What Xinghe is to cost beside its peers, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator

from bench.peers.load import BURST, CROWD, PACED, WHOLE
from bench.peers.rounds import P50, P99, Seen

RATIOS = (
    (WHOLE, "yardstick", 3.0),
    (WHOLE, "portkey", 1 / 5),
    (WHOLE, "litellm", 1 / 35),
    (BURST, "yardstick", 3.5),
    (BURST, "smg", 1.0),
    (BURST, "tensorzero", 1.0),
    (PACED, "yardstick", 1.5),
    (PACED, "tensorzero", 1.0),
    (CROWD, "yardstick", 1.5),
    (CROWD, "tensorzero", 1.0),
)
"""The most that our CPU may be, as a multiple of another's."""
ADDED = ((P50, 1.5), (P99, 4.0))
"""The most ms that we may add at 100 requests a second."""


def goals(seen: Seen) -> Iterator[tuple[str, str, str, str]]:
    """The rows of those that were measured: figure, goal, seen, whether it was reached."""
    for work, other, most in RATIOS:
        ours, theirs = seen.get(("xinghe", work.title)), seen.get((other, work.title))
        if ours and theirs:
            yield _row(f"{work.title} / {other}", most, ours / theirs, 3 if most < 1 else 2)
    for figure, most in ADDED:
        if ("xinghe", figure) in seen:
            yield _row(f"added at 100/s, {figure}, ms", most, seen["xinghe", figure], 1)


def _row(title: str, most: float, seen: float, digits: int) -> tuple[str, str, str, str]:
    reached = "yes" if seen <= most else "no"
    return title, f"≤ {most:.{digits}f}", f"{seen:.{digits}f}", reached
