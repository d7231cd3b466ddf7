"""From a request that is permitted to a task for generation: moderated, vetted, cut to fit.

What is unsafe is refused, or answered without an engine (contract, Safety).
"""

from __future__ import annotations

import re
from functools import partial

from msgspec.structs import replace

from xinghe.accounts import Principal
from xinghe.api.chat.request import ChatRequest
from xinghe.api.errors import ApiError, Errors
from xinghe.api.services import Services
from xinghe.catalog import Capability, Limits, LlamaCppDeployment
from xinghe.core import FinishDelta, Message
from xinghe.dispatch import ChatDeployment
from xinghe.generation.moderation import worst_of
from xinghe.generation.planning import Counted, Task
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.vetting import VettedForm, VettedTools
from xinghe.safety import Moderator, Place, Verdict, notice
from xinghe.settings import Search

SHARE = 8
"""One part in so many of what the context leaves is what the results of a search may take."""
FORMS = {
    Capability.JSON_SCHEMA: "response_format.json_schema",
    Capability.JSON_OBJECT: "response_format.schema",
}
"""Where the schema of a format stands."""
FUNCTION = re.compile(r"/(\d+)/function/parameters")
LONGEST = 200
"""Characters of a path that an error repeats."""

REFUSED = {
    "user": Errors.USER_UNSAFE,
    "functions": Errors.FUNCTIONS_UNSAFE,
    "system": Errors.SYSTEM_UNSAFE,
}
"""Where what is unsafe is no matter of the conversation."""


async def moderate(request: ChatRequest, moderator: Moderator) -> FinishDelta | None:
    """How an unsafe conversation is answered; `None` for a safe one.

    Looked at are the user's id, the functions, and each message. An unsafe system message, `user`
    or function raises `ApiError` (403).
    """
    texts: list[tuple[str, Place]] = [(request.user, "user"), (request.functions, "functions")]
    texts += map(_said, request.messages)
    verdicts: list[Verdict | None] = []
    # All at once: it is their sum that takes long.
    for verdict, (text, place) in zip(await moderator.check_all(texts), texts, strict=True):
        if verdict is None and moderator.asks:
            verdict = await moderator.ask(text, place)  # noqa: PLW2901
        if verdict is not None:
            field = place if place in REFUSED else "conversation"
            notice(field, verdict)
            if field in REFUSED:
                raise ApiError(
                    REFUSED[field], f"the content of {field} field is invalid", param=field
                )
        verdicts.append(verdict)
    said = verdicts[2:]
    return worst_of(said, request.messages) if any(said) else None


def _said(message: Message) -> tuple[str, Place]:
    """All that a message says, its name, thought and calls included, and what it is."""
    called = [text for call in message.tool_calls for text in (call.name, call.arguments)]
    text = "\n".join(filter(None, [message.content, message.name, message.thought, *called]))
    if message.role == "system":
        return text, "system"
    # What a model or a function said is no request.
    return text, "answer" if message.role in {"assistant", "tool"} else "conversation"


async def vet(
    services: Services, request: ChatRequest, payer: Principal, deployment: ChatDeployment
) -> tuple[VettedForm | None, VettedTools | None]:
    """What the answer will be held to, of a request with a format or tools.

    Schemas are vetted before anything is counted or reserved, at nobody's cost: no work is done
    for an account that could not pay for the least of answers. Raises `ApiError` for a schema
    that cannot be guaranteed, `Busy` and `InsufficientTokens`.
    """
    form, tools, account = None, None, str(payer.account_id)
    least = request.card.rate.cost(1, 1, searches=int(request.search is not None))
    first = partial(services.ledger.cover, payer, least)
    if request.format is not None:
        try:
            form = await services.vetting.form(
                request.format.schema,
                about=request.format.about,
                max_tokens=request.max_tokens,
                account=account,
                first=first,
            )
        except Unguaranteed as error:
            raise _refused(FORMS[request.format.capability], error, error.path) from error
    if request.tools is not None:
        try:
            tools = await services.vetting.tools(
                request.tools,
                native=deployment.engine.abilities.tools,
                max_tokens=request.max_tokens,
                account=account,
                first=first,
            )
        except Unguaranteed as error:
            function = FUNCTION.match(error.path)
            field = f"tools[{function[1]}].function.parameters" if function else "tools"
            path = "" if function and function.end() == len(error.path) else error.path
            raise _refused(field, error, path) from error
    return form, tools


def task_of(
    request_id: str,
    request: ChatRequest,
    messages: tuple[Message, ...],
    deployment: ChatDeployment,
    settings: Search,
    account: int,
    form: VettedForm | None,
    tools: VettedTools | None,
) -> Task:
    """What is asked of generation, with the `form` and the `tools` that were vetted of it.

    The embedded engine reads slowly: it is given fewer tokens of what a search has found.
    """
    embedded = isinstance(deployment.spec, LlamaCppDeployment)
    budget = settings.embedded_budget if embedded else settings.budget
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
        tools=tools,
        structure=form,
        search=request.search,
        search_budget=budget if request.search else 0,
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


def _refused(field: str, error: Unguaranteed, path: str) -> ApiError:
    """The keyword and its place where they are known, else the field alone."""
    where = f"{field}: {error.keyword!r}" if error.known else field
    if path:
        shown = path if len(path) <= LONGEST else f"{path[:LONGEST]}…"
        where += f" at {shown!r}"
    return ApiError(
        Errors.MALFORMED_JSON,
        f"{where} {error.reason}; an answer that keeps to it cannot be guaranteed",
        param=field.partition(".")[0].partition("[")[0],
    )
