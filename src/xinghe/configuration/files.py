"""The operator's files in a data directory: `models.toml`, and the lists in `safety`."""

import os
import stat
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from xinghe.catalog import Tree
from xinghe.configuration.tree import (
    MAX_BYTES,
    SAFETY,
    TreeError,
    checked,
    lists_of,
    models_of,
    with_lists,
)
from xinghe.safety.lists import MAX_BYTES as MAX_LIST_BYTES
from xinghe.settings.toml import parsed

log = structlog.get_logger(__name__)

MODELS = "models.toml"
LISTS = "safety"
QUIET = 0.25
"""Seconds for which a file must not have changed before it is read: an editor writes in pieces."""
EMPTY = 2.0
"""The same for one that holds nothing: it may have been cut short to be written anew."""
SETTLED = 2.0
"""Seconds: a file system's clock may not tell two quick writes apart."""


class Found(msgspec.Struct, frozen=True):
    """What the files hold. `models`: None where there is no file; `lists`: None where no folder.

    `troubles` are of files that cannot be used, by their names.
    """

    models: Tree | None = None
    lists: dict[str, str] | None = None
    troubles: dict[str, str] = {}

    def over(self, base: Tree) -> Tree:
        """All of it as one tree: what is not there, or cannot be used, is as in `base`.

        A file that was taken away changes nothing; a list does, out of a folder that is there.
        """
        models = models_of(base) if self.models is None else self.models
        was, lists = lists_of(base), self.lists
        if lists is None:
            return with_lists(models, was)
        unusable = {name: text for name, text in was.items() if f"{LISTS}/{name}" in self.troubles}
        return with_lists(models, unusable | lists)


class Stamp(msgspec.Struct, frozen=True):
    """Of a file that may have changed when this has; the time is that of any change of it."""

    changed: int
    size: int
    inode: int


class Files:
    """Those of one directory. All methods wait for the disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: dict[str, Stamp] | None = None
        self._since = 0.0
        self._read: dict[str, Stamp] | None = None
        self._last = Found()
        self._settled = True
        """Whether what was read last is surely all that its stamps stand for."""
        self._wrong: dict[str, list[int]] = {}

    def read(self) -> Found:
        """What they hold now."""
        self._seen, self._since = self._stamps(), time.monotonic()
        return self._reading(self._seen)

    def changed(self) -> Found | None:
        """What they hold, if that is another than was read last, and they are quiet."""
        stamps, at = self._stamps(), time.monotonic()
        if stamps != self._seen:
            self._seen, self._since = stamps, at
        if stamps == self._read and self._settled:
            return None
        quiet = EMPTY if any(each.size == 0 for each in stamps.values()) else QUIET
        # The time of the change tells at the first look that it was long enough ago. What was
        # taken away has none.
        taken = self._read is None or self._read.keys() - stamps.keys()
        waited = max(at - self._since, 0.0 if taken else _age(stamps))
        if waited < quiet:
            return None
        before, last = self._read, self._last
        found = self._reading(stamps)
        if self._stamps() != stamps:
            self._read, self._last = before, last
            return None
        return None if found == last and before is not None else found

    def _reading(self, stamps: dict[str, Stamp]) -> Found:
        self._read, self._settled = stamps, _age(stamps) > SETTLED
        self._last = self._found()
        return self._last

    def _log_skipped(self, name: str, wrong: list[int]) -> None:
        """Log lines that are not UTF-8, once."""
        for line in wrong if self._wrong.get(name) != wrong else ():
            log.warning("safety list line skipped", list=name, line=line, why="not UTF-8")
        self._wrong[name] = wrong

    def _stamps(self) -> dict[str, Stamp]:
        paths = [self._directory / MODELS]
        try:
            paths += self._list_paths()
        except OSError:  # told when it is read
            paths.append(self._directory / LISTS)
        stamps = {str(path.relative_to(self._directory)): _stamp(path) for path in paths}
        return {name: stamp for name, stamp in stamps.items() if stamp is not None}

    def _list_paths(self) -> list[Path]:
        folder = self._directory / LISTS
        return sorted(path for path in folder.iterdir() if path.suffix == ".txt")

    def _found(self) -> Found:
        troubles: dict[str, str] = {}
        models: Tree | None = None
        try:
            models = self._models()
        except (OSError, ValueError, TreeError) as error:
            troubles[MODELS] = _why(error)
        lists: dict[str, str] = {}
        try:
            paths = self._list_paths()
        except (FileNotFoundError, NotADirectoryError):
            return Found(models, None, troubles)
        except OSError as error:
            return Found(models, None, {**troubles, LISTS: _why(error)})
        for path in paths:
            try:
                text, wrong = _lines(_bytes(path, MAX_LIST_BYTES))
                checked(with_lists({}, {path.name: text}))
                lists[path.name] = text
                self._log_skipped(path.name, wrong)
            except FileNotFoundError:
                continue  # deleted since, or a link to nothing
            except (OSError, TreeError) as error:
                troubles[f"{LISTS}/{path.name}"] = _why(error)
        return Found(models, lists, troubles)

    def _models(self) -> Tree | None:
        """Raises `OSError`, `TreeError`, `ValueError`."""
        path = self._directory / MODELS
        try:
            data = _bytes(path, MAX_BYTES)
        except FileNotFoundError:
            return None
        tree = checked(parsed(data.decode()))
        if SAFETY in tree:
            raise TreeError(f"`{SAFETY}` is no section of it: lists are files in {LISTS}/")
        return tree


def _stamp(path: Path) -> Stamp | None:
    """Of what is at a path; `None`: nothing is.

    A link that leads nowhere, or in a circle, is something: what is wrong ends with it.
    """
    for look in (path.stat, path.lstat):
        with suppress(OSError):
            status = look()
            return Stamp(status.st_ctime_ns, status.st_size, status.st_ino)
    return None


def _age(stamps: dict[str, Stamp]) -> float:
    """Seconds since the last change."""
    return time.time() - max((each.changed for each in stamps.values()), default=0) / 1e9


def _lines(data: bytes) -> tuple[str, list[int]]:
    """The text of a list, remarks for its lines that are not UTF-8; and the numbers of these."""
    lines, wrong = list[str](), list[int]()
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True), 1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            wrong.append(number)
            lines.append("# this line was not UTF-8\n")
    return "".join(lines), wrong


def _bytes(path: Path, most: int) -> bytes:
    """Raises `OSError`, and `TreeError` for what is too large or no file."""
    # Not to wait for whoever might write into a pipe of that name.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise TreeError("it is no file")
        if status.st_size > most:
            raise TreeError(f"it has {status.st_size} bytes, allowed: 0 to {most}")
        return file.read(most)


def _why(error: Exception) -> str:
    if isinstance(error, IsADirectoryError):
        return "it is no file"
    if isinstance(error, OSError):
        return error.strerror or "it cannot be read"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error)
