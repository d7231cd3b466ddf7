"""The operator's lists on disk: which there are, what they hold, and whether they changed."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import structlog

from xinghe.safety.phrases import read_list

log = structlog.get_logger(__name__)

MAX_BYTES = 16 * 1024 * 1024
_SETTLED = 2_000_000_000  # ns: a file system's clock may not tell two quick writes apart.


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
