"""The columns of a terminal, in which Chinese characters take two each."""

import unicodedata


def width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def padded(text: str, columns: int) -> str:
    """With blanks behind it."""
    return text + " " * (columns - width(text))
