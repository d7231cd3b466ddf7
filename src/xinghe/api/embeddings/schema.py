"""What `POST /embeddings` is asked and answers (sections 4.3.2 and 4.3.3)."""

import asyncio
import base64
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors, refuse, unsupported
from xinghe.api.validation import AnyUser, Form, NotEmpty, Request
from xinghe.catalog import ModelCard
from xinghe.embedding import Embedder, TextTooLong, Vectors
from xinghe.embedding import Form as TextForm

DEFAULT_MODEL = "embedding-v1"
"""What a request that names no model gets (section 4.3.2)."""
MAX_TEXTS = 16
"""Of every model of the catalog; an operator's card may say otherwise."""
MANY_TEXTS, MANY_TOKENS = 2048, 300_000
"""Of a request at `/v1`: what OpenAI takes."""
FORMS: dict[str, TextForm] = {"query": "query", "passage": "passage", "document": "passage"}
TEXTS = "a string or a list of at least one string, none of them empty"
NO_IDS = (
    "token ids are not taken, send the text itself (LangChain's OpenAIEmbeddings does with "
    "check_embedding_ctx_length=False)"
)
INPUT = "一段或几段文本，不能为空。 A text or several, none of them empty."

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
            description=INPUT,
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
            return refuse("input", [first], f"{TEXTS}; {NO_IDS}")
        return super().refusal(path, value, allowed)


class EmbeddingRequestOpenai(EmbeddingRequest, kw_only=True):
    """Takes as many texts as OpenAI does, of any length."""

    input: Annotated[
        NotEmpty
        | Annotated[list[NotEmpty], Meta(min_length=1, extra_json_schema={"maxItems": MANY_TEXTS})],
        Meta(description=INPUT, extra={"allowed": TEXTS}),
    ]
    user: AnyUser | None = None
    user_id: AnyUser | None = None


EMBEDDINGS: dict[Dialect, Form[EmbeddingRequest]] = {
    Dialect.DOCUMENTED: Form(EmbeddingRequest),
    Dialect.OPENAI: Form(EmbeddingRequestOpenai),
}


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


def read_texts(
    request: EmbeddingRequest, limits: EmbeddingLimits, dialect: Dialect = Dialect.DOCUMENTED
) -> list[str]:
    """`input` as a list, of texts of any length at `/v1`. Raises `ApiError`."""
    sent = request.input
    texts = [sent] if isinstance(sent, str) else sent
    most = limits.texts
    if dialect is Dialect.OPENAI:
        most = max(most, MANY_TEXTS)
    if len(texts) > most:
        allowed = f"a string or a list of 1 to {most} strings"
        raise refuse("input", sent, f"{allowed}; this one has {len(texts)}")
    if dialect is Dialect.OPENAI:
        if (characters := sum(map(len, texts))) > 4 * MANY_TOKENS:
            raise _too_many_characters(4 * MANY_TOKENS, "input", characters)
        return texts
    for at, text in enumerate(texts):
        check_characters(field_of(request, at), text, limits)
    return texts


def check_total(tokens: int) -> None:
    """Raises `ApiError` where the texts of a request at `/v1` have too many together."""
    if tokens > MANY_TOKENS:
        raise ApiError(
            Errors.TOKENS_TOO_LONG,
            f"Prompt tokens too long: the texts of input have {tokens} tokens together, "
            f"a request takes at most {MANY_TOKENS}",
            param="input",
        )


def field_of(request: EmbeddingRequest, at: int) -> str:
    """Where a text stood."""
    return f"input[{at}]" if isinstance(request.input, list) else "input"


def read_dimensions(
    request: EmbeddingRequest, embedder: Embedder, dialect: Dialect = Dialect.DOCUMENTED
) -> int | None:
    """What is to be asked of the embedder: nothing, where it makes just these."""
    wanted, native = request.dimensions, embedder.dimensions
    if wanted is None or wanted == native:
        return None
    if embedder.resizable:
        return wanted
    if dialect is Dialect.OPENAI:
        check_dimensions(request, native)
        return None
    allowed = f"{native}, the only one of this model" if native else "none for this model"
    raise refuse("dimensions", wanted, allowed)


def check_dimensions(request: EmbeddingRequest, made: int) -> None:
    """Raises `ApiError` at `/v1` where others are made than are wanted; 0 is not known yet."""
    if request.dimensions and made not in (0, request.dimensions):
        raise unsupported(
            "dimensions",
            f"dimensions is {request.dimensions}, allowed: {made}, the only one of this model",
        )


def check_characters(field: str, value: str, limits: EmbeddingLimits) -> None:
    """Raises `ApiError`."""
    if limits.characters and len(value) > limits.characters:
        raise _too_many_characters(limits.characters, field, len(value))


def _too_many_characters(most: int, field: str, characters: int) -> ApiError:
    return ApiError(
        Errors.CHARACTERS_TOO_LONG,
        f"the max input characters is {most}, {field} has {characters}",
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


async def as_data(vectors: Vectors, encoded: bool) -> list[EmbeddingData]:
    """The vectors as they are sent: `encoded` in base64."""
    data: list[EmbeddingData] = []
    for index, each in enumerate(vectors.data):
        shown: Any = base64.b64encode(each).decode("ascii")
        if not encoded:
            # As JSON at once: thousands of vectors as floats would take eight times their memory.
            shown = msgspec.Raw(msgspec.json.encode(*Vectors([each]).floats()))
        data.append(EmbeddingData("embedding", shown, index))
        await asyncio.sleep(0)  # others' turn
    return data
