"""Reads the words of a prompt: who has which colour, who wears, holds or sits on what."""

from __future__ import annotations

import msgspec

from xinghe_preview.bonds import acts, aloft, bond_of, slot_of, wearable
from xinghe_preview.composition import Bond, Composition, Item, Tie
from xinghe_preview.words import Word

MOST_ITEMS = 12
MOST_COPIES = 12
"""Of one item, however many are asked for."""
MOST_CARDS = 3
SHORTEST_DOING = 6
"""Characters: a string is a thing."""
CARD = 24
"""Characters on a card beside other things."""


class Reader:
    """Goes through the words once, with what was said of a thing that is yet to be named."""

    def __init__(self, words: list[Word]) -> None:
        self._words = words
        self._items: list[Item] = []
        self._places: list[str] = []
        self._unread: list[str] = []
        self._backdrop = ""
        self._anchor: int | None = None
        """Who wears and holds what is named next."""
        self._clause: list[int] = []
        """Those who share what is said of where they are."""
        self._loose: list[int] = []
        """Worn or held by someone who is yet to be named."""
        self._host: tuple[Bond, int] | None = None
        """Where the one who is named next is: B 上有 A."""
        self._lead = 0
        """How many there are of those who are yet to be named: 两个戴草帽的农夫."""
        self._relation = ""
        self._forget()

    def _forget(self) -> None:
        """What was said of a thing holds for one thing."""
        self._colours: list[str] = []
        self._count = 0
        self._size = 100

    def read(self) -> Composition:
        said = {
            "subject": self._subject,
            "place": self._place,
            "relation": self._joined,
            "after": self._after,
            "backdrop": self._behind_all,
            "noun": self._known_noun,
            "other": self._other,
            "stop": self._stop,
            "colour": self._colour,
            "number": self._number,
            "size": self._sized,
            "part": self._part,
        }
        for at, word in enumerate(self._words):
            if word.sort in said:
                said[word.sort](word, at)
        self._end_of_phrase()
        unique = dict.fromkeys
        return Composition(
            tuple(self._items),
            tuple(unique(self._places)),
            self._backdrop,
            tuple(unique(self._unread)),
        )

    def _colour(self, word: Word, at: int) -> None:
        self._colours.append(word.key)

    def _number(self, word: Word, at: int) -> None:
        self._count = min(max(int(word.key), 1), MOST_COPIES)

    def _sized(self, word: Word, at: int) -> None:
        self._size = int(word.key)

    def _part(self, word: Word, at: int) -> None:
        """Blue eyes make no blue dress: what was said of a part is said of nothing else."""
        self._colours, self._size, self._relation = [], 100, ""

    def _place(self, word: Word, at: int) -> None:
        self._places.append(word.key)
        self._relation = ""
        self._forget()

    def _joined(self, word: Word, at: int) -> None:
        self._end_of_phrase()
        self._lead = self._count or self._lead
        self._relation = word.key

    def _behind_all(self, word: Word, at: int) -> None:
        self._backdrop = self._colours[-1] if self._colours else self._backdrop
        self._forget()

    def _stop(self, word: Word, at: int) -> None:
        self._end_of_phrase()
        self._relation = ""
        self._forget()
        if word.text != "、":
            self._clause, self._host, self._lead = [], None, 0

    def _known_noun(self, word: Word, at: int) -> None:
        self._card(word.text)

    def _subject(self, word: Word, at: int) -> None:
        if self._begins_compound(word, at):
            return
        relation, self._relation = self._relation, ""
        number = self._add(word.key, word.text)
        if number is None:
            return
        bond = bond_of(relation, word.key) if relation else None
        if bond in {"wears", "holds"} or (bond is None and wearable(word.key)):
            self._belonging(number, bond)
        elif bond and self._anchor is not None:
            self._placed(number, bond, self._anchor)
        else:
            self._main(number)

    def _begins_compound(self, word: Word, at: int) -> bool:
        """书架 is no book: one character, then an unknown one, and no more is a thing by itself.

        What animals and people are followed by is rather what they do.
        """
        after = [
            self._words[at + 1 + step].sort if at + 1 + step < len(self._words) else "stop"
            for step in (0, 1)
        ]
        if len(word.text) > 1 or acts(word.key) or after != ["other", "stop"]:
            return False
        text = word.text + self._words[at + 1].text
        self._words[at + 1] = Word("noise", text)
        self._card(text)
        return True

    def _belonging(self, at: int, bond: Bond | None) -> None:
        """It is somebody's; one named with no word between is worn if that place is free."""
        if self._anchor is None:
            self._loose.append(at)
        elif bond or self._free(self._anchor, at):
            self._tie(at, bond or "wears", self._anchor)

    def _placed(self, at: int, bond: Bond, anchor: int) -> None:
        """Those named before are on it, under it …; or it is beside them."""
        free = [who for who in self._clause if self._items[who].tie is None]
        if not free or bond == "beside":
            self._tie(at, "beside", anchor)
            return
        for who in free:
            self._tie(who, bond, at)

    def _main(self, at: int) -> None:
        if self._host is not None and self._host[1] != at:
            self._tie(at, *self._host)
        for loose in self._loose:
            self._tie(loose, "wears" if wearable(self._items[loose].subject) else "holds", at)
        if self._loose and self._lead:
            self._items[at] = msgspec.structs.replace(self._items[at], count=self._lead)
        self._loose, self._lead, self._anchor = [], 0, at
        self._clause.append(at)

    def _add(self, subject: str, text: str) -> int | None:
        """The number of a new item; `None` for one that is there already, or one too many."""
        item = Item(
            subject, text, tuple(dict.fromkeys(self._colours)), self._count or 1, self._size
        )
        named_again = not self._count and self._size == 100
        self._forget()
        for at, other in enumerate(self._items):
            same = subject and (other.subject, other.colours) == (subject, item.colours)
            if same and named_again:
                self._anchor = self._anchor if wearable(subject) else at
                return None
        if len(self._items) >= MOST_ITEMS:
            self._unread.append(text)
            return None
        self._items.append(item)
        return len(self._items) - 1

    def _free(self, anchor: int, at: int) -> bool:
        slot = slot_of(self._items[at].subject)
        return all(
            item.tie != Tie("wears", anchor) or slot_of(item.subject) != slot
            for item in self._items
        )

    def _tie(self, at: int, bond: Bond, to: int) -> None:
        if bond in {"under", "behind", "front"} and aloft(self._items[to].subject):
            return  # everything is under a rainbow
        self._items[at] = msgspec.structs.replace(self._items[at], tie=Tie(bond, to))

    def _after(self, word: Word, at: int) -> None:
        """A 在 B 上: those named before B in this clause are on it; else the one named next."""
        host = len(self._items) - 1
        named = at and self._words[at - 1].sort == "subject" and host >= 0
        if not named or self._items[host].subject != self._words[at - 1].key:
            return
        bond = bond_of(word.key, self._items[host].subject)
        if bond is None or wearable(self._items[host].subject):
            return
        guests = [who for who in self._clause if who != host and self._items[who].tie is None]
        self._clause = [who for who in self._clause if who != host]
        for who in guests:
            self._tie(who, bond, host)
        self._anchor = guests[-1] if guests else None
        self._host = None if guests else (bond, host)

    def _other(self, word: Word, at: int) -> None:
        """An unknown word is a thing where a number or a colour leads to it and nothing follows."""
        follows = self._words[at + 1] if at + 1 < len(self._words) else Word("stop", "")
        describes = follows.sort in {"subject", "other", "colour", "noun"} or follows.text == "的"
        describes = describes and not _does(follows)
        if describes or _does(word) or not (self._count or self._colours):
            self._unread.append(word.text)
        else:
            self._card(word.text)

    def _card(self, text: str) -> None:
        if sum(not item.subject for item in self._items) >= MOST_CARDS:
            self._unread.append(text)
            return
        self._relation = ""
        at = self._add("", text[:CARD])
        if at is not None:
            self._clause.append(at)

    def _end_of_phrase(self) -> None:
        """A colour that nothing followed belongs to what stands before: 帽子是红色的."""
        if self._colours == ["orange"] and self._count:  # an orange is no colour
            self._colours = []
            self._subject(Word("subject", "orange", "orange_fruit"), len(self._words))
        elif self._colours and self._items and not self._items[-1].colours:
            last = self._items[-1]
            self._items[-1] = msgspec.structs.replace(last, colours=tuple(self._colours))
        self._colours = []


def _does(word: Word) -> bool:
    """A word that says what someone does, in English: no thing, and it describes none."""
    return word.sort == "other" and len(word.text) > SHORTEST_DOING and word.text.endswith("ing")
