"""What each policy promises whatever happens, in time that the test counts itself."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinghe.catalog.replicas import Key as KeySpec
from xinghe.outbound.replicas.affinity import Head, PrefixAffinity, digest
from xinghe.outbound.replicas.breaker import LONGEST_PAUSE, LONGEST_WORD, CircuitBreaker, Cooldown
from xinghe.outbound.replicas.choice import LeastOutstanding
from xinghe.outbound.replicas.keys import MINUTE, InTurn, Key

quick = settings(max_examples=60, deadline=None)


@dataclass(eq=False)
class Server:
    """A replica as policies see it."""

    name: str
    weight: float = 1.0
    outstanding: int = 0
    credit: float = 0.0

    def take(self) -> None:
        self.outstanding += 1


WEIGHTS = st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=1, max_size=5)


def servers(weights: list[float]) -> list[Server]:
    return [Server(f"http://replica-{at}", weight) for at, weight in enumerate(weights)]


@quick
@given(WEIGHTS, st.integers(1, 300))
def test_requests_that_stay_spread_by_weight(weights: list[float], requests: int) -> None:
    all_of_them = servers(weights)
    for _ in range(requests):
        LeastOutstanding().choose(all_of_them).take()
    for one in all_of_them:
        share = requests * one.weight / sum(weights)
        assert abs(one.outstanding - share) <= max(weights) / min(weights) + 1


@quick
@given(WEIGHTS, st.integers(1, 300))
def test_requests_one_after_the_other_go_round_by_weight(
    weights: list[float], requests: int
) -> None:
    all_of_them = servers(weights)
    # Each has ended before the next comes.
    chosen = Counter(LeastOutstanding().choose(all_of_them).name for _ in range(requests))
    for one in all_of_them:
        assert abs(chosen[one.name] - requests * one.weight / sum(weights)) <= 2


def test_who_was_away_has_nothing_to_catch_up_with() -> None:
    a, b = servers([1.0, 1.0])
    for _ in range(1000):
        LeastOutstanding().choose([a])
    chosen = Counter(LeastOutstanding().choose([a, b]).name for _ in range(100))
    assert chosen == {a.name: 50, b.name: 50}


def goes(affinity: PrefixAffinity, head: Head, among: list[Server]) -> Server | None:
    """Where its next turn goes."""
    return affinity.goes_on(head, among) or affinity.prefer(head, among)


def head(conversation: int, shared: int = 0) -> Head:
    leading = f"instructions {shared}".encode()
    return Head(digest(leading), digest(leading, str(conversation).encode()))


@quick
@given(st.integers(2, 6), st.integers(1, 60))
def test_idle_replicas_get_all_that_begins_alike(replicas: int, conversations: int) -> None:
    affinity, among = PrefixAffinity(), servers([1.0] * replicas)
    for shared in range(5):
        chosen = {affinity.prefer(head(number, shared), among) for number in range(conversations)}
        assert len(chosen) == 1


@quick
@given(st.integers(2, 6), st.lists(st.integers(0, 40), min_size=1, max_size=200))
def test_a_conversation_stays_where_it_went_and_none_has_far_more_than_its_share(
    replicas: int, turns: list[int]
) -> None:
    affinity, among = PrefixAffinity(), servers([1.0] * replicas)
    went = dict[int, Server]()
    for number in turns:
        chosen = goes(affinity, head(number), among)
        if chosen is None:
            chosen = LeastOutstanding().choose(among)
        work = sum(one.outstanding for one in among)
        assert chosen.outstanding < math.ceil(2 * (work + 1) / replicas)
        if number in went and went[number].outstanding < (work + 1) / replicas:
            assert chosen is went[number]
        affinity.went(head(number), chosen)
        went[number] = chosen
        chosen.take()


@quick
@given(st.integers(2, 8), st.integers(0, 7))
def test_of_replicas_that_go_only_their_own_part_moves(replicas: int, gone: int) -> None:
    among = servers([1.0] * replicas)
    leaves = among[gone % replicas]
    left = [one for one in among if one is not leaves]
    for number in range(100):
        before = PrefixAffinity().prefer(head(0, number), among)
        after = PrefixAffinity().prefer(head(0, number), left)
        assert before is leaves or after is before


def test_heads_spread_by_weight() -> None:
    among = servers([1.0, 2.0, 1.0])
    chosen = Counter(PrefixAffinity().prefer(head(0, number), among) for number in range(2000))
    assert [round(chosen[one] / 500) for one in among] == [1, 2, 1]


def test_a_conversation_leaves_who_failed_at_it() -> None:
    affinity, among = PrefixAffinity(), servers([1.0, 1.0])
    for number in range(20):
        first = affinity.prefer(head(number), among)
        assert first is not None
        affinity.went(head(number), first, well=False)
        assert first not in affinity.fit(head(number), among)
        assert affinity.fit(head(number), [first]) == [first], "where there is nobody else"
        (other,) = affinity.fit(head(number), among)
        affinity.went(head(number), other)
        assert affinity.fit(head(number), among) == among
        assert goes(affinity, head(number), among) is other


def test_texts_are_told_apart_where_they_meet() -> None:
    assert digest(b"ab", b"c") != digest(b"a", b"bc")


STEP = st.sampled_from(["ask", "well", "fail", "lost", "drop", "alive", "dead", "wait"])


@quick
@given(st.lists(STEP, max_size=80), st.sampled_from([0.0, 1.0]))
def test_a_breaker_never_stays_open_and_tries_one_at_a_time(steps: list[str], grace: float) -> None:
    breaker, now = CircuitBreaker(grace=grace), 0.0
    at_work = list[int]()
    for step in steps:
        now += 0.3
        match step:
            case "ask":
                if breaker.may_try(now):
                    assert breaker.state == "closed" or breaker.trials == 0
                    at_work.append(breaker.begun(now))
            case "wait":
                now += 2.0
            case "alive" | "dead":
                breaker.probed(step == "alive", now)
            case _ if at_work:
                ticket = at_work.pop(0)
                if step == "well":
                    breaker.succeeded(ticket)
                elif step == "drop":
                    breaker.dropped(ticket)
                else:
                    breaker.failed(ticket, now, lost=step == "lost", certain=step == "lost")
        assert breaker.wait(now) <= 1.0 + 1e-9
    for ticket in at_work:
        breaker.dropped(ticket)
    assert breaker.may_try(now + LONGEST_PAUSE)
    breaker.succeeded(breaker.begun(now + LONGEST_PAUSE))
    assert breaker.state == "closed"


def opened(now: float = 10.0, **how: Any) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for _ in range(breaker.failures):
        breaker.failed(breaker.begun(now), now, **how)
    assert breaker.state == "open"
    return breaker


def test_a_probe_brings_back_what_was_lost_and_a_trial_what_fails() -> None:
    lost, failing = opened(lost=True), opened()
    for breaker in (lost, failing):
        assert not breaker.may_try(10.5)
        breaker.probed(True, 10.5)
    assert lost.may_try(10.5)
    assert not failing.may_try(10.5), "who answers a probe may still fail at its work"
    assert failing.may_try(11.0)
    assert failing.may_try(10.5, last_hope=True)
    lost.answered(lost.begun(10.6))
    assert lost.state == "closed"


def test_each_failed_trial_doubles_the_pause() -> None:
    breaker, now = opened(), 10.0
    for pause in (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        assert not breaker.may_try(now + pause - 0.01)
        now += pause
        assert breaker.may_try(now)
        breaker.failed(breaker.begun(now), now)


def test_a_trial_that_breaks_off_doubles_the_pause_too() -> None:
    breaker, now = opened(), 10.0
    for pause in (1.0, 2.0, 4.0):
        assert not breaker.may_try(now + pause - 0.01)
        now += pause
        trial = breaker.begun(now)
        breaker.answered(trial)
        assert breaker.state == "closed", "others need not wait for the end of a long answer"
        breaker.failed(trial, now)
        assert not breaker.may_try(now)
    now += 8.0
    breaker.succeeded(breaker.begun(now))
    for _ in range(3):
        breaker.failed(breaker.begun(now), now)
    assert breaker.may_try(now + 1.0), "what it has done makes up for it"


def test_what_was_asked_before_it_opened_changes_nothing() -> None:
    breaker = CircuitBreaker()
    early = breaker.begun(0.0)
    for _ in range(3):
        breaker.failed(breaker.begun(1.0), 1.0)
    breaker.succeeded(early)
    assert breaker.state == "open"


def test_a_server_alone_may_fail_for_a_second() -> None:
    breaker = CircuitBreaker(grace=1.0)
    for at in (0.0, 0.0, 0.0, 0.2, 0.9):
        breaker.failed(breaker.begun(at), at, lost=True)
        assert breaker.state == "closed"
    breaker.failed(breaker.begun(1.2), 1.2, lost=True)
    assert breaker.state == "open"


@quick
@given(st.lists(st.tuples(st.floats(0, 20), st.none() | st.floats(0, 4000)), max_size=20))
def test_nobody_is_asked_before_the_time_it_named(said: list[tuple[float, float | None]]) -> None:
    cooldown, now, until = Cooldown(), 0.0, 0.0
    for passed, advice in said:
        now += passed
        cooldown.full(now, advice)
        until = max(until, now + min(advice or 0.0, LONGEST_WORD))
        assert cooldown.left(now) == pytest.approx(until - now)
        assert cooldown.left(now) <= LONGEST_WORD + 1e-9
        assert cooldown.is_second_choice(now)
    assert not cooldown.is_second_choice(now + LONGEST_WORD + 1e-9)


@dataclass
class Sent:
    at: float
    tokens: int


@dataclass
class Account:
    """What a provider has seen of one key."""

    key: Key
    sent: list[Sent] = field(default_factory=list)
    open: int = 0


@quick
@given(
    st.integers(0, 6),
    st.integers(0, 500),
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 200), st.booleans()), max_size=80),
)
def test_no_key_is_used_beyond_its_limits(
    rpm: int, tpm: int, concurrent: int, requests: list[tuple[int, int, bool]]
) -> None:
    specs = [KeySpec(key=name, rpm=rpm, tpm=tpm, concurrent=concurrent) for name in "abc"]
    accounts = {key: Account(key) for key in (Key(spec, 1) for spec in specs)}
    ring, now = InTurn(list(accounts)), 0.0
    for passed, tokens, ends in requests:
        now += passed
        key = ring.choose(now, tokens)
        if key is None:
            assert 0 < ring.wait(now, tokens) <= MINUTE
            for account in accounts.values():
                account.open = 0
                while account.key.used.outstanding:
                    account.key.gave_back()
            now += ring.wait(now, tokens)
            assert ring.choose(now, tokens) is not None, "told when to come again"
            continue
        account = accounts[key]
        key.take(now, tokens)
        account.sent.append(Sent(now, tokens))
        account.open += 1
        minute = [one for one in account.sent if now - one.at < MINUTE]
        assert not rpm or len(minute) <= rpm
        assert not tpm or len(minute) == 1 or sum(one.tokens for one in minute) <= tpm
        assert not concurrent or account.open <= concurrent
        if ends:
            account.open -= 1
            key.gave_back()


def test_keys_are_used_in_turn_and_passed_over() -> None:
    a, b, c = (Key(KeySpec(key=name), at) for at, name in enumerate("abc"))
    ring = InTurn([a, b, c])
    used = []
    for now in range(6):
        key = ring.choose(float(now), 0)
        assert key is not None
        key.take(float(now), 0)
        key.gave_back()
        used.append(key)
    assert used == [a, b, c, a, b, c]
    a.turned_away(6.0)
    b.full(6.0, 7.0)
    assert ring.choose(6.0, 0) is c
    c.full(6.0, 9.0)
    assert ring.choose(6.0, 0) is None
    assert ring.wait(6.0, 0) == pytest.approx(7.0)
    assert ring.choose(6.0, 0, {a, b, c}) is None
    for key in (b, c):
        key.turned_away(6.5)
    assert ring.choose(6.6, 0) in {a, b, c}, "one of them may have been topped up"


def test_what_a_request_came_to_counts() -> None:
    key = Key(KeySpec(key="a", tpm=100), 1)
    charge = key.take(0.0, 10)
    key.correct(charge, 95, 1.0)
    assert key.wait(1.0, 10) == pytest.approx(59.0)
    assert not key.wait(60.0, 10)
    key.correct(charge, 1, 61.0)  # too late to matter
    assert not key.wait(61.0, 100)
