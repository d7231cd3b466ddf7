"""A pool over real servers: who is asked, what follows a failure, and what the operator is told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.outbound.replicas.peer import ask, peers, pool_of
from xinghe.catalog.replicas import Key, Replica
from xinghe.outbound import CallFailed, Refused, Silent, Unreachable
from xinghe.outbound.replicas import Away, Head, Pool, UsedUp


def owed(pool: Pool) -> dict[tuple[str, int], int]:
    """The status with which each server refuses keys, by its name and the key's number."""
    return {(one.server, key.key): key.status for one in pool.servers for key in one.refused}


def told(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def back_within(pool: Pool, seconds: float) -> float:
    """How long it takes until a request is answered; fails where that is longer."""
    began = time.monotonic()
    while True:
        try:
            await ask(pool)
            return time.monotonic() - began
        except CallFailed:
            assert time.monotonic() - began < seconds
            await asyncio.sleep(0.02)


async def test_requests_that_follow_each_other_go_round() -> None:
    async with peers(3) as there, pool_of(*there) as pool:
        answered = Counter([await ask(pool) for _ in range(9)])
        assert answered == {each.origin: 3 for each in there}


async def test_weights_share_the_work_and_a_drained_one_gets_none() -> None:
    async with peers(3) as there:
        a, b, c = there
        for each in there:
            each.delay = 0.2
        specs = Replica(a.url, 1), Replica(b.url, 3), Replica(c.url, 0)
        async with pool_of(*specs, slots=20) as pool:
            assert pool.capacity == 40
            await asyncio.gather(*(ask(pool) for _ in range(16)))
        assert (a.asked, b.asked, c.asked) == (4, 12, 0)


async def test_all_drained_is_away_at_once() -> None:
    async with peers(1) as (a,), pool_of(Replica(a.url, 0)) as pool:
        with pytest.raises(Away):
            await ask(pool)
        assert not await pool.ready()


@pytest.mark.parametrize("fault", [500, 502, 404, 408, 302, "close", "garbage"])
async def test_a_failure_goes_to_the_next_at_once(fault: str | int) -> None:
    async with peers(2) as there, pool_of(*there) as pool:
        bad, good = there
        bad.does = fault
        began = time.monotonic()
        for _ in range(4):
            assert await ask(pool) == good.origin
        assert time.monotonic() - began < 1.0
        assert bad.asked <= 3
        assert told("xinghe_replica_failures_total", deployment="up", replica=bad.origin,
                    kind="status" if isinstance(fault, int) else
                    {"close": "unreachable", "garbage": "unreadable"}[str(fault)]) >= 1  # fmt: skip


async def test_a_kept_connection_that_is_closed_is_no_failure_of_its_replica() -> None:
    async with peers(2) as there, pool_of(*there) as pool:
        heads = [Head(b"", bytes([number])) for number in range(10)]
        went = [await ask(pool, head) for head in heads]
        for each in there:
            each.drops_kept = True
        assert [await ask(pool, head) for head in heads * 2] == went * 2
        for each in there:
            named = {"deployment": "up", "replica": each.origin, "kind": "unreachable"}
            assert not told("xinghe_replica_failures_total", **named)


async def test_a_head_that_hangs_goes_to_the_next_after_its_silence() -> None:
    async with peers(2) as there, pool_of(*there, silence=0.3) as pool:
        bad, good = there
        bad.does = "hang"
        assert {await ask(pool) for _ in range(2)} == {good.origin}


async def test_one_that_has_gone_costs_one_failure_and_comes_back() -> None:
    async with peers(2) as there, pool_of(*there) as pool:
        bad, good = there
        await bad.go()
        with capture_logs() as logs:
            for _ in range(20):
                assert await ask(pool) == good.origin
            named = {"deployment": "up", "replica": bad.origin}
            assert [line["event"] for line in logs] == ["replica_away"]
            assert logs[0].items() >= named.items()
            assert told("xinghe_replica_state", **named, state="away") == 1
            assert told("xinghe_replica_state", **named, state="up") == 0
            await bad.come()
            end = time.monotonic() + 2.0
            while await ask(pool) != bad.origin:
                assert time.monotonic() < end
                await asyncio.sleep(0.02)
        assert [line["event"] for line in logs] == ["replica_away", "replica_back"]
        assert told("xinghe_replica_state", **named, state="up") == 1


@pytest.mark.parametrize("number", [1, 2])
async def test_all_away_is_told_at_once_and_so_is_their_return(number: int) -> None:
    async with peers(number) as there, pool_of(*there) as pool:
        for each in there:
            await each.go()
        told = CallFailed("nothing")
        while not isinstance(told, Away):  # a server alone may be starting anew for a second
            with pytest.raises((Away,) if number > 1 else (Away, Unreachable)) as failed:
                await ask(pool)
            told = failed.value
            await asyncio.sleep(0.1)
        assert not await pool.ready()
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(Away) as away:
                await ask(pool)
            assert 1 <= away.value.retry_after <= 2
        assert time.monotonic() - began < 0.5
        for each in there:
            await each.come()
        assert await back_within(pool, 2.0) < 2.0
        assert await pool.ready()


async def test_one_round_asks_each_once_and_does_not_blame_them_for_one_request() -> None:
    async with peers(3) as there, pool_of(*there) as pool:
        for each in there:
            each.does = 500
        for _ in range(5):  # whatever it is that this client sends
            with pytest.raises(Away):
                await ask(pool)
        assert [each.asked for each in there] == [5, 5, 5]
        for each in there:
            each.does = "well"
        await ask(pool)  # others are served all the same


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_is_wrong_with_a_request_is_asked_once(status: int) -> None:
    async with peers(2) as there, pool_of(*there) as pool:
        for each in there:
            each.does = status
        with pytest.raises(Refused):
            await ask(pool)
        assert sum(each.asked for each in there) == 1


async def test_a_failing_one_is_left_alone_and_tried_again() -> None:
    async with peers(2) as there, pool_of(*there) as pool:
        bad, good = there
        bad.does = 500
        for _ in range(20):
            assert await ask(pool) == good.origin
        assert bad.asked == 3
        await asyncio.sleep(1.1)
        bad.does = "well"
        assert await ask(pool) == bad.origin, "the first request after the pause tries it"


async def test_hung_ones_lose_what_waits_for_them_to_others() -> None:
    """As a process that was stopped: it takes connections, and that is all."""
    async with peers(2) as there, pool_of(*there, silence=60.0) as pool:
        bad, good = there
        bad.does, bad.is_alive = "hang", False
        began = time.monotonic()
        answered = await asyncio.gather(*(ask(pool) for _ in range(8)))
        assert set(answered) == {good.origin}
        assert time.monotonic() - began < 10
        bad.does, bad.is_alive = "well", True
        end = time.monotonic() + 3.0
        while await ask(pool) != bad.origin:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)


async def test_a_slow_one_gets_little() -> None:
    async with peers(2) as there, pool_of(*there) as pool:
        slow = there[0]
        for _ in range(10):
            await ask(pool)
        slow.delay = 0.5
        before = slow.asked

        async def client() -> None:
            for _ in range(25):
                await ask(pool)

        await asyncio.gather(*(client() for _ in range(8)))
        assert slow.asked - before <= 8
        assert told("xinghe_replica_state", deployment="up", replica=slow.origin, state="slow")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_full_one_is_left_alone_for_as_long_as_it_says(status: int) -> None:
    async with peers(2) as there, pool_of(*there) as pool:
        full, good = there
        full.does, full.advice = status, "1"
        for _ in range(6):
            assert await ask(pool) == good.origin
        assert full.asked == 1
        good.does, good.advice = status, "30"
        with pytest.raises(Refused) as refused:
            await ask(pool)
        assert refused.value.busy
        with pytest.raises(UsedUp) as used_up:
            await ask(pool)
        assert used_up.value.advice == 1.0
        assert good.asked == 7
        full.does = "well"
        await asyncio.sleep(1.0)
        assert await ask(pool) == full.origin


async def test_a_server_alone_is_left_alone_too() -> None:
    async with peers(1) as there, pool_of(*there) as pool:
        there[0].does, there[0].advice = 429, "7"
        for _ in range(3):
            with pytest.raises(Refused) as refused:
                await ask(pool)
            assert refused.value.advice == pytest.approx(7.0, abs=0.5)
        assert there[0].asked == 1
        there[0].advice = None
    async with peers(1) as there, pool_of(*there) as pool:
        there[0].does = 429  # for how long it does not say: so it is asked each time
        for _ in range(3):
            with pytest.raises(Refused):
                await ask(pool)
        assert there[0].asked == 3


KEYS = tuple(Key(key=f"sk-{name}", rpm=3) for name in "abc")


async def test_keys_are_used_in_turn_within_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV_KEY", "sk-env")
    keys = (*KEYS, Key(key_env="ENV_KEY", concurrent=1), Key(key_env="NOT_SET"))
    async with peers(1) as (a,), pool_of(Replica(a.url), keys=keys) as pool:
        for _ in range(12):
            await ask(pool)
        assert Counter(a.keys) == {"sk-a": 3, "sk-b": 3, "sk-c": 3, "sk-env": 3}
        a.delay = 0.2
        answers = await asyncio.gather(*(ask(pool) for _ in range(3)), return_exceptions=True)
        full = [each for each in answers if isinstance(each, UsedUp)]
        assert len(full) == 2
        assert full[0].advice == 1.0  # the place of the last key
        assert pool.capacity == 64


async def test_used_up_keys_say_when_the_first_is_free() -> None:
    async with peers(1) as (a,), pool_of(Replica(a.url), keys=KEYS[:1]) as pool:
        for _ in range(3):
            await ask(pool)
        with pytest.raises(UsedUp) as used_up:
            await ask(pool)
        assert used_up.value.advice == pytest.approx(60, abs=2)
        assert a.asked == 3


async def test_refused_and_full_keys_are_passed_over_and_told_without_themselves() -> None:
    keys = tuple(Key(key=f"sk-{name}") for name in "abc")
    async with peers(1) as (a,), pool_of(Replica(a.url), keys=keys) as pool:
        a.refuses, a.full, a.advice = {"sk-a"}, {"sk-b"}, "30"
        with capture_logs() as logs:
            for _ in range(4):
                assert await ask(pool) == a.origin
        assert a.keys == ["sk-a", "sk-b", "sk-c", "sk-c", "sk-c", "sk-c"]
        assert owed(pool) == {(a.origin, 1): 401}
        assert [line["event"] for line in logs] == ["deployment_refused"]
        assert "sk-" not in str(logs)


async def test_keys_that_are_all_refused_are_tried_all_the_same() -> None:
    async with peers(1) as (a,), pool_of(a, keys=KEYS) as pool:
        a.refuses = {"sk-a", "sk-b", "sk-c"}
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                await ask(pool)
            assert refused.value.for_the_operator
        assert Counter(a.keys) == {"sk-a": 2, "sk-b": 2, "sk-c": 2}
        assert len(owed(pool)) == 3
        assert pool.servers[0].refuses
        a.refuses = set()
        await ask(pool)
        assert len(owed(pool)) == 2
        assert not pool.servers[0].refuses


async def test_without_the_value_of_any_key_nobody_is_there() -> None:
    async with peers(1) as (a,), pool_of(a, keys=(Key(key_env="NOT_SET"),)) as pool:
        with pytest.raises(Away, match="none of its keys"):
            await ask(pool)
        assert not a.asked
        assert not await pool.ready()
    # Nor is one without a key there for others.
    async with peers(2) as (a, b):
        own = Replica(b.url, key="sk-own")
        async with pool_of(Replica(a.url), own, keys=(Key(key_env="NOT_SET"),)) as pool:
            assert await ask(pool) == b.origin
            await b.go()
            with pytest.raises(Away):
                await ask(pool)
            with pytest.raises(Away):
                await ask(pool)
            assert not a.asked


async def test_a_replica_may_have_a_key_of_its_own() -> None:
    async with peers(2) as (a, b):
        own = Replica(b.url, key="sk-own")
        async with pool_of(Replica(a.url), own, key="sk-all") as pool:
            for _ in range(4):
                await ask(pool)
        assert (set(a.keys), set(b.keys)) == ({"sk-all"}, {"sk-own"})


async def test_conversations_stay_together() -> None:
    async with peers(4) as there, pool_of(*there) as pool:
        heads = [Head(b"shared", bytes([number])) for number in range(20)]
        assert len({await ask(pool, head) for head in heads}) == 1
        alone = [Head(b"", bytes([number])) for number in range(40)]
        went = [await ask(pool, head) for head in alone]
        assert len(set(went)) == 4
        assert [await ask(pool, head) for head in alone] == went


async def test_no_replica_has_more_than_its_slots_while_others_have_room() -> None:
    async with peers(2) as there, pool_of(*there, slots=5) as pool:
        for each in there:
            each.delay = 0.1
        head = Head(b"shared", b"one")
        await asyncio.gather(*(ask(pool, head) for _ in range(10)))
        assert [each.most_at_work for each in there] == [5, 5]


async def test_capacity_follows_who_is_there() -> None:
    async with peers(2) as there, pool_of(*there, slots=5) as pool:
        sizes = list[int]()
        pool.on_resize(sizes.append)
        assert pool.capacity == 10
        await there[0].go()
        for _ in range(2):
            await ask(pool)
        assert sizes[-1] == pool.capacity == 5
        await there[1].go()
        with pytest.raises(Away):
            await ask(pool)
        assert pool.capacity == 10


async def test_replicas_of_one_origin_are_told_apart_without_their_paths() -> None:
    async with peers(1) as (a,):
        urls = Replica(f"{a.url}/sk-one"), Replica(f"{a.url}/sk-two")
        async with pool_of(*urls) as pool:
            assert [one.name for one in pool.replicas] == [a.origin, f"{a.origin}#2"]


async def test_a_closed_pool_asks_nobody_and_is_told_of_no_more() -> None:
    async with peers(2) as there:
        async with pool_of(*there, name="closed") as pool:
            await there[0].go()
            for _ in range(2):
                await ask(pool)
            named: dict[str, Any] = {"deployment": "closed", "replica": there[1].origin}
            assert REGISTRY.get_sample_value("xinghe_replica_outstanding", named) == 0
        await there[0].come()
        probes = there[0].probes
        await asyncio.sleep(0.7)
        assert there[0].probes == probes
        assert REGISTRY.get_sample_value("xinghe_replica_outstanding", named) is None


async def test_asking_whether_anybody_answers_hides_no_hung_one() -> None:
    async with peers(2) as there, pool_of(*there) as pool:
        there[0].is_alive = False
        for _ in range(3):
            assert await pool.ready()
        hung, well = pool.replicas
        assert there[0].probes >= 1
        assert hung.probed_at == 0, "its own probe is due as if nobody had asked"
        assert well.probed_at


async def test_who_gives_up_leaves_nothing_behind() -> None:
    async with peers(2) as there, pool_of(*there) as pool:
        for each in there:
            each.does = "hang"
        asking = [asyncio.create_task(ask(pool)) for _ in range(4)]
        await asyncio.sleep(0.1)
        assert sum(one.outstanding for one in pool.replicas) == 4
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert [one.outstanding for one in pool.replicas] == [0, 0]
        assert [one.breaker.state for one in pool.replicas] == ["closed", "closed"]


async def test_silence_of_a_server_alone_is_a_failure_as_ever() -> None:
    async with peers(1) as there, pool_of(*there, silence=0.2) as pool:
        there[0].does = "hang"
        with pytest.raises(Silent):
            await ask(pool)


async def test_one_that_refuses_the_key_of_all_is_asked_last() -> None:
    async with peers(2) as there, pool_of(*there, key="sk-all") as pool:
        there[0].refuses = {"sk-all"}
        for _ in range(6):
            assert await ask(pool) == there[1].origin
        assert there[0].asked == 1
        assert owed(pool) == {(there[0].origin, 1): 401}
        there[1].refuses = {"sk-all"}
        with pytest.raises(Refused) as refused:
            await ask(pool)
        assert refused.value.for_the_operator
