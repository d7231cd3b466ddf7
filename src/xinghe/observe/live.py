"""What has happened in the last minutes, for whoever watches the service at work.

It is of this process, and gone with it; what it takes does not grow with the requests.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial

import msgspec

STEP = 5
"""Seconds of a step, for which sums are kept."""
STEPS = 60
"""Steps that are remembered, beside the running one."""
RECENT = 100
"""Requests that are remembered one by one, the last ones."""
SAMPLES = 64
"""Times to first tokens that are kept of a model and a step, the last ones."""
MOST_FAULTS = 256
"""Different faults of a step that are told apart."""


class Ended(msgspec.Struct, frozen=True):
    """A request that was answered; `at` in microseconds since 1970."""

    at: int
    request_id: str
    appid: str
    member: str
    operation: str
    model: str
    status: int
    code: str
    ms: float


class Fault(msgspec.Struct, frozen=True, order=True):
    """What went wrong at a server of a deployment."""

    deployment: str
    server: str
    kind: str


class OfModel(msgspec.Struct):
    """Sums of a model in a step; `first` the seconds to its last first tokens."""

    requests: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    completion_tokens: float = 0.0
    first: deque[float] = msgspec.field(default_factory=partial(deque, maxlen=SAMPLES))


class Step(msgspec.Struct):
    """Sums of `STEP` seconds."""

    models: dict[str, OfModel] = {}
    codes: Counter[tuple[int, str]] = msgspec.field(default_factory=Counter)
    faults: Counter[Fault] = msgspec.field(default_factory=Counter)

    def of(self, model: str) -> OfModel:
        found = self.models.get(model)
        if found is None:
            found = self.models[model] = OfModel()
        return found

    @property
    def requests(self) -> int:
        return sum(each.requests for each in self.models.values())

    @property
    def errors(self) -> int:
        return sum(each.errors for each in self.models.values())


class Window:
    """The last `STEPS` steps, and the last `RECENT` requests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps = dict[int, Step]()
        self.recent: deque[Ended] = deque(maxlen=RECENT)
        """The newest last."""

    def ended(self, request: Ended) -> None:
        """A request was answered; what has an error's code has failed."""
        self.recent.append(request)
        step = self._step()
        model = step.of(request.model)
        model.requests += 1
        if request.code:
            model.errors += 1
            step.codes[request.status, request.code] += 1

    def first_token(self, model: str, seconds: float) -> None:
        """An answer has begun, so long after its request was there."""
        sums = self._step().of(model)
        sums.first.append(seconds)

    def tokens(self, model: str, prompt: int, completion: int, seconds: float) -> None:
        """What was read, and what was written in the `seconds` until now."""
        now = self._number()
        self._step().of(model).prompt_tokens += prompt
        steps = min(STEPS, 1 + int(seconds // STEP))
        for back in range(steps):
            self._step(now - back).of(model).completion_tokens += completion / steps

    def fault(self, fault: Fault) -> None:
        """A server of the operator's has not done what was asked of it."""
        faults = self._step().faults
        if fault in faults or len(faults) < MOST_FAULTS:
            faults[fault] += 1

    def steps(self) -> list[Step]:
        """Those that are remembered, the oldest first, the running one last; empty ones too."""
        now = self._number()
        return [self._steps.get(each, Step()) for each in range(now - STEPS, now + 1)]

    def _number(self) -> int:
        return int(self._clock() // STEP)

    def _step(self, number: int | None = None) -> Step:
        now = self._number()
        number = now if number is None else number
        if number not in self._steps:
            self._steps[number] = Step()
            for old in [each for each in self._steps if each < now - STEPS]:
                del self._steps[old]
        return self._steps[number]


WINDOW = Window()
"""Of this process, as its metrics are."""


def percentile(values: Iterable[float], part: float) -> float | None:
    """The value that `part` of all do not exceed; `None` of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else None
