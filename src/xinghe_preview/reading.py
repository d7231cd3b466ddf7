"""From a request to its composition."""

from __future__ import annotations

import msgspec

from xinghe_preview.bonds import is_land
from xinghe_preview.composition import Composition, Item, Tie
from xinghe_preview.messages import PreviewRequest
from xinghe_preview.reader import CARD, Reader
from xinghe_preview.words import Word, words

OPEN_COUNTRY = "meadow"
"""The place of a mountain where the prompt names none: it stands in no studio."""
MEANT = 2
"""Characters in a word that is not just a remainder of what was read."""


def compose(request: PreviewRequest) -> Composition:
    """What the prompt asks for, less what the negative prompt bars.

    The same for every image of a request; where things stand is the layout's to say. A prompt of
    which nothing is known becomes one card with its words. Never fails.
    """
    read = Reader(words(request.prompt)).read()
    if request.negative_prompt:
        read = _without(read, words(request.negative_prompt))
    if not read.places and any(is_land(item.subject) for item in read.items):
        read = msgspec.structs.replace(read, places=(OPEN_COUNTRY,))
    if read.places and not read.items:  # a place without the one who should be there
        missed = " ".join(word for word in read.unread if len(word) >= MEANT)
        return msgspec.structs.replace(read, items=(Item("", missed[:CARD]),)) if missed else read
    if any(item.subject for item in read.items) or read.places:
        return read
    colours = read.items[0].colours if read.items else ()
    text = " ".join(request.prompt.split())[: 2 * CARD]
    return msgspec.structs.replace(read, items=(Item("", text, colours),))


def _without(read: Composition, barred: list[Word]) -> Composition:
    """Without the subjects, colours and places that are barred, and the ties to what is gone."""
    subjects, colours, places = (
        {word.key for word in barred if word.sort == sort}
        for sort in ("subject", "colour", "place")
    )
    kept = [at for at, item in enumerate(read.items) if item.subject not in subjects]
    moved = {at: number for number, at in enumerate(kept)}
    items = []
    for at in kept:
        item = read.items[at]
        tie = item.tie and (
            Tie(item.tie.bond, moved[item.tie.to]) if item.tie.to in moved else None
        )
        left = tuple(colour for colour in item.colours if colour not in colours)
        items.append(msgspec.structs.replace(item, tie=tie, colours=left))
    return msgspec.structs.replace(
        read,
        items=tuple(items),
        places=tuple(place for place in read.places if place not in places),
        backdrop="" if read.backdrop in colours else read.backdrop,
        barred=tuple(sorted(subjects)),
    )
