"""An operator's TOML, read in a time that its length bounds."""

import re
import tomllib
from typing import Any

MAX_DEPTH = 16
"""Of tables within tables, and so of the parts of a key: the parser's time and memory grow with
their square."""
_TOKEN = re.compile(
    r'''
      (?P<text> """(?:[^\\"]|\\.|"(?!""))*+"{3,5} | \'\'\'(?:[^']|'(?!\'\'))*+'{3,5} )
    | (?P<open> """ | \'\'\' )
    | (?P<name> [A-Za-z0-9_-]++ | "(?:[^"\\\n]|\\.)*+" | '[^'\n]*+' )
    | (?P<dot> \. )
    | (?P<begun> ["'] )
    | (?P<none> [ \t]++ | \#[^\n]*+ )
    | (?P<other> [^A-Za-z0-9_\-"'.\#]++ | . )
    ''',
    re.VERBOSE | re.DOTALL,
)


def parsed(text: str) -> dict[str, Any]:
    """What a TOML text holds. Raises `ValueError`, which names the line."""
    _check_keys(text)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _check_keys(text: str) -> None:
    """Raises `ValueError` for a key of too many parts."""
    parts, behind_dot = 0, False
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "name":
                parts = parts + 1 if behind_dot else 1
                behind_dot = False
            case "dot":
                behind_dot = parts > 0
            case "open" | "begun":
                return  # a text without an end: the parser says so, and reads no further
            case "none":
                continue
            case _:
                parts, behind_dot = 0, False
        if parts > MAX_DEPTH:
            line = text.count("\n", 0, token.start()) + 1
            raise ValueError(
                f"line {line} has a key of more than {MAX_DEPTH} parts, allowed: 1 to {MAX_DEPTH}"
            )
