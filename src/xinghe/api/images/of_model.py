"""What image models are told differs from model to model: the card says which takes what."""

from collections.abc import Mapping
from typing import Any, get_args

from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, refuse, unsupported
from xinghe.api.images.schema import ImageRequest
from xinghe.api.validation import ParsedBody
from xinghe.catalog import DOCUMENTED_PARAMETERS, SAME, ImageParameter, ModelCard
from xinghe.images import DEFAULT_STYLE, sizes_of

OTHER_NAME = {same: name for name, same in SAME.items()}
WITHOUT_EFFECT: Mapping[str, tuple[str, ...]] = {"style": (DEFAULT_STYLE, "vivid", "natural")}
"""Values at `/v1` that change nothing: there they are passed over."""
WHATEVER = {"sampler_index"}
"""Where any value is: how it is sampled is no part of what is asked for."""


def keep_to_model(
    read: ParsedBody[ImageRequest], card: ModelCard, model: str, dialect: Dialect
) -> list[str]:
    """Take out what the model is not told; the names of what was sent in vain.

    Raises `ApiError` for what would be another image: parameters of section 4.2.2 on a model
    that has none such. Others have always been unknown fields to models without them.
    """
    ignored = []
    for name in get_args(ImageParameter):
        if name in card.parameters:
            continue
        value = read.leave_out(name)
        if value is None:
            continue
        if name in DOCUMENTED_PARAMETERS and not _passed_over(name, value, dialect):
            raise _lacks(name, value, card, model, dialect)
        ignored.append(name)
    if dialect is Dialect.DOCUMENTED:
        _check_size(read, card)
    return ignored


def _passed_over(name: str, value: Any, dialect: Dialect) -> bool:
    if dialect is Dialect.DOCUMENTED:
        return False
    return name in WHATEVER or value in WITHOUT_EFFECT.get(name, ())


def _lacks(
    name: ImageParameter, value: Any, card: ModelCard, model: str, dialect: Dialect
) -> ApiError:
    """The refusal of a parameter that belongs to other models; says what this one calls it."""
    own = OTHER_NAME.get(name)
    instead = f"; it is called {own} there" if own in card.parameters else ""
    words = f"no value on {model}, which has no such parameter{instead}"
    refused = refuse(name, value, words)
    return refused if dialect is Dialect.DOCUMENTED else unsupported(name, refused.message)


def _check_size(read: ParsedBody[ImageRequest], card: ModelCard) -> None:
    size, sizes = read.sent("size"), sizes_of(card)
    if size is not None and not (isinstance(size, str) and size in sizes):
        raise refuse("size", size, ", ".join(sizes))
