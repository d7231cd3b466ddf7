"""How the servers of a deployment are, as an operator is told."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from xinghe.outbound.replicas.replica import State


class KeyRefused(msgspec.Struct, frozen=True):
    """A key, counted from 1, that its server last refused with a status: for want of a right or a
    balance, or because it is none.
    """

    key: int
    status: int


class ServerState(msgspec.Struct, frozen=True):
    """`server` is its origin, with a number where several have the same one.

    `keys` is how many keys are used there; 1 also where none is set.
    """

    server: str
    state: State
    keys: int
    refused: list[KeyRefused]

    @property
    def refuses(self) -> bool:
        """Whether it refuses all that may be sent to it."""
        return len(self.refused) == self.keys


@runtime_checkable
class OnServers(Protocol):
    """What serves by servers that the operator has named."""

    @property
    def servers(self) -> list[ServerState]: ...
