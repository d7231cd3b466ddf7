"""Matchers over phrases as an operator writes them, and the sentences of the bars."""

from __future__ import annotations

from pathlib import Path

from xinghe.safety.lists import read_list
from xinghe.safety.matcher import Matcher

HERE = Path(__file__).parent


def matcher(*blocked: str, allowed: tuple[str, ...] = ()) -> Matcher:
    """A matcher without the lexicon."""
    block = read_list("block.txt", "\n".join(blocked).encode())
    allow = read_list("allow.txt", "\n".join(allowed).encode())
    assert not block.broken
    assert not allow.broken
    return Matcher((*block.phrases, *allow.phrases))


def sentences(name: str) -> list[str]:
    """The lines of a file beside this one, comments left out."""
    lines = (HERE / name).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
