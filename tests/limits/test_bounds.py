"""Any sequence of requests, against what the limits promise of every window of time."""

from __future__ import annotations

from fractions import Fraction
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.limits.clock import Clock
from xinghe.limits import Admission, Limiter, RateLimited

RPM, TPM, QPS = 5, 100, 2
MINUTE = 60 * 10**9


class Let:
    """An admitted request and what it is counted as."""

    def __init__(self, number: int, at: int, charge: int, admission: Admission) -> None:
        self.number = number
        self.at = at
        self.charge = charge
        self.admission = admission


class Traffic(RuleBasedStateMachine):
    """One account and model. A request counts as its estimate until it is settled."""

    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.limiter = Limiter(self.clock)
        self.numbers = count()
        self.admitted: list[Let] = []

    def ask(self, tokens: int) -> Admission:
        return self.limiter.admit(1, "m", rpm=RPM, tpm=TPM, qps=QPS, tokens=tokens)

    def let(self, tokens: int) -> Let:
        admission = self.ask(tokens)
        let = Let(next(self.numbers), self.clock.now, min(tokens, TPM), admission)
        self.admitted.append(let)
        return let

    @rule(nanoseconds=st.integers(0, 90 * 10**9) | st.integers(0, 10**9))
    def time_passes(self, nanoseconds: int) -> None:
        self.clock.now += nanoseconds

    @rule(target=running, tokens=st.integers(0, 150))
    def request(self, tokens: int) -> Let:
        before = self.tokens_left()
        try:
            return self.let(tokens)
        except RateLimited as caught:
            refusal = caught
        with pytest.raises(RateLimited) as again:
            self.ask(tokens)
        assert again.value.headers == refusal.headers
        assert again.value.retry_after == refusal.retry_after > 0
        assert self.tokens_left() == before, "a refusal took something"
        self.clock.pass_seconds(refusal.retry_after)
        return self.let(tokens)  # raises if the wait was not true

    @rule(let=consumes(running), share=st.floats(0, 1))
    def settle(self, let: Let, share: float) -> None:
        used = int(let.charge * share)
        before = self.tokens_left()
        let.admission.settle(used)
        let.admission.settle(0)
        assert before <= self.tokens_left() <= min(TPM, before + let.charge - used)
        let.charge = used

    @rule(let=consumes(running), more=st.integers(1, 200))
    def settle_with_a_debt(self, let: Let, more: int) -> None:
        before = self.tokens_left()
        let.admission.settle(let.charge + more)
        assert self.tokens_left() == max(0, before - more)

    def tokens_left(self) -> int:
        """Asked by a request for none; also what a debt refuses says it."""
        try:
            headers = self.limiter.admit(1, "m", rpm=0, tpm=TPM, qps=0, tokens=0).headers
        except RateLimited as refusal:
            headers = refusal.headers
        return int(dict(headers)["X-Ratelimit-Remaining-Tokens"])

    @invariant()
    def every_window_keeps_the_limits(self) -> None:
        for first in range(len(self.admitted)):
            charge = 0
            for number, let in enumerate(self.admitted[first:], 1):
                charge += let.charge
                window = let.at - self.admitted[first].at
                assert number <= RPM + Fraction(RPM * window, MINUTE)
                assert number <= QPS + Fraction(QPS * window, 10**9)
                assert charge <= TPM + Fraction(TPM * window, MINUTE)


def test_traffic() -> None:
    run_state_machine_as_test(
        Traffic,
        settings=settings(max_examples=100, stateful_step_count=50, deadline=None),
    )
