"""What this gateway does now, and did in the last minutes: requests, speeds, queues, faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.admin.operation import Call
from xinghe.admin.shapes import Told, told
from xinghe.catalog import ImageDeployment
from xinghe.core import MICRO
from xinghe.dispatch import AnyLeased
from xinghe.dispatch.chat import ChatDeployment
from xinghe.observe import live, metrics
from xinghe.observe.live import STEP, STEPS, OfModel, Step, percentile
from xinghe.outbound.replicas import ServerState
from xinghe.storage import now

LATELY = 60
"""Seconds of which speeds are told."""

Rate = Annotated[float, Meta(description=f"A second, over the last {LATELY} seconds.")]
Milliseconds = Annotated[float | None, Meta(description="Milliseconds; null: none was measured.")]

State = Literal["ready", "not ready", "draining"]
Kind = Literal["chat", "embeddings", "images"]


class LiveStep(msgspec.Struct):
    """Sums of the time from `at` on; the last step is still running."""

    at: Told
    requests: int
    errors: int
    prompt_tokens: int
    completion_tokens: int


class LiveSums(msgspec.Struct, kw_only=True):
    """Of the window; of the time to the first token, the median and what 95 of 100 do not
    exceed.
    """

    requests: int
    errors: int
    requests_per_second: Rate
    tokens_per_second: Rate
    first_token_p50: Milliseconds
    first_token_p95: Milliseconds


class LiveModel(LiveSums, kw_only=True):
    """A model that was asked for. An empty `id`: the requests named none that is served."""

    id: str


class LiveFault(msgspec.Struct):
    """How often something went wrong at a server within the window."""

    server: str
    kind: str
    count: int


class LiveDeployment(msgspec.Struct):
    """Who is at work there now. `places` and `waiting` are null where nothing waits in a queue;
    `servers` is empty where it is no upstream.
    """

    name: str
    kind: Kind
    state: State
    at_work: int
    places: int | None
    waiting: int | None
    servers: list[ServerState]
    faults: list[LiveFault]


class LiveError(msgspec.Struct):
    """How often an error was answered within the window."""

    status: int
    code: str
    count: int


class LiveRequest(msgspec.Struct):
    """A request that was answered; `member` is an id, empty where nobody was known."""

    at: Told
    id: str
    member: str
    member_name: str
    operation: str
    model: str
    status: int
    code: str
    ms: float


class LiveView(msgspec.Struct, kw_only=True):
    """Of this process alone, since it was started at most: `window` and `step` are in seconds.

    What costs nothing is not counted among the requests; `in_flight` are all by operation, but
    those that look here.
    """

    object: Literal["live"] = "live"
    at: Told
    window: int = STEP * STEPS
    step: int = STEP
    in_flight: dict[str, int]
    steps: list[LiveStep]
    total: LiveSums
    models: list[LiveModel]
    deployments: list[LiveDeployment]
    errors: list[LiveError]
    recent: Annotated[list[LiveRequest], Meta(description="The newest first.")]


async def get(call: Call[None]) -> LiveView:
    serving = call.services.live.now
    by_name = serving.deployments.by_name
    ready = await call.services.live.states(by_name)
    moment, steps = now(), live.WINDOW.steps()
    faults = Counter[live.Fault]()
    for each in steps:
        faults.update(each.faults)
    servers = serving.deployments.servers
    deployments = [
        _deployment(
            leased, "ready" if ready.get(name) else "not ready", servers.get(name, []), faults
        )
        for name, leased in by_name.items()
    ]
    deployments += [
        _deployment(each, "draining", [], Counter()) for each in call.services.live.draining
    ]
    return LiveView(
        at=told(moment),
        in_flight=_in_flight(),
        steps=[
            _step(each, moment - (len(steps) - 1 - number) * STEP * MICRO)
            for number, each in enumerate(steps)
        ],
        total=LiveSums(**_sums([[*each.models.values()] for each in steps])),
        models=_models(steps),
        deployments=deployments,
        errors=_errors(steps),
        recent=[_request(each) for each in reversed(live.WINDOW.recent)],
    )


def _in_flight() -> dict[str, int]:
    found = dict[str, int]()
    for metric in metrics.IN_FLIGHT.collect():
        found |= {each.labels["operation"]: int(each.value) for each in metric.samples}
    found.pop("admin.live.get", None)  # who looks is no traffic
    return {name: count for name, count in sorted(found.items()) if count}


def _step(step: Step, at: int) -> LiveStep:
    return LiveStep(
        told(at),
        step.requests,
        step.errors,
        sum(each.prompt_tokens for each in step.models.values()),
        round(sum(each.completion_tokens for each in step.models.values())),
    )


def _models(steps: Sequence[Step]) -> list[LiveModel]:
    """Those with the most requests first."""
    found = [
        LiveModel(id=name, **_sums([[each.of(name)] for each in steps]))
        for name in {name for each in steps for name in each.models}
    ]
    return sorted(found, key=lambda each: (-each.requests, each.id))


def _sums(steps: Sequence[Sequence[OfModel]]) -> dict[str, Any]:
    """The fields of `LiveSums` of what each step holds."""
    parts = list(chain.from_iterable(steps))
    first = [seconds for each in parts for seconds in each.first]
    # The running step is not over yet: a rate is of those before it.
    late = list(chain.from_iterable(steps[-1 - LATELY // STEP : -1]))
    return {
        "requests": sum(each.requests for each in parts),
        "errors": sum(each.errors for each in parts),
        "requests_per_second": round(sum(each.requests for each in late) / LATELY, 2),
        "tokens_per_second": round(sum(each.completion_tokens for each in late) / LATELY, 2),
        "first_token_p50": _ms(percentile(first, 0.5)),
        "first_token_p95": _ms(percentile(first, 0.95)),
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _deployment(
    leased: AnyLeased, state: State, servers: list[ServerState], faults: Counter[live.Fault]
) -> LiveDeployment:
    at_work = leased.at_work
    queue = at_work.engine.admission if isinstance(at_work, ChatDeployment) else None
    return LiveDeployment(
        leased.name,
        _kind(leased),
        state,
        leased.held if queue is None else queue.at_work,
        None if queue is None else queue.places,
        None if queue is None else queue.waiting,
        servers,
        [
            LiveFault(each.server, each.kind, count)
            for each, count in sorted(faults.items())
            if each.deployment == leased.name
        ],
    )


def _kind(leased: AnyLeased) -> Kind:
    if isinstance(leased.at_work, ChatDeployment):
        return "chat"
    return "images" if isinstance(leased.spec, ImageDeployment) else "embeddings"


def _errors(steps: Iterable[Step]) -> list[LiveError]:
    """The most frequent first."""
    sums = Counter[tuple[int, str]]()
    for each in steps:
        sums.update(each.codes)
    return [LiveError(status, code, count) for (status, code), count in sums.most_common()]


def _request(request: live.Ended) -> LiveRequest:
    return LiveRequest(
        told(request.at),
        request.request_id,
        request.appid,
        request.member,
        request.operation,
        request.model,
        request.status,
        request.code,
        request.ms,
    )
