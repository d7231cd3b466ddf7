"""Which of several replicas gets a request that belongs to none of them in particular."""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Loaded(Protocol):
    """A replica as a choice sees it; `weight` is above 0, `outstanding` requests are at work."""

    weight: float
    outstanding: int
    given: int
    """Requests that it has had so far."""


Some = TypeVar("Some", bound=Loaded)


class Choice(Protocol):
    """Picks one of at least one."""

    def choose(self, among: Sequence[Some]) -> Some: ...


class LeastOutstanding:
    """The replica with the fewest requests at work for its weight; of equals, whose turn it is.

    A replica that answers slowly keeps its requests for longer, and so gets fewer of them. Of
    replicas that all have nothing to do, the one with the fewest requests so far for its weight.
    """

    def choose(self, among: Sequence[Some]) -> Some:
        return min(among, key=lambda one: ((one.outstanding + 1) / one.weight, turn(one)))


def turn(one: Loaded) -> float:
    """How far a replica is ahead in its share of all requests."""
    return (one.given + 1) / one.weight
