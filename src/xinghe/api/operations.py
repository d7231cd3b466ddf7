"""The one table of operations: the edge, the 404's hint and `/openapi.json` read it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from xinghe.api.chat.response import ChatCompletion, ChatCompletionChunk
from xinghe.api.chat.schema import CHAT
from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.schema import EMBEDDINGS, EmbeddingList
from xinghe.api.images.schema import IMAGES, ImagesAnswer
from xinghe.api.models import Model, ModelList
from xinghe.api.rerank import RERANK, Ranking
from xinghe.api.validation import Form


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
