"""What an annotation allows, in the words of a refusal."""

import builtins
import typing
from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta, UnsetType


def allowed(hint: Any, steps: Sequence[str | int], most: int | None = None) -> str:
    """What may stand where `steps` lead to within a value of a type.

    `most` is the upper end of a number where that is below the annotation's.
    """
    hints = [hint]
    for step in steps:
        hints = [below for each in hints for below in _below(each, step)]
    words = [
        (meta.extra or {}).get("allowed") or _in_words(kind, meta, most)
        for each in hints
        for kind, meta in _members(each)
    ]
    return " or ".join(dict.fromkeys(words))


def struct_of(hint: Any) -> type[msgspec.Struct]:
    """The Struct that a field holds, if it holds anything."""
    kind: type[msgspec.Struct] = next(kind for kind, _ in _members(hint))
    return kind


def _members(hint: Any) -> Iterator[tuple[Any, Meta]]:
    """The types that a value may have, but null and UNSET, each with its range."""
    meta = Meta()
    if get_origin(hint) is Annotated:
        hint, meta = get_args(hint)[:2]
    if get_origin(hint) not in {Union, UnionType}:
        if hint not in {NoneType, UnsetType}:
            yield hint, meta
        return
    for each in get_args(hint):
        for kind, own in _members(each):
            yield kind, meta if meta.extra else own


def _below(hint: Any, step: str | int) -> Iterator[Any]:
    """The types of what stands at an index or in a field."""
    for kind, _ in _members(hint):
        if isinstance(step, int):
            if get_origin(kind) in {list, tuple}:
                yield get_args(kind)[0]
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            config, fields = kind.__struct_config__, msgspec.structs.fields(kind)
            if config.tag_field == step:
                yield Literal[config.tag]
            yield from (field.type for field in fields if field.encode_name == step)


def _in_words(kind: Any, meta: Meta, most: int | None) -> str:
    low, high = meta.ge, meta.le if most is None else most
    if meta.max_length is not None:
        low, high = meta.min_length or 0, meta.max_length
    match get_origin(kind) or kind:
        case typing.Literal:
            words = ", ".join(get_args(kind))
        case builtins.int:
            words = f"an integer in [{low}, {high}]"
        case builtins.float:
            words = f"a number in [{low:g}, {high:g}]"
        case builtins.bool:
            words = "true or false"
        case builtins.str if meta.max_length is not None:
            words = f"a string of {low} to {high} characters"
        case builtins.str:
            words = "a string that is not empty" if meta.min_length else "a string"
        case builtins.list | builtins.tuple if meta.max_length is not None:
            words = f"a list of {low} to {high}" if low else f"a list of at most {high}"
        case builtins.list | builtins.tuple:
            words = "a list that is not empty" if meta.min_length else "a list"
        case _:
            words = "an empty object" if meta.max_length == 0 else "an object"
    return words
