"""Where a deployment's servers are, what share of the work each has, and the keys for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from xinghe.settings import require_reachable

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAX_MODEL = 500
"""Characters of a model's name at its server."""
Limit = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Replica(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of several servers that do the same work.

    `weight` is its share of the work beside the others'; at 0 it is drained: it gets no new work,
    and what it has begun ends. `key` or `key_env` stands in place of the deployment's keys.
    """

    url: str
    weight: Annotated[float, Meta(ge=0, le=1000)] = 1.0
    key: str = ""
    key_env: str = ""


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of several keys that are used in turn: itself, or the variable that holds it.

    `rpm` requests and `tpm` tokens a minute may be sent with it, `concurrent` requests at once; 0
    sets no limit.
    """

    key: str = ""
    key_env: str = ""
    rpm: Limit = 0
    tpm: Limit = 0
    concurrent: Limit = 0


Urls = Annotated[tuple[str | Replica, ...], Meta(max_length=256)]
Keys = Annotated[tuple[Key, ...], Meta(max_length=256)]


class Addressed(Protocol):
    """What the deployments on servers have in common here."""

    @property
    def url(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def urls(self) -> Sequence[str | Replica]: ...
    @property
    def key(self) -> str: ...
    @property
    def key_env(self) -> str: ...
    @property
    def keys(self) -> Sequence[Key]: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


def replicas_of(deployment: Addressed) -> list[Replica]:
    """Its servers in order, at least one: that of `url`, or those of `urls`."""
    each = deployment.urls or (deployment.url,)
    return [Replica(one) if isinstance(one, str) else one for one in each]


def check_servers(deployment: Addressed) -> None:
    """Raises `ValueError` for servers that no request could be sent to, and keys that are none."""
    if deployment.url and deployment.urls:
        raise ValueError("`url` and `urls` are both given, allowed: one of them")
    if not (deployment.url or deployment.urls):
        raise ValueError("`url` is '', allowed: an http:// or https:// base URL (or `urls`)")
    if len(deployment.model) > MAX_MODEL or not deployment.model.isprintable():
        raise ValueError(f"`model` is wrong, allowed: 0 to {MAX_MODEL} printable characters")
    _check_key("", deployment)
    replicas = replicas_of(deployment)
    seen = dict[str, int]()
    for at, one in enumerate(replicas):
        name = f"urls[{at}]" if deployment.urls else "url"
        require_reachable(one.url, deployment.headers, name)
        _check_key(f"{name}.", one)
        first = seen.setdefault(one.url.rstrip("/"), at)
        if first != at:
            raise ValueError(
                f"`{name}` is the same server as `urls[{first}]`, allowed: each once (`weight` "
                "sets its share, `keys` holds several keys)"
            )
    if deployment.keys and (deployment.key or deployment.key_env):
        given = "key" if deployment.key else "key_env"
        raise ValueError(f"`{given}` and `keys` are both given, allowed: one of them")
    known = dict[tuple[str, str], int]()
    for at, key in enumerate(deployment.keys):
        if bool(key.key) == bool(key.key_env):
            both = "both `key` and `key_env`" if key.key else "neither `key` nor `key_env`"
            raise ValueError(f"`keys[{at}]` has {both}, allowed: one of them")
        _check_key(f"keys[{at}].", key)
        first = known.setdefault((key.key, key.key_env), at)
        if first != at:
            raise ValueError(f"`keys[{at}]` is the same as `keys[{first}]`, allowed: each once")


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def key_env(self) -> str: ...


def _check_key(where: str, keyed: _Keyed) -> None:
    """Raises `ValueError` for a key that cannot be sent, or what names no variable; it repeats
    neither: a key may stand in the place of the variable.
    """
    if not (keyed.key.isascii() and keyed.key.strip().isprintable()):
        raise ValueError(f"`{where}key` has characters that no header can hold")
    if keyed.key_env and not VARIABLE.fullmatch(keyed.key_env):
        raise ValueError(
            f"`{where}key_env` is no variable's name, allowed: letters, digits and _ (the key "
            "itself stands in `key`)"
        )
