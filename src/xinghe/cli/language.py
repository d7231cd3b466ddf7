"""Which language the terminal's person reads."""

import os

_NAMES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Variables that say so; the first that is set counts."""


def is_chinese() -> bool:
    """Whether it is Chinese; else it is English."""
    said = next(filter(None, (os.environ.get(name) for name in _NAMES)), "")
    return said.lower().startswith("zh")


def said(chinese: str, english: str) -> str:
    """A text in the language that the person reads."""
    return chinese if is_chinese() else english
