"""What an operator sets of replicas, and the replicas that are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from xinghe.outbound.client import Server
from xinghe.outbound.replicas.breaker import CircuitBreaker
from xinghe.outbound.replicas.keys import InTurn, Key, KeySpec, Single, Used
from xinghe.outbound.replicas.replica import Replica

ALONE_FOR = 1.0
"""Seconds for which a server that nobody can stand in for may fail before it counts as away: it
may be starting anew."""


class ReplicaSpec(Protocol):
    """A server as the operator has set it."""

    @property
    def url(self) -> str: ...
    @property
    def weight(self) -> float: ...
    @property
    def key(self) -> str: ...
    @property
    def key_env(self) -> str: ...


class Deployment(Protocol):
    """What every deployment on servers has; the time limits are in seconds."""

    @property
    def replicas(self) -> Sequence[ReplicaSpec]: ...
    @property
    def key(self) -> str: ...
    @property
    def key_env(self) -> str: ...
    @property
    def keys(self) -> Sequence[KeySpec]: ...
    @property
    def slots(self) -> int: ...
    @property
    def connect_timeout(self) -> float: ...
    @property
    def silence_timeout(self) -> float: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


class _OwnKey(msgspec.Struct, frozen=True):
    """That of a server alone, without limits."""

    key: str = ""
    key_env: str = ""
    rpm: int = 0
    tpm: int = 0
    concurrent: int = 0


KeyUses = dict[tuple[str, str], Used]
"""By key and variable, what was sent with each."""


def replicas_of(
    name: str, deployment: Deployment, known: Mapping[str, Replica], uses: KeyUses
) -> list[Replica]:
    """`known` are those of before the deployment was changed, by URL; new keys join `uses`."""

    def key_of(spec: KeySpec, number: int) -> Key:
        return Key(spec, number, uses.setdefault((spec.key, spec.key_env), Used()))

    specs, several = deployment.replicas, len(deployment.replicas) > 1
    shared = (
        InTurn([key_of(spec, number) for number, spec in enumerate(deployment.keys, 1)])
        if deployment.keys
        else Single(key_of(_OwnKey(deployment.key, deployment.key_env), 1))
    )
    urls = {spec.url: spec.url.rstrip("/") for spec in specs}
    kept = {url: known[same] for url, same in urls.items() if same in known}
    made, labels = list[Replica](), {one.name for one in kept.values()}
    for spec in specs:
        own, before = spec.key or spec.key_env, kept.get(spec.url)
        keys = Single(key_of(_OwnKey(spec.key, spec.key_env), 1)) if own else shared
        servers = dict[Key, Server]()
        label = before.name if before else ""
        for key in keys.keys:
            server = Server(
                spec.url,
                name=name,
                connect=deployment.connect_timeout,
                silence=deployment.silence_timeout,
                key=key.spec.key,
                key_env=key.spec.key_env,
                headers=deployment.headers,
            )
            label = label or _label(server.origin, labels)
            parts = [name, label] if several else [name]
            parts += [f"key {key.number}"] if len(keys.keys) > 1 else []
            server.logged_as = ", ".join(parts)
            servers[key] = server
            for old, other in before.servers.items() if before else ():
                if old.used is key.used:
                    server.refused_with = other.refused_with
        labels.add(label)
        breaker = before.breaker if before else CircuitBreaker()
        breaker.grace = 0.0 if several else ALONE_FOR
        made.append(
            Replica(name, label, urls[spec.url], spec.weight, keys, servers, breaker, before)
        )
    return made


def _label(origin: str, taken: set[str]) -> str:
    """Its origin, and a number where several replicas share that: the rest may hold a key."""
    number, label = 1, origin
    while label in taken:
        number += 1
        label = f"{origin}#{number}"
    return label
