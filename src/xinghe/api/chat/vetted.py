"""The schemas of a request: vetted before anything is counted or reserved, at nobody's cost."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec

from xinghe.api.chat.request import ChatRequest
from xinghe.api.errors import ApiError, Errors
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.vetting import VettedForm, VettedTools, Vetting

FORM = "response_format.json_schema"
FUNCTION = re.compile(r"/(\d+)/function/parameters")
LONGEST = 200
"""Characters of a path that an error repeats."""


class Vetted(msgspec.Struct, frozen=True):
    """What of a request has to be held to a schema."""

    form: VettedForm | None = None
    tools: VettedTools | None = None


async def vet(
    vetting: Vetting,
    request: ChatRequest,
    account: str,
    *,
    native: bool,
    first: Callable[[], Awaitable[None]],
) -> Vetted:
    """Vet what an engine that calls by itself where `native` will be held to.

    `first` is awaited before any work is done for it. Raises `ApiError` for a schema that cannot
    be guaranteed, `VettingBusy`, and what `first` raises.
    """
    form, tools, max_tokens = None, None, request.max_tokens
    if request.format is not None:
        try:
            form = await vetting.form(
                request.format.schema, max_tokens=max_tokens, account=account, first=first
            )
        except Unguaranteed as error:
            raise _refused(FORM, error, error.path) from error
    if request.tools is not None:
        try:
            tools = await vetting.tools(
                request.tools, native=native, max_tokens=max_tokens, account=account, first=first
            )
        except Unguaranteed as error:
            function = FUNCTION.match(error.path)
            field = f"tools[{function[1]}].function.parameters" if function else "tools"
            path = "" if function and function.end() == len(error.path) else error.path
            raise _refused(field, error, path) from error
    return Vetted(form, tools)


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
