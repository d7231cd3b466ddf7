"""What the contract says of fields and objects, in both languages.

The descriptions of the documents are English, or Chinese and English in one text. The Chinese of
the former stands in `chinese.toml`, by the English text.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import msgspec

_BETWEEN = "。 "
"""Ends the Chinese part of a text that has both."""
_FOR = "For:"
_ROLES = {
    "in charge": "其所在组的管理者",
    "above": "上级组织的管理者",
    "self": "本人",
    "owner": "组的所有者",
    "manager": "组的管理者",
    "member": "组的成员",
    "operator": "管理员",
}
"""What begins the description of an operator's operation, and who is named behind it."""


class Told(msgspec.Struct, frozen=True):
    """One text in both languages; the Chinese is the English where there is none yet."""

    chinese: str
    english: str

    @property
    def is_translated(self) -> bool:
        return not self.english or self.chinese != self.english


def told(text: str) -> Told:
    """A description of a document in both languages."""
    line = " ".join(text.split())
    chinese, found, english = line.partition(_BETWEEN)
    if found:
        return Told(f"{chinese}。", english)
    if line.startswith(_FOR):
        return Told(_who(line), line)
    return Told(_chinese().get(line, line), line)


def _who(line: str) -> str:
    """Who may ask: of an operation, and of fields of it."""
    for english, chinese in _ROLES.items():
        line = re.sub(rf"(?<!`)\b{english}\b(?!`)", chinese, line)
    return (
        line.replace(f"{_FOR} ", "可以使用的人：")
        .replace(" for: ", "：")
        .replace(", ", "、")
        .replace(". ", "；")
        .rstrip(".")
        + "。"
    )


@cache
def _chinese() -> dict[str, str]:
    """The Chinese by the English."""
    with Path(__file__).with_name("chinese.toml").open("rb") as file:
        return dict(tomllib.load(file))
