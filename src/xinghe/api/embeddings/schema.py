"""What `POST /embeddings` is asked and answers (sections 4.3.2 and 4.3.3)."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from xinghe.api.errors import ApiError, Errors, refuse
from xinghe.api.validation import Form, NotEmpty, Request
from xinghe.catalog import ModelCard
from xinghe.embedding import Embedder, TextTooLong, Vectors
from xinghe.embedding import Form as TextForm

DEFAULT_MODEL = "embedding-v1"
"""What a request that names no model gets (section 4.3.2)."""
MAX_TEXTS = 16
"""Of every model of the catalog; an operator's card may say otherwise."""
FORMS: dict[str, TextForm] = {"query": "query", "passage": "passage", "document": "passage"}
TEXTS = "a string or a list of at least one string, none of them empty"

TextModel = Annotated[
    str,
    Meta(
        min_length=1,
        description="An id of GET /models whose kind is embedding.",
        extra_json_schema={"default": DEFAULT_MODEL},
    ),
]


class EmbeddingRequest(Request, kw_only=True):
    """Model-dependent limits are told by `GET /models`.

    Without an `input_type`, texts are taken to be compared among each other.
    """

    default_model = DEFAULT_MODEL

    model: TextModel | None = None
    input_type: (
        Annotated[
            Literal["query", "passage", "document"],
            Meta(description="文本的用途：查询或文档。 What it is for: a query, or a document."),
        ]
        | None
    ) = None
    encoding_format: (
        Annotated[
            Literal["float", "base64"],
            Meta(description="向量的形式，默认 float。 The vectors' form; float by default."),
        ]
        | None
    ) = None
    input: Annotated[
        NotEmpty
        | Annotated[list[NotEmpty], Meta(min_length=1, extra_json_schema={"maxItems": MAX_TEXTS})],
        Meta(
            description="一段或几段文本，不能为空。 A text or several, none of them empty.",
            extra={"allowed": TEXTS},
        ),
    ]
    dimensions: (
        Annotated[
            int, Meta(ge=1, le=65536, description="Only where the model's deployment makes them.")
        ]
        | None
    ) = None

    @classmethod
    def refusal(cls, path: str, value: Any, allowed: str) -> ApiError:
        """Token ids are named as such."""
        first = value[0] if isinstance(value, list) and value else value
        if path == "input[0]" and isinstance(first, int) and not isinstance(first, bool):
            allowed = f"{TEXTS}; token ids are not taken, send the text itself"
            return refuse("input", [], allowed)
        return super().refusal(path, value, allowed)


EMBEDDINGS = Form(EmbeddingRequest)


class EmbeddingLimits(msgspec.Struct, frozen=True):
    """Of one text, but for `texts`; `bound_by` names whose token limit is the smaller one."""

    texts: int
    characters: int
    tokens: int
    bound_by: str


def text_limits(card: ModelCard, embedder: Embedder) -> EmbeddingLimits:
    """The smaller of the card's limits and the engine's; 0 is none."""
    served, own = embedder.max_tokens, card.max_input
    bound_by = "deployment" if served and (not own or served < own) else "model"
    return EmbeddingLimits(
        texts=card.max_texts,
        characters=card.max_characters,
        tokens=served if bound_by == "deployment" else own,
        bound_by=bound_by,
    )


def read_texts(request: EmbeddingRequest, limits: EmbeddingLimits) -> list[str]:
    """`input` as a list. Raises `ApiError`."""
    if isinstance(request.input, str):
        check_characters("input", request.input, limits)
        return [request.input]
    if len(request.input) > limits.texts:
        allowed = f"a string or a list of 1 to {limits.texts} strings"
        raise refuse("input", request.input, f"{allowed}; this one has {len(request.input)}")
    for at, text in enumerate(request.input):
        check_characters(f"input[{at}]", text, limits)
    return request.input


def read_dimensions(request: EmbeddingRequest, embedder: Embedder) -> int | None:
    """What is to be asked of the embedder: nothing, where it makes just these."""
    wanted, native = request.dimensions, embedder.dimensions
    if wanted is None or wanted == native:
        return None
    if not embedder.resizable:
        allowed = f"{native}, the only one of this model" if native else "none for this model"
        raise refuse("dimensions", wanted, allowed)
    return wanted


def check_characters(field: str, value: str, limits: EmbeddingLimits) -> None:
    """Raises `ApiError`."""
    if limits.characters and len(value) > limits.characters:
        raise ApiError(
            Errors.CHARACTERS_TOO_LONG,
            f"the max input characters is {limits.characters}, {field} has {len(value)}",
            param=field,
        )


def tokens_too_long(field: str, error: TextTooLong, limits: EmbeddingLimits) -> ApiError:
    """The refusal of a text that an embedder found too long."""
    told = f"has {error.tokens} tokens, the {limits.bound_by} takes at most {error.limit}"
    if not error.limit:
        told = f"has about {error.tokens} tokens, more than the deployment takes"
    return ApiError(Errors.TOKENS_TOO_LONG, f"Prompt tokens too long: {field} {told}", param=field)


class EmbeddingUsage(msgspec.Struct):
    """By the source's own estimate."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingData(msgspec.Struct):
    """`embedding`: floats, or the base64 of little-endian 32-bit floats."""

    object: Literal["embedding"]
    embedding: list[float] | str
    index: int


class EmbeddingList(msgspec.Struct):
    """The answer; `id` and `created` at the documented mount only."""

    object: Literal["embedding_list", "list"]
    data: list[EmbeddingData]
    model: str
    usage: EmbeddingUsage
    id: str | UnsetType = UNSET
    created: int | UnsetType = UNSET


def as_data(vectors: Vectors, encoded: bool) -> list[EmbeddingData]:
    """The vectors as they are sent: `encoded` in base64."""
    shown: Sequence[str | list[float]] = (
        [base64.b64encode(each).decode("ascii") for each in vectors.data]
        if encoded
        else vectors.floats()
    )
    return [EmbeddingData("embedding", each, index) for index, each in enumerate(shown)]
