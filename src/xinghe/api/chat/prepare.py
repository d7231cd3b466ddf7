"""From a request that is permitted to a task for generation, and what the context leaves it."""

from __future__ import annotations

from msgspec.structs import replace

from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.vetted import Vetted
from xinghe.api.errors import ApiError, Errors
from xinghe.catalog import Limits
from xinghe.core import Message
from xinghe.dispatch import ChatDeployment
from xinghe.generation.planning import Counted
from xinghe.generation.request import Task

SHARE = 8
"""One part in so many of what the context leaves is what the results of a search may take."""


def task_of(
    request_id: str,
    request: ChatRequest,
    messages: tuple[Message, ...],
    deployment: ChatDeployment,
    search_budget: int,
    account: int,
    vetted: Vetted,
) -> Task:
    """What is asked of generation, with what was `vetted` of it."""
    thinking = min(request.thinking, deployment.spec.thinking or request.thinking)
    if not deployment.engine.abilities.thinks:
        thinking = round(thinking * request.effort)
    return Task(
        request_id=request_id,
        deployment=deployment,
        messages=messages,
        sampling=request.sampling,
        max_tokens=request.max_tokens,
        thinking=thinking,
        stops=request.stops,
        tools=vetted.tools,
        structure=vetted.form,
        search=request.search,
        search_budget=search_budget if request.search else 0,
        preemptible=request.card.preemptible,
        account=account,
    )


def cut_to_fit(task: Task, counted: Counted, limits: Limits) -> Task:
    """The task with what the context has room for. Raises `ApiError`."""
    tokens = counted.tokens
    if tokens > limits.max_input:
        raise ApiError(
            Errors.TOKENS_TOO_LONG,
            f"Prompt tokens too long: the prompt has {tokens} tokens, "
            f"the {limits.bound_by} takes at most {limits.max_input}",
            param="messages",
        )
    room = limits.context - tokens
    task = replace(task, search_budget=min(task.search_budget, room // SHARE))
    room = max(1, room - task.search_bound)
    thinking = min(task.thinking, max(1, room // 2))
    return replace(
        task,
        thinking=thinking,
        max_tokens=max(1, min(task.max_tokens, limits.max_output, room - thinking)),
    )
