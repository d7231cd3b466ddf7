"""Finding citations in what models write: `^[1]^` is asked for, and seldom what comes."""

from __future__ import annotations

import re

import msgspec

RUN = frozenset("0123456789[]^【】,,、 来源资料")
"""The characters that citations are made of, however they are written."""
OPENERS = frozenset("^[【")
LONGEST = 64
"""Characters of one run of citations; what is longer is text."""

# Only characters of RUN may stand here: a match must not depend on what follows its run.
_ONE = r"[0-9]{1,3}(?: ?[,,、] ?[0-9]{1,3})*"
_SURE = (
    rf"\^\[ ?{_ONE} ?\](?: ?\[ ?{_ONE} ?\])*\^?"  # ^[1]^, ^[1][2]^, ^[1]
    rf"|\[\^{_ONE}\^?\]"  # [^1]
    rf"|【 ?(?:来源|资料)? ?{_ONE} ?】"  # 【1】
    rf"|\[(?:来源|资料) ?{_ONE}\]"  # [来源1]
)
_BARE = rf"\[[0-9]{{1,3}}\](?: ?\[[0-9]{{1,3}}\])*\^?|\^{_ONE}\^"  # [1], [1][2], ^1^
_GROUP = re.compile(rf"(?:{_SURE}|{_BARE})(?: ?(?:{_SURE}|{_BARE}))*")
_NUMBER = re.compile(r"[0-9]{1,3}")
_DOUBTFUL = re.compile(r"\[[0-9]|\^[0-9]")

_CODE_BEFORE = re.compile(r"[\w\])\"'`]$|[=(<>+*/:-] ?$", re.ASCII)
"""After these, `[1]` may be an index or a list."""
_CODE_AFTER = frozenset("([:=.+*/<>-")


class Mark(msgspec.Struct, frozen=True):
    """Citations that stand together: the numbers they name, and where they end."""

    numbers: tuple[int, ...]
    end: int


def mark_at(text: str, at: int, before: str) -> Mark | None:
    """The citations that begin at a position, if it is certain that they are some.

    `before` ends with the two characters in front of it, fewer at the beginning. `text` reaches
    at least one character beyond the run, unless it ends there.
    """
    found = _GROUP.match(text, at, at + LONGEST)
    if found is None:
        return None
    if _DOUBTFUL.match(found[0]):
        after = text[found.end() : found.end() + 1]
        if _CODE_BEFORE.search(before) or (after and after in _CODE_AFTER):
            return None
    return Mark(tuple(map(int, _NUMBER.findall(found[0]))), found.end())
