"""A model's tokenizer, asked of the llama.cpp server that holds the file, and of the file."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable, Sequence

import msgspec

from xinghe.vocabulary.file import CONTROL, NORMAL, UNKNOWN, USER_DEFINED, tokens_of

TIMEOUT = 30.0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Whatever proxy the environment names, this stays on the machine."""
APART = -1
"""No token: what `/tokenize` passes through between the texts of one request."""
PROBES: tuple[tuple[str, bool], ...] = (("a", True), ("a", False), ("\n", False), ("\na", False))
"""What to have tokenized, and whether with the tokens around a prompt, to make a `Frame`."""


class Tokenizer:
    """Speaks to the server at a loopback address, from the process that it lives in."""

    def __init__(self, address: str, key: str) -> None:
        self._url = f"{address}/tokenize"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def tokens(
        self, content: str | Sequence[str | int], *, framed: bool = False, special: bool = False
    ) -> list[int]:
        """`framed`: with the tokens around a prompt; `special`: with those in the text."""
        body = {"content": content, "add_special": framed, "parse_special": special}
        request = urllib.request.Request(  # noqa: S310 - its own address
            self._url, data=json.dumps(body).encode(), headers=self._headers
        )
        with DIRECT.open(request, timeout=TIMEOUT) as answer:
            tokens: list[int] = json.load(answer)["tokens"]
            return tokens


class Frame(msgspec.Struct, frozen=True):
    """What a tokenizer puts around a text, so that one that was cut is one list of tokens again.

    `before` and `after` stand around a whole prompt. `newline` is set for tokenizers that begin
    every text with a space: a piece is given to them behind a line break, which is dropped again.
    """

    before: list[int]
    after: list[int]
    newline: list[int]

    @classmethod
    def of(cls, probes: Sequence[list[int]]) -> Frame:
        """From the tokens of `PROBES`."""
        whole, alone, newline, behind = probes
        at = next(
            (
                at
                for at in range(len(whole) - len(alone) + 1)
                if whole[at : at + len(alone)] == alone
            ),
            0,
        )
        spaced = behind[: len(newline)] == newline and behind[len(newline) :] != alone
        return cls(whole[:at], whole[at + len(alone) :], newline if spaced else [])

    def content(self, pieces: Sequence[str]) -> list[str | int]:
        """What to send, without the tokens around a prompt, to be read as `tokens`."""
        first, *rest = pieces
        if not self.newline:
            return [first, *rest]
        return [first, *(each for piece in rest for each in (APART, f"\n{piece}"))]

    def tokens(self, tokens: Sequence[int]) -> list[int]:
        """The tokens of the prompt."""
        out, at = list(self.before), 0
        while at < len(tokens):
            if tokens[at] == APART:
                at += 1
                if list(tokens[at : at + len(self.newline)]) == self.newline:
                    at += len(self.newline)
                continue
            out.append(tokens[at])
            at += 1
        return out + self.after


def special_texts(weights: str, tokenizer: Tokenizer) -> list[str]:
    """The text of every special token. Raises `ValueError` for what is no GGUF file, `OSError`.

    llama.cpp splits a text at the tokens that the file calls unknown, control or user-defined,
    before it reads anything else (`tokenizer_st_partition` in llama-vocab.cpp; user-defined ones
    even where it was told not to). When it loads a file, it makes some of the others control
    tokens too, by their names; those are found by trying.
    """
    # What is not UTF-8 stands in no text.
    tokens = [(text.decode("utf-8", "ignore"), kind) for text, kind in tokens_of(weights)]
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
