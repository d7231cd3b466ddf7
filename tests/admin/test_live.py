"""`/admin/v1/live`: what the gateway does now, for operators alone; it does not grow."""

from __future__ import annotations

import sys

from tests.admin.desk import Desk, Person
from xinghe.observe.live import RECENT, SAMPLES, STEP, STEPS, Ended, Fault, Window


def ended(number: int = 0, *, model: str = "m", code: str = "") -> Ended:
    status = 400 if code else 200
    return Ended(number, f"as-{number}", "app-1", "li-si", "chat", model, status, code, 12.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_operators_alone(desk: Desk, operator: Person) -> None:
    reply = desk.send("GET", "/live", operator.token)
    assert reply.status == 200, reply
    assert reply.json["window"] == STEP * STEPS
    assert len(reply.json["steps"]) == STEPS + 1
    assert {"ready", "not ready"} >= {each["state"] for each in reply.json["deployments"]}
    other = desk.person("nobody-special")
    assert desk.send("GET", "/live", other.token).status == 403


def test_what_is_old_is_forgotten() -> None:
    clock = Clock()
    window = Window(clock)
    window.ended(ended(1, code="timeout"))
    window.first_token("m", 0.2)
    window.fault(Fault("up", "http://a", "unreachable"))
    assert [each.requests for each in window.steps()][-1] == 1
    clock.now += STEP * STEPS
    kept = window.steps()
    assert (kept[0].requests, kept[0].errors, kept[0].faults.total()) == (1, 1, 1)
    clock.now += STEP
    assert not any(each.requests or each.faults for each in window.steps())
    assert len(window.recent) == 1, "the last requests stay"


def test_what_took_long_is_written_over_that_time() -> None:
    clock = Clock()
    window = Window(clock)
    window.tokens("m", 10, 100, seconds=4 * STEP - 1)
    written = [each.models["m"].completion_tokens for each in window.steps() if each.models]
    assert written == [25.0] * 4
    window.tokens("m", 10, 100, seconds=1e9)
    assert sum(each.of("m").completion_tokens for each in window.steps()) >= 199


def test_it_does_not_grow_with_the_requests() -> None:
    clock = Clock()
    window = Window(clock)
    for number in range(20_000):
        clock.now += 0.01
        window.ended(ended(number))
        window.first_token("m", 0.1)
        window.fault(Fault("up", f"http://{number}", "status"))
    assert len(window.recent) == RECENT
    steps = window.steps()
    assert sum(each.requests for each in steps) == 20_000
    assert max(len(each.of("m").first) for each in steps) == SAMPLES
    assert max(len(each.faults) for each in steps) <= 256
    assert sys.getsizeof(window._steps) < 10_000
