"""What Prometheus reads at `/metrics`, and the watch over the event loop that one of it needs."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram

LOOP_PERIOD = 0.02
"""Seconds between two looks: short enough to see 100 ms, and half a per cent of one core."""

_FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 1)
_STILL = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 60)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

REQUESTS = Counter(
    "xinghe_requests_total", "Answered requests", ["operation", "model", "status", "code"]
)
IN_FLIGHT = Gauge("xinghe_requests_in_flight", "Requests being answered", ["operation"])
TOKENS = Counter("xinghe_tokens_total", "Tokens by kind", ["model", "kind"])
FIRST_TOKEN = Histogram(
    "xinghe_first_token_seconds", "Last byte in to first delta", ["model"], buckets=_SLOW
)
DURATION = Histogram(
    "xinghe_request_seconds", "Last byte in to last byte out", ["operation"], buckets=_SLOW
)
EDGE_IN = Histogram(
    "xinghe_edge_in_seconds",
    "The gateway's own time from last byte in to engine called, waits for the engine left out",
    buckets=_FAST,
)
EDGE_OUT = Histogram(
    "xinghe_edge_out_seconds",
    "The gateway's own time from an engine's delta read to its bytes written",
    buckets=_FAST,
)
LOOP_LAG = Histogram(
    "xinghe_event_loop_lag_seconds",
    "How long the event loop was away from waiting work, looked at every 20 ms",
    buckets=_STILL,
)
LIMITS_SHARED = Gauge("xinghe_limits_shared", "1 while limits are shared through Valkey")
LIMITS_GATEWAYS = Gauge("xinghe_limits_gateways", "Live gateways that share the limits")
LIMITS_FAULTS = Counter(
    "xinghe_limits_faults_total", "Calls that Valkey did not answer, by what went wrong", ["kind"]
)
UNSAFE = Counter("xinghe_unsafe_total", "Findings of moderation", ["place", "category"])
MODERATION_REQUESTS = Counter(
    "xinghe_moderation_requests_total", "Texts sent to the moderation model", ["outcome"]
)
LOG_LINES_LOST = Counter("xinghe_log_lines_lost_total", "Log lines that could not be written")
CLIENTS_GONE = Counter("xinghe_clients_gone_total", "Clients that left or stalled", ["how"])
IMAGES = Counter("xinghe_images_total", "Images that were made", ["model"])
IMAGE_STEPS = Counter("xinghe_image_steps_total", "Steps of images that were made", ["model"])
IMAGES_IN_FLIGHT = Gauge(
    "xinghe_image_requests_in_flight", "Requests for images that wait or are drawn", ["model"]
)
DEPLOYMENT_REFUSALS = Counter(
    "xinghe_deployment_refusals_total",
    "Requests that an upstream refused for its operator's key, rights or balance",
    ["deployment", "status"],
)
REPLICA_REQUESTS = Counter(
    "xinghe_replica_requests_total", "Requests sent to a replica", ["deployment", "replica"]
)
REPLICA_FAILURES = Counter(
    "xinghe_replica_failures_total",
    "Requests that a replica did not answer, by what went wrong",
    ["deployment", "replica", "kind"],
)
FALLBACKS = Counter(
    "xinghe_fallbacks_total",
    "Requests that went on to a deployment of a model's fallback",
    ["model", "before", "to"],
)
ENGINE_THREADS = Gauge(
    "xinghe_engine_threads", "Threads that an embedded engine computes with now", ["deployment"]
)
ENGINE_SPEED = Gauge(
    "xinghe_engine_tokens_per_second",
    "Of one request alone, measured when the embedded engine was started",
    ["deployment", "kind"],
)
CHARGED = Counter("xinghe_charged_tokens_total", "Tokens that were charged", ["model"])
COMMIT = Histogram(
    "xinghe_database_commit_seconds",
    "Of the oldest operation of each commit, from handed in to written",
    buckets=_STILL,
)
JOURNALLED = Counter(
    "xinghe_settlements_journalled_total",
    "Settlements that the database did not take in time, and the journal did",
)
SEARCHES = Counter("xinghe_searches_total", "Web searches", ["provider", "outcome"])

M = TypeVar("M", Counter, Gauge, Histogram)


@cache
def child(metric: M, *labels: str) -> M:
    """A metric with these labels, found once: what every request counts is asked for so."""
    return metric.labels(*labels)


@contextmanager
def watched_loop() -> Iterator[None]:
    """Within the block a timer of the running loop records how late it comes.

    While the loop is away, nobody is served.
    """
    loop = asyncio.get_running_loop()
    last = time.monotonic()
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal last, timer
        now = time.monotonic()
        since = now - last
        late = since - LOOP_PERIOD
        # What stood in the way may have begun right after the last look: rather too much is
        # told than too little.
        LOOP_LAG.observe(since if late > LOOP_PERIOD else max(0.0, late))
        last = now
        timer = loop.call_later(LOOP_PERIOD, look)

    timer = loop.call_later(LOOP_PERIOD, look)
    try:
        yield
    finally:
        timer.cancel()
