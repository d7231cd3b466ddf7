"""Failed sign-ins are slowed, whoever fails together, and nobody is locked out by others."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from xinghe.signin import Slowed, Throttle
from xinghe.signin.throttle import ADDRESS, LONGEST, NAME, PAIR, SUCCESS, Attempt, network

HERE, THERE = "192.0.2.1", "198.51.100.7"


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock)


def guess(throttle: Throttle, clock: Clock, name: str, address: str, times: int) -> float:
    """Fail so often as soon as it may be; the seconds that this took."""
    began = clock.now
    for _ in range(times):
        try:
            throttle.attempt(name, address)
        except Slowed as slowed:
            clock.now += slowed.retry_after
            throttle.attempt(name, address)
    return clock.now - began


def test_each_further_failure_waits_longer(throttle: Throttle, clock: Clock) -> None:
    assert guess(throttle, clock, "alice", HERE, PAIR.free) == 0
    waits = [guess(throttle, clock, "alice", HERE, 1) for _ in range(12)]
    assert waits[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert waits[10:] == [LONGEST, LONGEST]


def test_a_guesser_has_a_hundred_tries_a_day(throttle: Throttle, clock: Clock) -> None:
    day = clock.now + 86_400
    tries = 0
    while clock.now < day:
        guess(throttle, clock, "alice", HERE, 1)
        tries += 1
    assert tries <= 120


def test_guesses_under_way_together_count_before_they_fail(throttle: Throttle) -> None:
    allowed = 0
    for _ in range(50):
        try:
            throttle.attempt("alice", HERE)
            allowed += 1
        except Slowed:
            pass
    assert allowed == PAIR.free


def test_one_that_was_right_forgives_the_pair(throttle: Throttle, clock: Clock) -> None:
    guess(throttle, clock, "alice", HERE, PAIR.free)
    clock.now += 1
    throttle.attempt("alice", HERE).succeeded()
    assert guess(throttle, clock, "alice", HERE, PAIR.free) == 0


def test_what_was_not_looked_at_is_no_failure(throttle: Throttle, clock: Clock) -> None:
    for _ in range(100):
        throttle.attempt("alice", HERE).undo()
    assert guess(throttle, clock, "alice", HERE, PAIR.free) == 0


def test_an_attacker_locks_nobody_out_elsewhere(throttle: Throttle, clock: Clock) -> None:
    for number in range(2000):
        guess(throttle, clock, "alice", f"10.1.{number // 250}.{number % 250}", 1)
    guess(throttle, clock, "alice", HERE, 50)
    throttle.attempt("alice", THERE).succeeded()


def test_under_attack_a_new_address_has_one_free_try(throttle: Throttle, clock: Clock) -> None:
    for number in range(NAME.free):
        throttle.attempt("alice", f"10.1.0.{number}")
    throttle.attempt("alice", THERE)
    with pytest.raises(Slowed):
        throttle.attempt("alice", THERE)
    assert guess(throttle, clock, "bob", THERE, PAIR.free) == 0, "another name"


def test_an_address_that_tries_many_names_is_slowed(throttle: Throttle, clock: Clock) -> None:
    names = [f"pupil{number}" for number in range(ADDRESS.free)]
    assert sum(guess(throttle, clock, name, HERE, 1) for name in names) == 0
    with pytest.raises(Slowed):
        throttle.attempt("another", HERE)
    with pytest.raises(Slowed):
        throttle.attempt("", HERE)
    throttle.attempt("another", THERE)


def test_others_of_a_school_do_not_hold_up_who_came_in_there_before(
    throttle: Throttle, clock: Clock
) -> None:
    throttle.attempt("teacher", HERE).succeeded()
    for number in range(ADDRESS.free):
        throttle.attempt(f"pupil{number}", HERE)
    throttle.attempt("teacher", HERE).succeeded()
    assert guess(throttle, clock, "teacher", HERE, PAIR.free) == 0
    with pytest.raises(Slowed):
        throttle.attempt("teacher", HERE)


def test_an_own_account_does_not_wash_an_address_clean(throttle: Throttle) -> None:
    for number in range(ADDRESS.free):
        throttle.attempt(f"pupil{number}", HERE)
        if number % 10 == 0:
            throttle.attempt("mallory", HERE).succeeded()
    with pytest.raises(Slowed):
        throttle.attempt("another", HERE)


@pytest.mark.parametrize("name", ["alice", ""])
def test_who_signs_in_again_and_again_is_slowed_as_well(
    throttle: Throttle, clock: Clock, name: str
) -> None:
    for _ in range(SUCCESS.free):
        throttle.attempt(name, HERE).succeeded()
    with pytest.raises(Slowed):
        throttle.attempt(name, HERE)
    throttle.attempt("bob", HERE).succeeded()
    throttle.attempt(name, THERE).succeeded()
    clock.now += 60
    throttle.attempt(name, HERE).succeeded()


def test_quiet_is_forgiven(throttle: Throttle, clock: Clock) -> None:
    guess(throttle, clock, "alice", HERE, 30)
    clock.now += 86_400
    assert guess(throttle, clock, "alice", HERE, PAIR.free) == 0


def test_a_million_names_and_addresses_take_bounded_memory(clock: Clock) -> None:
    throttle = Throttle(clock, most=1000)
    for number in range(6_000):
        throttle.attempt(f"name{number}", f"2001:db8:{number:x}::1")
        assert len(throttle) <= 5000
    clock.now += 86_400
    for number in range(1000):
        throttle.attempt("alice", f"10.2.{number // 250}.{number % 250}").undo()
    assert len(throttle) < 1500, "what is forgiven is dropped"


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("unix:socket", "unix:socket"),
    ],
)
def test_whose_an_address_is(address: str, whose: str) -> None:
    assert network(address) == whose


class Guessing(RuleBasedStateMachine):
    """Whatever happens: a pair has few tries, a quiet address comes in, little is kept."""

    NAMES = ("alice", "bob", "")
    PLACES = ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:0:ffff::1")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.throttle = Throttle(self.clock, most=50)
        self.open = list[Attempt]()
        self.failed = dict[tuple[str, str], list[float]]()
        self.waits = list[float]()
        self.fresh = 0

    @rule(name=st.sampled_from(NAMES), place=st.sampled_from(PLACES))
    def try_one(self, name: str, place: str) -> None:
        try:
            self.open.append(self.throttle.attempt(name, place))
        except Slowed as slowed:
            self.waits.append(slowed.retry_after)
            return
        if name:
            self.failed.setdefault((name, network(place)), []).append(self.clock.now)

    @rule(right=st.booleans(), which=st.integers(0, 100))
    def end_one(self, right: bool, which: int) -> None:
        if self.open:
            attempt = self.open.pop(which % len(self.open))
            (attempt.succeeded if right else attempt.undo)()
            for (name, place), times in self.failed.items():
                if hash((name, place)) == attempt.pair:
                    times.clear() if right else times and times.pop()

    @rule(seconds=st.sampled_from([0.001, 0.5, 1.0, 30.0, 900.0, 7200.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def a_quiet_address_comes_in(self) -> None:
        self.fresh += 1
        self.throttle.attempt("alice", f"203.0.{self.fresh // 250}.{self.fresh % 250}").succeeded()

    @invariant()
    def few_tries(self) -> None:
        for times in self.failed.values():
            lately = [at for at in times if at > self.clock.now - 60]
            # The free ones, then after 1, 2, 4, 8, 16 and 32 seconds.
            assert len(lately) <= PAIR.free + 6 + 1, "too many within a minute"

    @invariant()
    def waits_are_bounded(self) -> None:
        assert all(0 < seconds <= LONGEST for seconds in self.waits)

    @invariant()
    def little_is_kept(self) -> None:
        assert len(self.throttle) <= 250


TestGuessing = Guessing.TestCase
TestGuessing.settings = settings(max_examples=30)
