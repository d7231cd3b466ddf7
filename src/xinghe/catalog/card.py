"""What a model is (its card) and who serves it (its deployment)."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.core import MICRO, Rate

Count = Annotated[int, Meta(ge=0)]
Ratio = Annotated[float, Meta(ge=0, le=1e6)]

MIN_OUTPUT_TOKENS = 2
"""The smallest `max_completion_tokens` of every model (sections 2.1–2.3)."""


class Kind(enum.StrEnum):
    """The operation that a model serves."""

    CHAT = "chat"
    EMBEDDING = "embedding"
    IMAGE = "image"


class Capability(enum.StrEnum):
    """What a model may do beyond plain text (section 2.6)."""

    REASONING = "reasoning"
    WEB_SEARCH = "web_search"
    TOOLS = "tools"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    IMAGES = "images"


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of the catalog; lengths are in tokens, ratios in Tokens a token."""

    kind: Kind
    title: str = ""
    context: Count = 0
    max_input: Count = 0
    output_max: Count = 0
    output_default: Count = 0
    reasoning_max: Count = 0
    max_characters: Count = 0
    max_texts: Count = 0
    image_tokens: Count = 0
    capabilities: frozenset[Capability] = frozenset()
    ignores: frozenset[str] = frozenset()
    last_role: frozenset[str] = frozenset({"user", "tool"})
    input_ratio: Ratio = 1.0
    output_ratio: Ratio = 1.0
    search_price: Ratio = 4000.0
    """Tokens a web search."""
    rpm: Count = 0
    tpm: Count = 0
    preemptible: bool = False
    deployment: str = ""

    def __post_init__(self) -> None:
        if self.kind is not Kind.CHAT:
            return
        if not self.context:
            raise ValueError("a chat model needs its `context`")
        if not 0 < self.max_input <= self.context:
            raise ValueError(
                f"`max_input` is {self.max_input}, allowed: 1 to context {self.context}"
            )
        if not MIN_OUTPUT_TOKENS <= self.output_default <= self.output_max:
            raise ValueError(
                f"`output_default` is {self.output_default}, allowed: "
                f"{MIN_OUTPUT_TOKENS} to output_max {self.output_max}"
            )

    @property
    def rate(self) -> Rate:
        """The price in micro-Tokens; a cached input token costs a quarter."""
        whole = round(self.input_ratio * MICRO)
        return Rate(
            input=whole,
            output=round(self.output_ratio * MICRO),
            cached_input=whole // 4,
            search=round(self.search_price * MICRO),
        )


class AccountLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one account: a second over all models, a minute over what names no model; 0 is none."""

    qps: Annotated[float, Meta(ge=0, le=1e6)] = 0
    rpm: Count = 0
    tpm: Count = 0


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="engine"):
    """Who serves: what every engine has in common.

    `context` is what the engine holds for one request, in tokens (0: the card's own);
    `slots` how many requests run at once, `queue` how many more may wait.
    """

    context: Count = 0
    slots: Annotated[int, Meta(ge=1)] = 4
    queue: Count = 64
    thinking: Count = 0
    """The most tokens of a chain of thought (0: the card's own bound)."""


class LlamaCppDeployment(Deployment, frozen=True, forbid_unknown_fields=True, tag="llamacpp"):
    """A GGUF file on the embedded engine; what is not given comes from `[embedded]`."""

    weights: str = ""
    slots: Count = 0
    thinking: Count = 1024
    repeat_penalty: Annotated[float, Meta(ge=1)] = 1.1
    """Without it, greedy decoding of the small models runs into loops."""
    thinks: bool = False
    """Whether the model thinks by itself (R1 and the like); else the platform lets it think."""
    mmproj: str = ""
    """The path of its vision projector (GGUF): with one it sees pictures; empty: it has no eyes."""

    @property
    def projector(self) -> Path | None:
        """The file of `mmproj`."""
        return Path(self.mmproj).expanduser().absolute() if self.mmproj else None


class UpstreamDeployment(
    Deployment, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="upstream"
):
    """Any OpenAI-compatible server; `key_env` names a variable that holds its key."""

    url: str
    model: str
    key: str = ""
    key_env: str = ""
    connect_timeout: Annotated[float, Meta(gt=0)] = 5.0
    silence_timeout: Annotated[float, Meta(gt=0)] = 300.0
    """How long it may say nothing, in seconds."""
    slots: Annotated[int, Meta(ge=1)] = 64
    repeat_penalty: Annotated[float, Meta(ge=1)] = 1.0
    tools: bool = True
    """Whether it calls tools by itself."""
    structure: Literal["json_schema", "none"] = "json_schema"
    """What it holds its answers to; they are checked here in any case."""
    thinks: bool = True
    """Whether it may give a chain of thought: in fields of their own or in `<think>` tags."""
    opens_thought: bool = False
    """Whether its template opens the thought, so that its text has the closing tag only."""
    eyes: bool = False
    """Whether it reads pictures."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"`url` is {self.url!r}, allowed: an http:// or https:// base URL")


AnyDeployment = LlamaCppDeployment | UpstreamDeployment
