"""Keys and passwords that stand in a tree: shown as marks, which may be put back.

A mark names the place of its secret, `<secret deployments.big.key>`. It stands for that secret
wherever a secret may stand, so a deployment can be renamed by whoever does not know its key; it
does not elsewhere, where it would be shown.
"""

import re
from collections.abc import Callable
from typing import Any

from xinghe.catalog import Tree
from xinghe.catalog.catalog import FLAT
from xinghe.configuration.tree import SAFETY, Path, TreeError, named
from xinghe.settings import is_secret_name, is_web_url

_MARK = re.compile("<secret .*>", re.DOTALL)
_VARIABLE = re.compile(r"\$\w+")
_IN_URL = re.compile(
    r"://[^/?#\s]*@|[?&][^=&#]*(key|token|secret|sig|password|auth)[^=&#]*=", re.IGNORECASE
)
_QUERY = re.compile("[?&#](?!(api-)?version=)[^=&#\\s]*=")
"""What a URL gives beside its path may be a key, whatever it is called."""


def redacted(value: Any, path: Path = ()) -> Any:
    """A tree, or what is at a path of one, with a mark in the place of each secret."""
    return _each(value, path, lambda at, text: mark(at) if is_secret(at, text) else text)


def restored(tree: Tree, old: Tree) -> Tree:
    """The tree with the secrets of `old` in the place of their marks. Raises `TreeError`."""
    known: dict[str, Any] = {}

    def learn(path: Path, value: Any) -> Any:
        if is_secret(path, value):
            known[mark(path)] = value
        return value

    def put_back(path: Path, text: Any) -> Any:
        if not (isinstance(text, str) and _MARK.fullmatch(text)):
            return text
        secret = known.get(text)
        if secret is None or not is_secret(path, secret):
            raise TreeError(
                f"{named(path)} is the mark of a secret, and there is none to put in its place: "
                "write the secret itself, or name its variable (`key_env`)"
            )
        return secret

    _each(old, (), learn)
    made: Tree = _each(tree, (), put_back)
    return made


def is_secret(path: Path, value: str | float) -> bool:
    """Whether nobody is shown the text or number at a path."""
    if not value or isinstance(value, bool) or path[0] == SAFETY:
        return False
    fields = path[1:] if path[0] in FLAT else path[2:]
    if isinstance(value, int | float):  # those of our own fields are limits and prices
        return fields[:1] == ("extra",) and any(
            is_secret_name(each) and not each.lower().endswith("tokens") for each in fields
        )
    in_url = _IN_URL.search(value) or _QUERY.search(value.partition("://")[2])
    return bool(in_url) or _is_secret_text(fields, value)


def _is_secret_text(fields: Path, text: str) -> bool:
    if "headers" in fields:
        return not _VARIABLE.fullmatch(text)
    if fields[-1:] == ("key_env",) and fields[0] in ("key_env", "keys", "urls"):
        return False
    names = [part for part in fields if not part.isdecimal()]
    if names[-1:] in (["url"], ["urls"]) and "@" in text:
        return not is_web_url(text)
    return any(map(is_secret_name, names))


def mark(path: Path) -> str:
    return f"<secret {named(path)}>"


def _each(value: Any, path: Path, made: Callable[[Path, Any], Any]) -> Any:
    """A copy, with every text and number made anew."""
    if isinstance(value, dict):
        return {name: _each(each, (*path, name), made) for name, each in value.items()}
    if isinstance(value, list):
        return [_each(each, (*path, str(at)), made) for at, each in enumerate(value)]
    return made(path, value) if isinstance(value, str | int | float) else value
