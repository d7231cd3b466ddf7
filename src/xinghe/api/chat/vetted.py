"""Before anything is made: what a request asks of its model, and whether its schemas hold."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from xinghe.api.chat.capabilities import forbid
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.served import Served
from xinghe.api.dialect import Dialect
from xinghe.api.errors import CLUSTER_FULL, ApiError, Errors, refuse, too_many, unsupported
from xinghe.catalog import Capability
from xinghe.core import Busy
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.vetting import VettedForm, VettedTools, Vetting

TOOL = re.compile(r"/(\d+)/function/parameters")
"""The place of a schema among the tools."""
LONGEST = 200
"""Characters of a path that an error repeats."""


def check_wanted(request: ChatRequest, served: Served, dialect: Dialect) -> None:
    """Raises `ApiError` for what the model cannot do there."""
    if request.logprobs is not None and not served.engine.abilities.logprobs:
        text = f"logprobs is not supported: what serves {request.model} does not tell them"
        raise unsupported("logprobs", text)
    for param, capability in request.wants:
        if capability not in served.able:
            raise forbid(dialect, request.model, param, capability)
        if param == "functions":
            raise refuse(param, [], "tools, which took its place")


async def vetted(
    vetting: Vetting,
    request: ChatRequest,
    served: Served,
    account: str,
    first: Callable[[], Awaitable[None]],
) -> tuple[VettedForm | None, VettedTools | None]:
    """What the answer will be held to, of a request with a format or tools.

    `first` is awaited before a worker is troubled. Raises `ApiError` for a schema that cannot be
    guaranteed, or where too many wait, and what `first` raises.
    """
    form, tools = None, None
    try:
        if request.format is not None:
            loose = request.format.capability is Capability.JSON_OBJECT
            field = request.fields.object_schema if loose else request.fields.schema
            form = await vetting.form(
                request.format.schema,
                about=request.format.about,
                max_tokens=request.max_tokens,
                account=account,
                first=first,
            )
        if request.tools is not None:
            field = "tools"
            tools = await vetting.tools(
                request.tools,
                native=served.engine.abilities.tools,
                max_tokens=request.max_tokens,
                account=account,
                first=first,
            )
    except Unguaranteed as error:
        path, tool = error.path, TOOL.match(error.path)
        if field == "tools" and tool is not None:
            field = request.fields.parameters_of(int(tool[1]))
            path = "" if tool.end() == len(path) else path
        raise _refused(field, error, path) from error
    except Busy as busy:
        raise too_many(Errors.CLUSTER_RATE_LIMIT, CLUSTER_FULL, busy.retry_after) from busy
    return form, tools


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
