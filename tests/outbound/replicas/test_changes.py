"""A deployment is changed: what is known of the servers and keys that stay the same stays known."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from structlog.testing import capture_logs

from tests.outbound.replicas.peer import ask, peers, pool_of
from xinghe.catalog import UpstreamDeployment
from xinghe.catalog.replicas import Key, Replica
from xinghe.engines.upstream import UpstreamEngine
from xinghe.outbound.replicas import Away, Head, Pool, UsedUp


async def test_one_that_fails_stays_alone() -> None:
    async with peers(3) as (bad, good, new), pool_of(bad, good) as before:
        bad.does = 500
        for _ in range(12):
            assert await ask(before) == good.origin
        asked = bad.asked
        with capture_logs() as logs:
            async with pool_of(bad, good, new, before=before, slots=3) as pool:
                for _ in range(12):
                    assert await ask(pool) in {good.origin, new.origin}
        assert bad.asked == asked
        assert not logs, "it is away as it was"


async def test_all_away_stay_so_and_come_back() -> None:
    async with peers(2) as there, pool_of(*there) as before:
        for each in there:
            await each.go()
        with pytest.raises(Away):
            await ask(before)
        async with pool_of(*there, before=before, slots=3) as pool:
            with pytest.raises(Away, match="away"):
                await ask(pool)
            for each in there:
                await each.come()
            async with asyncio.timeout(2):
                while True:
                    try:
                        await ask(pool)
                        break
                    except Away:
                        await asyncio.sleep(0.02)


async def test_a_full_one_is_left_alone_for_as_long_as_it_said() -> None:
    async with peers(2) as (full, good), pool_of(full, good) as before:
        full.does, full.advice = 429, "30"
        for _ in range(3):
            await ask(before)
        async with pool_of(full, Replica(good.url, 2), before=before) as pool:
            for _ in range(6):
                assert await ask(pool) == good.origin
        assert full.asked == 1


async def test_conversations_stay_where_they_are() -> None:
    async with peers(4) as there, pool_of(*there) as before:
        heads = [Head(b"", bytes([number])) for number in range(20)]
        went = {head: await ask(before, head) for head in heads}
        gone, *others = there
        async with pool_of(*others, before=before) as pool:
            for head, origin in went.items():
                if origin != gone.origin:
                    assert await ask(pool, head) == origin


async def test_what_was_sent_with_a_key_counts_after_a_change() -> None:
    async with peers(1) as (a,):
        one, two = Key(key="sk-one", rpm=2), Key(key="sk-two", rpm=2)
        async with pool_of(a, keys=(one, two)) as first:
            await ask(first)
            await ask(first)
            async with pool_of(a, keys=(two,), before=first) as second:
                await ask(second)
                with pytest.raises(UsedUp):
                    await ask(second)
                # The key that was taken out a moment ago is there again.
                async with pool_of(a, keys=(one, two), before=second) as third:
                    await ask(third)
                    with pytest.raises(UsedUp):
                        await ask(third)
        assert Counter(a.keys) == {"sk-one": 2, "sk-two": 2}


async def test_a_refused_key_stays_passed_over() -> None:
    keys = Key(key="sk-one"), Key(key="sk-two")
    async with peers(1) as (a,), pool_of(a, keys=keys) as before:
        a.refuses = {"sk-one"}
        await ask(before)
        async with pool_of(a, keys=(*keys, Key(key="sk-new")), before=before) as pool:
            for _ in range(4):
                await ask(pool)
            (server,) = pool.servers
            assert [each.key for each in server.refused] == [1]
        assert a.keys.count("sk-one") == 1


async def test_no_limit_of_a_key_is_exceeded_under_load_and_a_change() -> None:
    """Requests of before and after the change are at work together."""
    keys = tuple(
        Key(key=f"sk-{name}", rpm=rpm, concurrent=at_once)
        for name, rpm, at_once in (("a", 20, 3), ("b", 30, 2), ("c", 9, 4))
    )
    async with peers(1) as (a,), pool_of(a, keys=keys, slots=64) as before:
        a.delay = 0.05

        async def client(pool: Pool) -> None:
            for _ in range(8):
                try:
                    await ask(pool)
                except UsedUp:
                    await asyncio.sleep(0.02)

        old = [asyncio.create_task(client(before)) for _ in range(12)]
        await asyncio.sleep(0.12)
        async with pool_of(a, keys=keys, slots=32, before=before) as pool:
            await asyncio.gather(*old, *(client(pool) for _ in range(12)))
        sent = Counter(a.keys)
        for key in keys:
            assert 0 < sent[key.key] <= key.rpm
            assert a.most_with[key.key] <= key.concurrent
        assert all(key.used.outstanding == 0 for key in pool.replicas[0].keys.keys)


async def test_tokens_of_what_is_at_work_are_counted_at_the_most_they_may_be() -> None:
    """Ten at once are ten estimates: they never come to more than the minute has."""
    keys = (Key(key="sk-one", tpm=1000),)
    async with peers(1) as (a,), pool_of(a, keys=keys, slots=64) as pool:
        asked = (ask(pool, tokens=300) for _ in range(10))
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, UsedUp) for each in told) == 7
        assert a.asked == 3


async def test_slots_are_those_of_the_servers_not_of_the_version() -> None:
    async with peers(1) as (a,):
        spec = UpstreamDeployment(url=a.url, model="m", slots=2)
        before = UpstreamEngine("up", spec)
        await before.admission.take()
        await before.admission.take()
        after = UpstreamEngine("up", UpstreamDeployment(url=a.url, model="n", slots=2), before)
        assert not after.admission.has_room()
        before.admission.give_back()
        assert after.admission.has_room()
        wider = UpstreamEngine("up", UpstreamDeployment(url=a.url, model="n", slots=4), after)
        await wider.admission.take()
        await wider.admission.take()
        assert wider.admission.has_room()
        for engine in (before, after, wider):
            await engine.aclose()


async def test_a_change_that_is_taken_back_leaves_the_first_version_at_work() -> None:
    sizes = list[int]()
    async with peers(2) as (bad, good), pool_of(bad, good, slots=5) as first:
        first.on_resize(sizes.append)
        async with pool_of(bad, good, before=first, slots=7) as second:
            await ask(second)
            async with pool_of(bad, before=second) as third:
                await ask(third)
            sizes.clear()
            await bad.go()
            async with asyncio.timeout(10):
                while second.servers[0].state != "away":
                    assert await ask(second) == good.origin
            assert not sizes, "the newest has the slots"
        assert sizes == [5]
        await bad.come()
        async with asyncio.timeout(2):
            while await ask(first) != bad.origin:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert sizes[-1] == 10, "it probes and counts as before"
