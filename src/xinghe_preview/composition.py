"""What is to be in a picture: the outcome of reading a prompt."""

from __future__ import annotations

from typing import Literal

import msgspec

Bond = Literal["wears", "holds", "on", "beside", "under", "behind", "front", "within"]


class Tie(msgspec.Struct, frozen=True):
    """How an item is bound to another: this one is worn by, held by, or on … item number `to`."""

    bond: Bond
    to: int


class Item(msgspec.Struct, frozen=True):
    """Something in the picture.

    `subject` is a key of the vocabulary, or empty where the word is unknown: then `text` is
    written on a card. `colours` are keys too; `size` is in percent.
    """

    subject: str
    text: str
    colours: tuple[str, ...] = ()
    count: int = 1
    size: int = 100
    tie: Tie | None = None


class Composition(msgspec.Struct, frozen=True):
    """Items in the order of the prompt; places and the backdrop's colour by their keys.

    `unread` are words of the prompt that had no influence, `barred` the subjects that the scenery
    may not bring in.
    """

    items: tuple[Item, ...]
    places: tuple[str, ...] = ()
    backdrop: str = ""
    unread: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
