"""The operator's lists: how they are written, and what is wrong in one."""

from collections.abc import Mapping

import msgspec

from xinghe.safety.folding import PLAIN, fold
from xinghe.safety.phrases import MAX_PHRASE, Phrase, may_be_leet

OPERATOR_FLAG = 3
"""How severe an operator's phrase is unless its line says otherwise."""
ALLOW_LIST = "allow.txt"
MAX_BYTES = 16 * 1024 * 1024


class OperatorList(msgspec.Struct, frozen=True):
    """What a file held: its phrases, and `(line number, reason)` for each broken line."""

    phrases: list[Phrase]
    broken: list[tuple[int, str]]


def read_list(name: str, data: bytes) -> OperatorList:
    """Read an operator's file: UTF-8, a phrase a line, `phrase<TAB>flag`, `#` for comments.

    In `allow.txt` the phrases shield. Broken lines are left out and told.
    """
    words: dict[tuple[int, bool], list[str]] = {}
    broken: list[tuple[int, str]] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        try:
            read = _read_line(name, line)
        except _BrokenLine as error:
            broken.append((number, str(error)))
        else:
            if read:
                word, flag = read
                words.setdefault((flag, may_be_leet(word)), []).append(word)
    category = f"operator/{name.removesuffix('.txt')}"
    # One choice of many words is found as quickly as one word; many phrases are not.
    phrases = [
        Phrase((tuple(dict.fromkeys(choice)),), flag, category, own=True)
        for (flag, _), choice in words.items()
    ]
    return OperatorList(phrases, broken)


def phrases_of(lists: Mapping[str, bytes]) -> list[Phrase]:
    """Of all lists, which come by their names."""
    return [phrase for name in sorted(lists) for phrase in read_list(name, lists[name]).phrases]


class _BrokenLine(Exception):
    """A line that is no phrase; the message says why."""


def _read_line(name: str, line: bytes) -> tuple[str, int] | None:
    """The folded phrase and its flag; `None` for a line without one. Raises `_BrokenLine`."""
    try:
        text = line.decode().strip()
    except UnicodeDecodeError:
        raise _BrokenLine("not UTF-8") from None
    if not text or text.startswith("#"):
        return None
    phrase, tab, mark = text.partition("\t")
    mark = mark.strip()
    if name == ALLOW_LIST:
        if tab:
            raise _BrokenLine(f"{ALLOW_LIST} takes phrases without a flag")
        flag = 0
    elif not tab:
        flag = OPERATOR_FLAG
    elif mark in {"1", "2", "3", "4"}:
        flag = int(mark)
    else:
        raise _BrokenLine(f"flag {mark[:20]!r} is not in 1 to 4")
    folded = fold(phrase, PLAIN)
    if not folded:
        raise _BrokenLine("the phrase holds no letter, digit or Chinese character")
    if len(folded) > MAX_PHRASE:
        raise _BrokenLine(
            f"the phrase has {len(folded)} characters; the range is 1 to {MAX_PHRASE}"
        )
    return folded, flag
