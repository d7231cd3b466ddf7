"""Which of several replicas gets a request that belongs to none of them in particular."""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Loaded(Protocol):
    """A replica as a choice sees it; `weight` is above 0, `outstanding` requests are at work."""

    weight: float
    credit: float
    """How far it is behind its share of the turns: what `LeastOutstanding` keeps."""

    @property
    def outstanding(self) -> int: ...


Some = TypeVar("Some", bound=Loaded)


class Choice(Protocol):
    """Picks one of at least one."""

    def choose(self, among: Sequence[Some]) -> Some: ...


class LeastOutstanding:
    """The replica with the fewest requests at work for its weight; equals take turns by weight.

    A replica that answers slowly keeps its requests for longer, and so gets fewer of them. The
    turns are those of a smooth weighted round robin: who was away has none to catch up with.
    """

    def choose(self, among: Sequence[Some]) -> Some:
        least = min(one.outstanding / one.weight for one in among)
        equals = [one for one in among if one.outstanding / one.weight == least]
        for one in equals:
            one.credit += one.weight
        chosen = max(equals, key=lambda one: one.credit)
        chosen.credit -= sum(one.weight for one in equals)
        return chosen
