"""The parameters of `POST /embeddings` (section 4.3.2)."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.api.embeddings.stations import EmbeddingLimits
from xinghe.api.end_user import read_user
from xinghe.api.errors import ApiError, Errors, refuse
from xinghe.api.fields import choice, integer
from xinghe.embedding import Embedder, Form, TextTooLong

DEFAULT_MODEL = "embedding-v1"
"""What a request that names no model gets (section 4.3.2)."""
FORMS: dict[str, Form] = {"query": "query", "passage": "passage", "document": "passage"}
"""What `input_type` may be; without it, the texts are taken to be compared among each other."""
FORMATS = ("float", "base64")
MAX_DIMENSIONS = 65536
KNOWN = frozenset(
    {"model", "input", "input_type", "encoding_format", "dimensions", "user", "user_id"}
)


class EmbeddingRequest(msgspec.Struct, frozen=True):
    """A request that passed validation."""

    texts: list[str]
    form: Form
    base64: bool
    dimensions: int | None
    ignored: tuple[str, ...]


def read_request(
    body: dict[str, Any], limits: EmbeddingLimits, embedder: Embedder
) -> EmbeddingRequest:
    """Validate a body for a model that is known and permitted. Raises `ApiError`."""
    read_user(body)
    kind = choice(body, "input_type", FORMS)
    encoding = choice(body, "encoding_format", FORMATS)
    return EmbeddingRequest(
        texts=read_texts(body, limits),
        form=FORMS[kind] if kind else "text",
        base64=encoding == "base64",
        dimensions=_dimensions(body, embedder),
        ignored=tuple(name for name in body if name not in KNOWN and body[name] is not None),
    )


def read_texts(body: dict[str, Any], limits: EmbeddingLimits) -> list[str]:
    """`input` as a list. Raises `ApiError`."""
    value = body.get("input")
    allowed = f"a string or a list of 1 to {limits.texts} strings, none of them empty"
    if isinstance(value, str):
        if not value:
            raise refuse("input", value, allowed)
        check_characters("input", value, limits)
        return [value]
    if not isinstance(value, list) or not value:
        raise refuse("input", value, allowed)
    if all(map(_is_tokens, value[: limits.texts])):
        raise refuse("input", value, f"{allowed}; token ids are not taken, send the text itself")
    if len(value) > limits.texts:
        raise refuse("input", value, f"{allowed}; this one has {len(value)}")
    for at, each in enumerate(value):
        if not isinstance(each, str) or not each:
            raise refuse(f"input[{at}]", each, "a string that is not empty")
        check_characters(f"input[{at}]", each, limits)
    return value


def _is_tokens(value: Any) -> bool:
    """A token id, or what begins like a list of them."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], int)
    return isinstance(value, int) and not isinstance(value, bool)


def check_characters(field: str, value: str, limits: EmbeddingLimits) -> None:
    """Raises `ApiError`."""
    if limits.characters and len(value) > limits.characters:
        raise ApiError(
            Errors.CHARACTERS_TOO_LONG,
            f"the max input characters is {limits.characters}, {field} has {len(value)}",
            param=field,
        )


def tokens_too_long(field: str, error: TextTooLong, limits: EmbeddingLimits) -> ApiError:
    return ApiError(
        Errors.TOKENS_TOO_LONG,
        f"Prompt tokens too long: {field} has {error.tokens} tokens, "
        f"the {limits.bound_by} takes at most {error.limit}",
        param=field,
    )


def _dimensions(body: dict[str, Any], embedder: Embedder) -> int | None:
    """What is to be asked of the embedder: nothing, where it makes just these."""
    wanted = integer(body, "dimensions", 1, MAX_DIMENSIONS)
    if wanted is None or wanted == embedder.dimensions:
        return None
    if not embedder.resizable:
        native = embedder.dimensions
        allowed = f"{native}, the only one of this model" if native else "none for this model"
        raise refuse("dimensions", wanted, allowed)
    return wanted
