"""Which texts a model's vocabulary reads as special tokens, asked of the file that is loaded.

llama.cpp splits a text at the tokens that the file calls unknown, control or user-defined, before
it reads anything else (`tokenizer_st_partition` in llama-vocab.cpp; user-defined ones even where
it was told not to). When it loads a file, it makes some of the others control tokens too, by
their names; those are found by trying.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence

from xinghe.vocabulary.server import Tokenizer

UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4
"""Of GGUF's `tokenizer.ggml.token_type`."""
NORMAL = 1
APART = -1
"""No token: what `/tokenize` passes through between the texts of one request."""


def special_texts(weights: str, tokenizer: Tokenizer) -> list[str]:
    """The text of every special token; raises `ValueError` for what is no GGUF file."""
    tokens = _read(weights)
    found = {text for text, kind in tokens if kind in {UNKNOWN, CONTROL, USER_DEFINED}}
    plain = [text for text, kind in tokens if kind == NORMAL and _looks_special(text)]
    content = [each for text in plain for each in (text, APART)]
    if content:
        special, ordinary = (
            _apart(tokenizer.tokens(content, special=special)) for special in (True, False)
        )
        found |= {
            text for text, one, other in zip(plain, special, ordinary, strict=True) if one != other
        }
    # SentencePiece writes a space as ▁. Runs of spaces and single characters control nothing.
    found |= {text.replace("▁", " ") for text in found}
    return sorted(text for text in found if len(text.strip(" \t\r\n▁")) > 1)


def _looks_special(text: str) -> bool:
    return len(text) > 2 and text.isprintable() and not (text[0].isalnum() or text[-1].isalnum())


def _apart(tokens: Iterable[int]) -> list[list[int]]:
    texts: list[list[int]] = [[]]
    for token in tokens:
        if token == APART:
            texts.append([])
        else:
            texts[-1].append(token)
    return texts[:-1]


class _InitParams(ctypes.Structure):
    """`gguf_init_params` of gguf.h."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("context", ctypes.c_void_p))


def _read(weights: str) -> list[tuple[str, int]]:
    """Text and type of every token: by llama.cpp's own reader, which takes 0.06 s for it.

    (The package `gguf` takes 12 s.)
    """
    # Not at the top: it is heavy, and the gateway does without.
    from xllamacpp import xllamacpp  # noqa: PLC0415

    library = ctypes.CDLL(xllamacpp.__file__)
    pointer, index, size = ctypes.c_void_p, ctypes.c_int64, ctypes.c_size_t
    for name, result, arguments in (
        ("gguf_init_from_file", pointer, (ctypes.c_char_p, _InitParams)),
        ("gguf_find_key", index, (pointer, ctypes.c_char_p)),
        ("gguf_get_arr_n", size, (pointer, index)),
        ("gguf_get_arr_str", ctypes.c_char_p, (pointer, index, size)),
        ("gguf_get_arr_data", pointer, (pointer, index)),
        ("gguf_free", None, (pointer,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    file = library.gguf_init_from_file(weights.encode(), _InitParams(True, None))
    if not file:
        raise ValueError(f"{weights} is no GGUF file")
    try:
        texts = library.gguf_find_key(file, b"tokenizer.ggml.tokens")
        if texts < 0:
            return []
        count = library.gguf_get_arr_n(file, texts)
        types = library.gguf_find_key(file, b"tokenizer.ggml.token_type")
        kinds: Sequence[int] = [NORMAL] * count
        if types >= 0:
            data = library.gguf_get_arr_data(file, types)
            kinds = (ctypes.c_int32 * count).from_address(data)[:]
        names = (library.gguf_get_arr_str(file, texts, number) for number in range(count))
        # What is not UTF-8 stands in no text.
        return [
            (name.decode("utf-8", "ignore"), kind) for name, kind in zip(names, kinds, strict=True)
        ]
    finally:
        library.gguf_free(file)
