"""An Idempotency-Key counts on all gateways of one database, also while its request runs."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.api.test_idempotency import (
    REPLAYED,
    REUSED,
    ask,
    new_key,
    quietly,
    same,
    upstream_saw,
)
from tests.gateways.conftest import Pair, pair_of
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import refused
from tests.kit.postgres import Cluster
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from tests.supervisor.kit import GATEWAY, child, until


def test_a_stored_answer_is_given_by_the_other(pair: Pair, upstream: Upstream) -> None:
    script, key = Script(), new_key()
    same(ask(pair.one, key, script), ask(pair.other, key, script))
    refused(ask(pair.other, key, Script()), *REUSED)
    assert len(upstream.attempts(script)) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_in_flight_on_one_is_waited_for_on_the_other(
    pair: Pair, upstream: Upstream, stream: bool
) -> None:
    script, key = Script(pieces=["字"] * 10, rate=10), new_key()
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(ask, pair.one, key, script, stream=stream)
        upstream_saw(upstream, script)
        later = [pool.submit(ask, pair.other, key, script, stream=stream) for _ in range(3)]
        refused(ask(pair.other, key, Script()), *REUSED)
        assert not first.done()
        for each in later:
            same(first.result(), each.result())
    assert len(upstream.attempts(script)) == 1


def test_of_many_at_once_one_works(pair: Pair, upstream: Upstream) -> None:
    asked = [(Script(), new_key()) for _ in range(8)]
    with ThreadPoolExecutor(16) as pool:
        replies = [
            [pool.submit(ask, api, key, script) for api in (pair.one, pair.other)]
            for script, key in asked
        ]
        for each in replies:
            told = {reply.result().headers.get(REPLAYED, "") for reply in each}
            assert told == {"", "true"}
    assert [len(upstream.attempts(script)) for script, _ in asked] == [1] * len(asked)
    Books(pair.servers[0]).settled()


def test_what_fails_on_one_is_done_by_the_other(pair: Pair, upstream: Upstream) -> None:
    broken = Script(fault="truncate", after=8, pieces=["字"] * 10, rate=10, again=[Script()])
    key = new_key()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, pair.one, key, broken, stream=True)
        upstream_saw(upstream, broken)
        second = ask(pair.other, key, broken, stream=True)
    assert b'"error"' in first.result().body
    assert REPLAYED not in second.headers
    assert second.body.endswith(b"data: [DONE]\n\n")


def test_no_claim_outlives_its_request(pair: Pair, postgres: Cluster) -> None:
    def claimed() -> list[tuple[int]]:
        return postgres.do("SELECT count(*) FROM keys_at_work", url=pair.database)

    ask(pair.one, new_key(), Script())
    until("no key is at work", lambda: claimed() == [(0,)], 10)


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_keys_of_one_that_died_lapse(
    postgres: Cluster, upstream: Upstream, tmp_path: Path, how: signal.Signals
) -> None:
    """Killed with its machine, or stopped for longer than it takes to be taken for dead."""
    first, second = pair_of(tmp_path, postgres.database(), upstream)
    with first, second:
        token = first.token()
        script, key = Script(pieces=["字"] * 1000, rate=10, again=[Script()]), new_key()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(quietly, Api(first.url, token), key, script)
            upstream_saw(upstream, script)
            gateway = child(first, GATEWAY)
            supervisor = psutil.Process(first.pid)
            supervisor.suspend()  # it starts no other
            os.kill(gateway.pid, how)
            reply = ask(Api(second.url, token), key, script)
            assert reply.status == 200
            assert REPLAYED not in reply.headers
            assert len(upstream.attempts(script)) == 2
            same(reply, ask(Api(second.url, token), key, script))
            if how == signal.SIGSTOP:
                os.kill(gateway.pid, signal.SIGCONT)
            supervisor.resume()
        Books(second).settled()
        same(reply, ask(Api(second.url, token), key, script))
