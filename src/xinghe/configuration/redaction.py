"""Keys and passwords that stand in a tree: shown as marks, which may be put back.

A mark names the place of its secret, `<secret deployments.big.key>`. It stands for that secret
wherever a secret may stand, so a deployment can be renamed by whoever does not know its key; it
does not elsewhere, where it would be shown.
"""

import re
from collections.abc import Callable
from typing import Any

from xinghe.catalog import Tree
from xinghe.configuration.tree import SAFETY, Path, TreeError, named
from xinghe.settings import is_secret_name, is_web_url

_MARK = re.compile("<secret .*>", re.DOTALL)
_VARIABLE = re.compile(r"\$\w+")
_IN_URL = re.compile(
    r"://[^/?#\s]*@|[?&][^=&#]*(key|token|secret|sig|password|auth)[^=&#]*=", re.IGNORECASE
)


def redacted(value: Any, path: Path = ()) -> Any:
    """A tree, or what is at a path of one, with a mark in the place of each secret."""
    return _each(value, path, lambda at, text: mark(at) if is_secret(at, text) else text)


def restored(tree: Tree, old: Tree) -> Tree:
    """The tree with the secrets of `old` in the place of their marks. Raises `TreeError`."""
    known: dict[str, str] = {}

    def learn(path: Path, text: str) -> str:
        if is_secret(path, text):
            known[mark(path)] = text
        return text

    def put_back(path: Path, text: str) -> str:
        if not _MARK.fullmatch(text):
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


def is_secret(path: Path, text: str) -> bool:
    """Whether nobody is shown the text at a path."""
    if not text or path[0] == SAFETY:
        return False
    names = [part for part in path if not part.isdecimal()]
    if _IN_URL.search(text):
        return True
    if "headers" in names:
        return not _VARIABLE.fullmatch(text)
    if names[-1] in ("url", "urls") and "@" in text:
        return not is_web_url(text)
    return is_secret_name(names[-1])


def mark(path: Path) -> str:
    return f"<secret {named(path)}>"


def _each(value: Any, path: Path, made: Callable[[Path, str], str]) -> Any:
    """A copy, with every text made anew."""
    if isinstance(value, dict):
        return {name: _each(each, (*path, name), made) for name, each in value.items()}
    if isinstance(value, list):
        return [_each(each, (*path, str(at)), made) for at, each in enumerate(value)]
    return made(path, value) if isinstance(value, str) else value
