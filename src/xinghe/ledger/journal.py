"""What a process owes its database: settlements and checkpoints that were not taken in time.

Each hold has a place of its own, from before it is reserved until its settlement is in the
database: the journal is never full for an answer that was begun. A place is written over only
when what stood there is in the database, or when the same hold has more to tell. So all that is
found after a death may be replayed: what was done before does nothing.

The file has its full size on the disk from the beginning, so a full disk does not stop it.
"""

import os
import struct
import zlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, TypeAlias

import msgspec

from xinghe.ledger.holds import Counts
from xinghe.storage import StorageUnavailable

NOTHING = Counts(0, 0, 0)
PLACES = 16_384
PLACE_BYTES = 128
"""A divisor of a sector's 512 bytes."""
_FRAME = struct.Struct("<IH")
"""CRC-32 of all that follows, and the number of bytes behind this head."""


class Record(msgspec.Struct, frozen=True, array_like=True):
    """How a hold is resolved, or (`checkpoint`) what it owes so far; `at` in microseconds UTC."""

    kind: Literal["capture", "release", "checkpoint"]
    hold_id: str
    member_id: int
    at: int
    usage: Counts = NOTHING


Placed: TypeAlias = tuple[int, Record]
_decoder = msgspec.msgpack.Decoder(Record)


class Journal:
    """The journal of the running process, in a file that `prepare` made. Used by one thread."""

    def __init__(self, descriptor: int, places: int = PLACES) -> None:
        self._descriptor = descriptor
        self.places = places
        self._free = list(range(places - 1, -1, -1))
        self._thread = ThreadPoolExecutor(1, "xinghe-journal")

    @property
    def idle(self) -> bool:
        """Whether no hold has a place: all that stands here is in the database."""
        return not self.used

    @property
    def used(self) -> int:
        """How many holds have a place."""
        return self.places - len(self._free)

    def take(self) -> int:
        """A place for a new hold. Raises `StorageUnavailable` when there is none."""
        if not self._free:
            raise StorageUnavailable(f"{self.places} holds wait for the database: no more begin")
        return self._free.pop()

    def give_back(self, place: int) -> None:
        """A hold's place, once it has nothing more to tell."""
        self._free.append(place)

    def write(self, group: Iterable[Placed]) -> "Future[None]":
        """Have records written; the future is done when all are on the disk.

        It raises `OSError` where they may not be: then they are to be written once more.
        """
        return self._thread.submit(_write, self._descriptor, list(group))

    def close(self) -> None:
        """Wait (blocking) for what was handed in. The file stays open."""
        self._thread.shutdown()


def prepare(descriptor: int, places: int = PLACES) -> None:
    """Give an empty file its size, on the disk. Raises `OSError`."""
    # Zeros and not only reserved room: to write over them needs no new block of any kind.
    _write_at(descriptor, bytes(places * PLACE_BYTES), 0)
    os.fsync(descriptor)


def read(descriptor: int) -> list[Record]:
    """All records of a dead process's journal, the oldest first.

    What was torn by its death is passed over: nothing was acknowledged on its account. Raises
    `OSError`, and `msgspec.DecodeError` for a record of a newer program.
    """
    data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    found = []
    for start in range(0, len(data) - _FRAME.size, PLACE_BYTES):
        crc, length = _FRAME.unpack_from(data, start)
        frame = data[start + 4 : start + _FRAME.size + length]
        if length and zlib.crc32(frame) == crc:
            found.append(_decoder.decode(frame[2:]))
    return sorted(found, key=lambda record: record.at)


def framed(record: Record) -> bytes:
    """The bytes of a record; raises `ValueError` where they are too many for a place."""
    payload = msgspec.msgpack.encode(record)
    if len(payload) > PLACE_BYTES - _FRAME.size:
        raise ValueError(f"a record of {len(payload)} bytes")
    length = len(payload).to_bytes(2, "little")
    return zlib.crc32(length + payload).to_bytes(4, "little") + length + payload


def _write(descriptor: int, group: list[Placed]) -> None:
    for place, record in group:
        _write_at(descriptor, framed(record), place * PLACE_BYTES)
    os.fdatasync(descriptor)


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    if os.pwrite(descriptor, data, offset) != len(data):
        raise OSError("the disk took only a part")
