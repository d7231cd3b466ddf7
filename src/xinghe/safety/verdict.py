"""What moderation says of a text, and what the operator hears of it."""

from typing import Literal, TypeAlias

import msgspec
import structlog

from xinghe.observe import metrics

log = structlog.get_logger(__name__)

Place: TypeAlias = Literal["system", "user", "functions", "conversation", "answer"]
"""Where a text stands in a request or its answer."""
REFUSING = frozenset[Place]({"system", "user", "functions"})
"""Where any finding refuses the whole request: no other counts then."""


class Verdict(msgspec.Struct, frozen=True):
    """A finding: how severe and of which category, never the text that was found.

    `flag` is the documented scale of section 4.1.3: 1 low risk, the talk may go on; 2 the talk
    may not go on, the text may be shown; 3 it may not be shown either; 4 what was already shown
    is to be withdrawn. `category` is a lexicon category, or `operator/<list name>`.
    """

    flag: int
    category: str

    def __post_init__(self) -> None:
        assert 1 <= self.flag <= 4


def notice(place: str, verdict: Verdict) -> None:
    """A line in the log, and one more in the metrics: where and of what kind, never the text."""
    log.info("unsafe", place=place, category=verdict.category, flag=verdict.flag)
    metrics.UNSAFE.labels(place, verdict.category).inc()
