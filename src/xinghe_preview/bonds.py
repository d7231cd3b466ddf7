"""What a preposition or a verb means before a certain subject."""

from __future__ import annotations

from typing import get_args

from xinghe_preview.composition import Bond
from xinghe_preview.vocabulary import Slot, vocabulary

HELD = {"food", "object", "plant", "wear"}
HELD_ALOFT = {"balloon", "kite", "lantern", "star"}
SOLID = {"building", "land"}
"""Who is in it would not be seen."""
CARRIED: set[Slot] = {"over", "hand"}
"""What is worn there is as well held."""


def bond_of(relation: str, subject: str) -> Bond | None:
    """One is in a hat, and in a box; one is with a book, and with a dog; before a house, seen."""
    entry = vocabulary().subjects[subject] if subject else None
    if entry is None or relation not in get_args(Bond):
        return None
    if relation == "wears" and entry.kind != "wear":
        relation = "within"
    if relation == "holds":
        if entry.kind == "wear" and entry.slot not in CARRIED:
            return "wears"
        return "holds" if entry.kind in HELD or subject in HELD_ALOFT else "beside"
    if relation == "within" and entry.kind in SOLID:
        return "front"
    known: dict[str, Bond] = {bond: bond for bond in get_args(Bond)}
    return known[relation]


def wearable(subject: str) -> bool:
    return bool(subject) and vocabulary().subjects[subject].kind == "wear"


def slot_of(subject: str) -> Slot | None:
    return vocabulary().subjects[subject].slot if subject else None


def aloft(subject: str) -> bool:
    return bool(subject) and vocabulary().subjects[subject].kind == "sky"


def is_land(subject: str) -> bool:
    """Mountains and the like, which stand at the horizon; an island is in the water before it."""
    entry = vocabulary().subjects[subject] if subject else None
    return entry is not None and entry.kind == "land" and not entry.swims


def acts(subject: str) -> bool:
    return vocabulary().subjects[subject].kind in {"animal", "person"}
