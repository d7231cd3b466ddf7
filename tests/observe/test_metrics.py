"""A standstill of the event loop is seen in full, and the metric tells of it."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kit.server import Server
from xinghe.api.memory import frozen_heap
from xinghe.observe.metrics import LOOP_LAG, LOOP_PERIOD, watched_loop

NAME = "xinghe_event_loop_lag_seconds"


def _seen() -> dict[str, float]:
    """How many looks were at most so late, by bucket; `sum` and `count` of all."""
    (family,) = LOOP_LAG.collect()
    return {
        one.labels.get("le", one.name.removeprefix(f"{NAME}_")): one.value for one in family.samples
    }


async def _looked(more_than: float) -> dict[str, float]:
    # It is the looks that are counted here, and they tell nobody.
    while (seen := _seen())["count"] <= more_than:  # noqa: ASYNC110
        await asyncio.sleep(LOOP_PERIOD / 4)
    return seen


@pytest.mark.parametrize("offset", [0.0, 0.003, 0.007, 0.012, 0.017])
async def test_a_standstill_counts_in_full_wherever_it_begins(offset: float) -> None:
    with watched_loop():
        before = await _looked(_seen()["count"])
        await asyncio.sleep(offset)
        time.sleep(0.101)  # noqa: ASYNC251 - the standstill itself
        after = await _looked(before["count"])
        # A busy machine may have kept the looks before it late as well.
        while after["count"] - after["0.1"] == before["count"] - before["0.1"]:
            assert after["count"] - before["count"] < 10, "not one look was 100 ms late"
            after = await _looked(after["count"])
        assert after["sum"] - before["sum"] >= 0.101


async def test_it_ends_with_the_block() -> None:
    with watched_loop():
        await _looked(_seen()["count"])
    seen = _seen()
    await asyncio.sleep(4 * LOOP_PERIOD)
    assert _seen() == seen


def test_what_is_loaded_is_not_looked_through_again() -> None:
    with frozen_heap():
        frozen = gc.get_freeze_count()
        assert frozen > 10 * len(gc.get_objects())
    assert gc.get_freeze_count() < frozen


@pytest.mark.usefixtures("token")
def test_the_service_measures_its_own_loop(server: Server) -> None:
    def count() -> float:
        with urllib.request.urlopen(server.metrics_url, timeout=30) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        samples = [one for family in families for one in family.samples]
        return next(one.value for one in samples if one.name == f"{NAME}_count")

    before, end = count(), time.monotonic() + 30
    while count() <= before:
        assert time.monotonic() < end, "it never looks"
        time.sleep(0.05)


@pytest.mark.embedded
def test_the_service_tells_with_how_many_threads_its_engine_computes_and_how_fast(
    server: Server, small_weights: str
) -> None:
    with urllib.request.urlopen(f"{server.url}/readyz") as answer:
        (engine,) = json.loads(answer.read())["engines"].values()
    with urllib.request.urlopen(server.metrics_url) as answer:
        told = answer.read().decode()
    assert f'xinghe_engine_threads{{deployment="embedded"}} {engine["threads"]:.1f}\n' in told
    banner = (server.data / "test.stdout").read_text("utf-8")
    assert f"engine embedded: {engine['threads']} thread" in banner
    assert engine["why"] in banner
    speed = 'xinghe_engine_tokens_per_second{deployment="embedded",kind="written"}'
    assert f"{speed} {engine['writes']}\n" in told
    if "; not measured" not in banner:  # as on a machine that is busy with tests
        assert f"writes {engine['writes']:.1f} tokens a second" in banner
        assert "engine_measured" in server.log.read_text("utf-8")
