"""Tells the operator of a finding: where and of what kind, never the text."""

from __future__ import annotations

import structlog

from xinghe.observe import metrics
from xinghe.safety.verdict import Verdict

log = structlog.get_logger(__name__)


def notice(place: str, verdict: Verdict) -> None:
    """A line in the log, and one more in the metrics."""
    log.info("unsafe", place=place, category=verdict.category, flag=verdict.flag)
    metrics.UNSAFE.labels(place, verdict.category).inc()
