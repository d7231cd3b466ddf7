"""The one table of operations: the edge, the 404's hint and `/openapi.json` read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from xinghe.api.chat.schema import CHAT
from xinghe.api.chat.wire import ChatCompletion, ChatCompletionChunk
from xinghe.api.dialect import MOUNTS, Dialect
from xinghe.api.embeddings.schema import EMBEDDINGS, EmbeddingList
from xinghe.api.errors import ApiError, Errors
from xinghe.api.images.schema import IMAGES, ImagesAnswer
from xinghe.api.models import Model, ModelList
from xinghe.api.rerank import RERANK, Ranking
from xinghe.api.validation import Form

NOT_SERVED = (
    "/completions", "/audio", "/files", "/images/edits", "/images/variations", "/responses",
    "/moderations", "/batches", "/assistants", "/threads", "/fine_tuning",
)  # fmt: skip


class Operation(msgspec.Struct, frozen=True):
    """What is served at a path of every mount.

    `name` stands in logs and metrics, `scope` is what a token needs for it. `forms` are the
    bodies that it takes, by dialect; a GET has none. `event` is what a stream of it consists of.
    A path may end with `{id}`.
    """

    name: str
    method: str
    path: str
    summary: str
    answer: type
    forms: Mapping[Dialect, Form[Any]] = {}
    event: type | None = None
    scope: str = "model.call"


OPERATIONS = (
    Operation("models", "GET", "/models", "List the models.", ModelList),
    Operation("model", "GET", "/models/{id}", "One model.", Model),
    Operation(
        "chat", "POST", "/chat/completions", "Answer a conversation.",
        ChatCompletion, CHAT, ChatCompletionChunk,
    ),
    Operation(
        "embeddings", "POST", "/embeddings", "Make vectors of texts.",
        EmbeddingList, dict.fromkeys(Dialect, EMBEDDINGS),
    ),
    Operation(
        "rerank", "POST", "/rerank", "Order documents by a query.",
        Ranking, dict.fromkeys(Dialect, RERANK),
    ),
    Operation(
        "images", "POST", "/images/generations", "Make images from a prompt.",
        ImagesAnswer, dict.fromkeys(Dialect, IMAGES),
    ),
)  # fmt: skip

_EXACT = {each.path: each for each in OPERATIONS}
_OPEN = {each.path.removesuffix("{id}"): each for each in OPERATIONS if "{id}" in each.path}


def find_operation(path: str) -> tuple[Operation, str]:
    """The operation at a path under a mount, and what stands there for `{id}`.

    Raises `ApiError` (404).
    """
    operation = _EXACT.get(path.rstrip("/") or "/")
    if operation is not None:
        return operation, ""
    for start, operation in _OPEN.items():
        if path.startswith(start):
            return operation, path.removeprefix(start)
    raise no_such_path(path)


def no_such_path(path: str) -> ApiError:
    """404 that says where the API is."""
    bases = ", ".join(prefix for prefix in MOUNTS if MOUNTS[prefix] is Dialect.DOCUMENTED)
    served = ", ".join(each.path for each in OPERATIONS if "{id}" not in each.path)
    what = "is not served here" if path.startswith(NOT_SERVED) else "is no path of this API"
    if path == "/metrics":
        what = "is served on a port of its own (server.metrics_port)"
    return ApiError(
        Errors.NO_SUCH_PATH,
        f"{path[:120]!r} {what}; base URLs: {bases} (the documented dialect), /v1 (OpenAI's); "
        f"operations: {served}",
    )
