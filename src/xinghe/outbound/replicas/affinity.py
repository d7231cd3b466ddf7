"""Which replica has read the beginning of a prompt already, so that it need not read it again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from math import ceil, log
from typing import Protocol, TypeVar

import msgspec

from xinghe.outbound.replicas.choice import Loaded

REMEMBERED = 16_384
"""Conversations whose replica is remembered; those that have been silent longest go first."""
SPARE = 1.25
"""How many times its share of all work a replica may have before conversations begin elsewhere."""
SPARE_BEGUN = 2.0
"""The same for conversations that have begun there: to go elsewhere costs them what it has read."""


class Head(msgspec.Struct, frozen=True):
    """What a prompt begins with: digests of the instructions that conversations may share (empty:
    there are none), and of these with the first thing that was said.
    """

    shared: bytes
    conversation: bytes


class Named(Loaded, Protocol):
    """A replica with a name that stays the same: whoever knows it makes the same choice."""

    name: str


Some = TypeVar("Some", bound=Named)


class Affinity(Protocol):
    """Prefers a replica for a prompt by what the prompt begins with."""

    def goes_on(self, head: Head, among: Sequence[Some]) -> Some | None:
        """The one that has answered the conversation so far, if it has room."""

    def prefer(self, head: Head, among: Sequence[Some]) -> Some | None:
        """The replica for one that begins; `None` where all it has reason to prefer are full."""

    def fit(self, head: Head, among: Sequence[Some]) -> Sequence[Some]:
        """Those that have not just failed at it; all where there are no others."""

    def went(self, head: Head, replica: Named, *, well: bool = True) -> None:
        """It was answered there, or failed there."""


class PrefixAffinity:
    """Consistent hashing over the head of a conversation, with bounded load.

    A conversation goes where its last request was answered, and not where that failed: another
    replica may make what this one broke off. A new one goes where others with the same
    instructions go, by rendezvous hashing: of replicas that come or go, only their own part moves.
    Where that replica has more than its share of the work at hand, the conversation's own digest
    chooses among the others. With fewer than `few` requests it is never too much to go on there.
    """

    def __init__(self, few: int = 0, before: PrefixAffinity | None = None) -> None:
        """`before`: one whose memory it goes on with."""
        self._few = few
        self._went: OrderedDict[bytes, tuple[str, bool]]
        self._went = before._went if before else OrderedDict()

    def goes_on(self, head: Head, among: Sequence[Some]) -> Some | None:
        last, well = self._went.get(head.conversation, ("", False))
        for one in among if well else ():
            if one.name == last:
                few = one.outstanding < self._few
                return one if few or _has_room(one, among, SPARE_BEGUN) else None
        return None

    def prefer(self, head: Head, among: Sequence[Some]) -> Some | None:
        first = max(among, key=lambda one: _score(head.shared or head.conversation, one))
        if _has_room(first, among, SPARE):
            return first
        others = [one for one in among if one is not first and _has_room(one, among, SPARE)]
        return max(others, key=lambda one: _score(head.conversation, one), default=None)

    def fit(self, head: Head, among: Sequence[Some]) -> Sequence[Some]:
        last, well = self._went.get(head.conversation, ("", True))
        return among if well else [one for one in among if one.name != last] or among

    def went(self, head: Head, replica: Named, *, well: bool = True) -> None:
        self._went[head.conversation] = replica.name, well
        self._went.move_to_end(head.conversation)
        if len(self._went) > REMEMBERED:
            self._went.popitem(last=False)


def digest(*parts: bytes) -> bytes:
    """Of texts one behind the other: where one ends and the next begins makes a difference."""
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(8))
        hashed.update(part)
    return hashed.digest()


def _has_room(one: Loaded, among: Sequence[Loaded], spare: float) -> bool:
    """Whether it has less than so many times its share of the work of all."""
    work, weights = sum(each.outstanding for each in among), sum(each.weight for each in among)
    return one.outstanding < ceil(spare * (work + 1) * one.weight / weights)


def _score(key: bytes, one: Named) -> float:
    """Weighted rendezvous hashing: the highest of all is chosen, in proportion to the weights."""
    drawn = int.from_bytes(blake2b(one.name.encode(), key=key, digest_size=8).digest())
    return -one.weight / log((drawn + 1) / (2**64 + 2))
