"""The shapes of `GET /models`: OpenAI's, with an `xinghe` object beside it."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType


class LimitsShown(msgspec.Struct):
    """In tokens, but for the characters."""

    context: int
    max_input_tokens: int
    max_output_tokens: int
    max_input_characters: int


class ChatLimits(msgspec.Struct):
    """The card's, the deployment's (null: it has none of its own), and what holds."""

    model: LimitsShown
    deployment: LimitsShown | None
    effective: LimitsShown
    default_output_tokens: int


class TextLimits(msgspec.Struct):
    """Of an embedding model: the smaller of the card's and the deployment's."""

    texts: int
    tokens_a_text: int
    characters_a_text: int


class Capabilities(msgspec.Struct):
    """What the documented model can do, and what this service delivers of it.

    `platform` tells how the platform delivers what the engine itself lacks.
    """

    model: list[str]
    served: list[str]
    platform: dict[str, str] = {}


class About(msgspec.Struct):
    """What an OpenAI client does not ask for. Ratios are Tokens a token."""

    kind: Literal["chat", "embedding", "image"]
    title: str
    served_by: str | None
    rpm: int
    tpm: int
    capabilities: Capabilities
    limits: ChatLimits | UnsetType = UNSET
    text_limits: TextLimits | UnsetType = UNSET
    dimensions: int | UnsetType | None = UNSET
    """Of its vectors; null until an upstream has answered for the first time."""
    ignored_parameters: list[str] | UnsetType = UNSET
    input_ratio: float | UnsetType = UNSET
    output_ratio: float | UnsetType = UNSET
    image_tokens: int | UnsetType = UNSET


class Model(msgspec.Struct):
    """One model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    xinghe: About


class ModelList(msgspec.Struct):
    """The models that the token may use."""

    object: Literal["list"]
    data: list[Model]
