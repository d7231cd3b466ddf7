"""The operator's lists: how they are written, which there are, and whether they changed."""

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from xinghe.safety.folding import PLAIN, fold
from xinghe.safety.phrases import MAX_PHRASE, Phrase, may_be_leet

log = structlog.get_logger(__name__)

OPERATOR_FLAG = 3
"""How severe an operator's phrase is unless its line says otherwise."""
ALLOW_LIST = "allow.txt"
MAX_BYTES = 16 * 1024 * 1024
_SETTLED = 2_000_000_000  # ns: a file system's clock may not tell two quick writes apart.


class OperatorList(msgspec.Struct, frozen=True):
    """What a file held: its phrases, and `(line number, reason)` for each broken line."""

    phrases: list[Phrase]
    broken: list[tuple[int, str]]


def read_list(name: str, data: bytes) -> OperatorList:
    """Read an operator's file: UTF-8, a phrase a line, `phrase<TAB>flag`, `#` for comments.

    In `allow.txt` the phrases shield. Broken lines are left out and told.
    """
    words: dict[tuple[int, bool], list[str]] = {}
    broken: list[tuple[int, str]] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        try:
            read = _read_line(name, line)
        except _BrokenLine as error:
            broken.append((number, str(error)))
        else:
            if read:
                word, flag = read
                words.setdefault((flag, may_be_leet(word)), []).append(word)
    category = f"operator/{name.removesuffix('.txt')}"
    # One choice of many words is found as quickly as one word; many phrases are not.
    phrases = [
        Phrase((tuple(dict.fromkeys(choice)),), flag, category, own=True)
        for (flag, _), choice in words.items()
    ]
    return OperatorList(phrases, broken)


def phrases_of(lists: Mapping[str, bytes]) -> list[Phrase]:
    """Of all lists, which come by their names."""
    return [phrase for name in sorted(lists) for phrase in read_list(name, lists[name]).phrases]


class _BrokenLine(Exception):
    """A line that is no phrase; the message says why."""


def _read_line(name: str, line: bytes) -> tuple[str, int] | None:
    """The folded phrase and its flag; `None` for a line without one. Raises `_BrokenLine`."""
    try:
        text = line.decode().strip()
    except UnicodeDecodeError:
        raise _BrokenLine("not UTF-8") from None
    if not text or text.startswith("#"):
        return None
    phrase, tab, mark = text.partition("\t")
    mark = mark.strip()
    if name == ALLOW_LIST:
        if tab:
            raise _BrokenLine(f"{ALLOW_LIST} takes phrases without a flag")
        flag = 0
    elif not tab:
        flag = OPERATOR_FLAG
    elif mark in {"1", "2", "3", "4"}:
        flag = int(mark)
    else:
        raise _BrokenLine(f"flag {mark[:20]!r} is not in 1 to 4")
    folded = fold(phrase, PLAIN)
    if not folded:
        raise _BrokenLine("the phrase holds no letter, digit or Chinese character")
    if len(folded) > MAX_PHRASE:
        raise _BrokenLine(
            f"the phrase has {len(folded)} characters; the range is 1 to {MAX_PHRASE}"
        )
    return folded, flag


class _Stamp(msgspec.Struct, frozen=True):
    # The time of the last change of content, name or rights, which no copying tool sets back.
    changed: int
    size: int
    inode: int


class _List(msgspec.Struct):
    """The last state seen of a file; `stamp` is `None` while it must be read again to be sure."""

    stamp: _Stamp | None = None
    data: bytes | None = None
    good: bytes | None = None
    trouble: str = ""


class OperatorLists:
    """`*.txt` in one folder. A file that cannot be used leaves its last good state in force."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lists: dict[str, _List] = {}

    @property
    def good(self) -> dict[str, bytes]:
        """What is in force: the last good state of each list that has had one."""
        return {name: each.good for name, each in self._lists.items() if each.good is not None}

    def refresh(self) -> bool:
        """Read what has changed; true if `good` may be another. Blocks on the disk."""
        stamps = self._stamps()
        gone = self._lists.keys() - stamps.keys()
        for name in gone:
            del self._lists[name]
        changed = [self._read(name, stamp) for name, stamp in stamps.items() if stamp]
        return bool(gone) or any(changed)

    def _stamps(self) -> dict[str, _Stamp | None]:
        """What is in the folder; `None` where it is there and cannot be looked at."""
        stamps: dict[str, _Stamp | None] = {}
        try:
            paths = [path for path in self._folder.iterdir() if path.suffix == ".txt"]
        except (FileNotFoundError, NotADirectoryError):
            return stamps
        except OSError as error:
            for name in self._lists:
                self._refuse(name, error)
            return dict.fromkeys(self._lists)
        for path in paths:
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # Deleted since the folder was listed, or a link to nothing.
            except OSError as error:
                # The disk's trouble does not take a list out of force.
                self._refuse(path.name, error)
                stamps[path.name] = None
                continue
            stamps[path.name] = _Stamp(status.st_ctime_ns, status.st_size, status.st_ino)
        return stamps

    def _read(self, name: str, stamp: _Stamp) -> bool:
        state = self._lists.setdefault(name, _List())
        if state.stamp == stamp:
            return False
        state.stamp = stamp if time.time_ns() - stamp.changed > _SETTLED else None
        try:
            if stamp.size > MAX_BYTES:
                raise ValueError(f"{stamp.size} bytes; the range is 0 to {MAX_BYTES}")
            data = (self._folder / name).read_bytes()
            if data == state.data:
                return False
            state.data = data
            _require_phrases(name, data)
            state.good = data
        except OSError as error:
            state.stamp = None  # It may pass without a change of the file.
            self._refuse(name, error)
            return False
        except ValueError as error:
            self._refuse(name, error)
            return False
        state.trouble = ""
        return True

    def _refuse(self, name: str, error: OSError | ValueError) -> None:
        """Say why a list's last good state stays in force: once, not at every look."""
        state = self._lists.setdefault(name, _List())
        reason = (error.strerror or "unreadable") if isinstance(error, OSError) else str(error)
        if reason != state.trouble:
            log.warning("safety list refused, its last good state stays", list=name, why=reason)
        state.trouble = reason


def _require_phrases(name: str, data: bytes) -> None:
    """Tells of lines that are none. Raises `ValueError`."""
    found = read_list(name, data)
    if found.broken and not found.phrases:
        number, reason = found.broken[0]
        raise ValueError(f"no line is a phrase (line {number}: {reason})")
    for number, reason in found.broken:
        log.warning("safety list line skipped", list=name, line=number, why=reason)
