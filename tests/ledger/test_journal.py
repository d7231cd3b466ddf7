"""What was acknowledged is found again, whatever breaks off in the midst of whatever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.kit.disk import fill, small_disk
from tests.ledger.books import ROOT
from xinghe.ledger.holds import Counts
from xinghe.ledger.journal import PLACE_BYTES, Journal, Record, framed, prepare, read
from xinghe.storage import StorageUnavailable

PLACES = 4
COUNTS = st.builds(Counts, *[st.integers(0, 10**12)] * 5)
RECORDS = st.builds(
    Record,
    st.sampled_from(["capture", "release", "checkpoint"]),
    st.text("0123456789abcdef", min_size=30, max_size=30),
    st.integers(1, 2**63 - 1),
    st.integers(0, 2**63 - 1),
    COUNTS,
)


def opened(file: Path, places: int = PLACES) -> int:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    prepare(descriptor, places)
    return descriptor


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    descriptor = opened(tmp_path / "journal")
    yield descriptor
    os.close(descriptor)


@given(record=RECORDS)
def test_every_record_fits(record: Record) -> None:
    assert len(framed(record)) <= PLACE_BYTES


def test_a_record_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        framed(Record("release", "0" * 200, 1, 1))


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    file = tmp_path / "of an older program"
    file.touch()
    descriptor = os.open(file, os.O_RDWR)
    assert read(descriptor) == []
    os.close(descriptor)


@settings(max_examples=20, deadline=None)
@given(before=st.none() | RECORDS, record=RECORDS, other=RECORDS)
def test_torn_at_every_byte(before: Record | None, record: Record, other: Record) -> None:
    """The place is as it was or as it should be, or shows nothing; the one beside it stands."""
    old = b"" if before is None else framed(before)
    new = framed(record)
    with tempfile.TemporaryFile() as file:
        prepare(file.fileno(), PLACES)
        os.pwrite(file.fileno(), framed(other), PLACE_BYTES)
        for cut in range(len(new) + 1):
            os.pwrite(file.fileno(), (new[:cut] + old[cut:]).ljust(PLACE_BYTES, b"\0"), 0)
            found = read(file.fileno())
            found.remove(other)
            assert found in ([], [before], [record])
            if cut == len(new):
                assert found == [record]


@settings(deadline=None)
@given(damage=st.binary(min_size=1, max_size=3 * PLACE_BYTES), at=st.integers(0, 4 * PLACE_BYTES))
def test_damage_is_no_record(damage: bytes, at: int) -> None:
    with tempfile.TemporaryFile() as file:
        prepare(file.fileno(), PLACES)
        os.pwrite(file.fileno(), damage, at)
        assert read(file.fileno()) == []


class JournalMachine(RuleBasedStateMachine):
    """A process that dies between any two steps, and one that reads what it left."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.boots = 0
        self.boot()

    def boot(self) -> None:
        self.boots += 1
        self.file = Path(self.folder.name) / str(self.boots)
        self.descriptor = opened(self.file)
        self.journal = Journal(self.descriptor, PLACES)
        self.number = 0
        self.owed: dict[int, Record | None] = {}
        """What was acknowledged for each place that is taken."""

    @rule()
    def reserve(self) -> None:
        if len(self.owed) == PLACES:
            with pytest.raises(StorageUnavailable):
                self.journal.take()
        else:
            place = self.journal.take()
            assert place not in self.owed
            self.owed[place] = None

    @precondition(lambda self: self.owed)
    @rule(data=st.data(), usage=COUNTS)
    def tell(self, data: st.DataObject, usage: Counts) -> None:
        group = []
        for place in data.draw(st.sets(st.sampled_from(sorted(self.owed)), min_size=1)):
            self.number += 1
            record = Record("capture", f"{self.number:030x}", 1, self.number, usage)
            group.append((place, record))
        self.journal.write(group).result()
        self.owed.update(group)

    @precondition(lambda self: self.owed)
    @rule(data=st.data())
    def is_in_the_database(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(sorted(self.owed)))
        del self.owed[place]
        self.journal.give_back(place)

    @precondition(lambda self: self.owed)
    @rule(data=st.data(), cut=st.integers(0, PLACE_BYTES))
    def dies_while_writing(self, data: st.DataObject, cut: int) -> None:
        place = data.draw(st.sampled_from(sorted(self.owed)))
        if self.owed[place] is None:
            torn = framed(Record("capture", "f" * 30, 1, 1))[:cut]
            os.pwrite(self.descriptor, torn, place * PLACE_BYTES)
        self.found()
        self.journal.close()
        os.close(self.descriptor)
        self.boot()

    @invariant()
    def found(self) -> None:
        found = read(self.descriptor)
        assert [
            record for record in self.owed.values() if record is not None and record not in found
        ] == []
        assert found == sorted(found, key=lambda record: record.at)
        assert self.journal.idle == (not self.owed)

    def teardown(self) -> None:
        self.journal.close()
        os.close(self.descriptor)
        self.folder.cleanup()


TestJournal: Any = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)

WRITES = """
import os, sys
from xinghe.ledger.holds import Counts
from xinghe.ledger.journal import Journal, Record, prepare
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
prepare(descriptor, 1000)
journal = Journal(descriptor, 1000)
for number in range(1000):
    record = Record("capture", f"{number:030x}", 1, number, Counts(number, 1, 0))
    journal.write([(journal.take(), record)]).result()
    print(number, flush=True)
"""


def test_kill_9_in_the_midst_of_writing(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    command = [sys.executable, "-c", WRITES, str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout)
        for _ in range(50):
            next(lines)
        process.send_signal(signal.SIGKILL)
        told = 50 + len(list(lines))
    descriptor = os.open(file, os.O_RDWR)
    found = read(descriptor)
    os.close(descriptor)
    assert told <= len(found) <= told + 1
    assert [record.usage.prompt for record in found] == list(range(len(found)))


def test_a_full_disk_does_not_stop_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as folder:
        descriptor = opened(folder / "journal", 1000)
        fill(folder / "filler")
        journal = Journal(descriptor, 1000)
        try:
            group = [(journal.take(), Record("release", f"{n:030x}", 1, n)) for n in range(1000)]
            journal.write(group).result()
            assert [record.at for record in read(descriptor)] == list(range(1000))
        finally:
            journal.close()
            os.close(descriptor)


def test_a_disk_that_fails_is_told(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    os.close(opened(file))
    descriptor = os.open(file, os.O_RDONLY)
    journal = Journal(descriptor, PLACES)
    with pytest.raises(OSError, match="Bad file descriptor"):
        journal.write([(journal.take(), Record("release", "0" * 30, 1, 1))]).result()
    journal.close()
    os.close(descriptor)
