"""Bringing files into the corpus: what is unchanged is skipped, what is gone is dropped.

The project's own pages are in it before anybody has indexed anything.
"""

import asyncio
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from xinghe.search.corpus import DOCUMENTATION, Corpus, Document, Stamp
from xinghe.search.extractor import SUFFIXES, Extractor, Unreadable
from xinghe.search.terms import passages

MAX_FILE_BYTES = 32 * 1024 * 1024
AT_ONCE = 1024 * 1024
"""Bytes of files that are stored in one transaction: each transaction waits for the disk."""
_PACKAGE = Path(__file__).parents[1]


class Skipped(msgspec.Struct, frozen=True):
    """A file that was left out, and why."""

    path: str
    reason: str


class Report(msgspec.Struct):
    """What came of one run."""

    added: int = 0
    unchanged: int = 0
    dropped: int = 0
    skipped: list[Skipped] = []


async def index(
    corpus: Corpus,
    extractor: Extractor,
    name: str,
    roots: Sequence[Path],
    *,
    public: bool = True,
    url: str = "",
) -> Report:
    """Make the collection `name` hold the files under `roots`, and nothing else.

    A root is a file or a folder that exists. No file can stop the run; a document that can no
    longer be read is dropped. Raises `StorageError`s and what APSW raises.
    """
    report = Report()
    collection = corpus.put_collection(name, public=public, url=url)
    known = corpus.stamps(collection)
    kept: set[str] = set()
    read: list[Document] = []
    for path, file in _files(roots, report):
        if path in kept:
            report.skipped.append(Skipped(str(file), f"another file is {path} already"))
            continue
        try:
            stamp = _stamp(file)
            if known.get(path) == stamp:
                report.unchanged += 1
            else:
                read.append(await _document(extractor, path, file, stamp))
                report.added += 1
            kept.add(path)
        except Unreadable as error:
            report.skipped.append(Skipped(str(file), str(error)))
        if sum(each.stamp.size for each in read) >= AT_ONCE:
            await asyncio.to_thread(corpus.put, collection, read)
            read = []
    # Half a second for the project's own pages, while others are answered.
    await asyncio.to_thread(corpus.put, collection, read)
    gone = [path for path in known if path not in kept]
    corpus.drop(collection, gone)
    report.dropped = len(gone)
    return report


def documentation() -> list[Path]:
    """README and docs, in both languages: part of an installed package, beside a checkout's."""
    installed = _PACKAGE / "documentation"
    if installed.is_dir():
        return sorted(installed.glob("*.md"))
    root = _PACKAGE.parents[1]
    return sorted([*root.glob("README*.md"), *(root / "docs").glob("*.md")])


async def index_documentation(corpus: Corpus, extractor: Extractor) -> Report:
    """Bring the pages into the corpus; cheap when they are there already."""
    return await index(corpus, extractor, DOCUMENTATION, documentation(), public=True)


def _files(roots: Sequence[Path], report: Report) -> Iterator[tuple[str, Path]]:
    """The files to index, each with its path in the collection.

    Below a root no symbolic link is followed: it may lead out, or in a circle.
    """

    def failed(error: OSError) -> None:
        report.skipped.append(Skipped(str(error.filename), error.strerror or "it cannot be read"))

    for root in roots:
        if not root.is_dir():
            yield from _usable(root.name, root, report)
            continue
        for folder, below, names in os.walk(root, onerror=failed):
            below[:] = sorted(each for each in below if not each.startswith("."))
            for each in sorted(names):
                file = Path(folder) / each
                if not each.startswith("."):
                    yield from _usable(file.relative_to(root).as_posix(), file, report)


def _usable(path: str, file: Path, report: Report) -> Iterator[tuple[str, Path]]:
    try:
        path.encode()
    except UnicodeEncodeError:
        report.skipped.append(Skipped(ascii(path), "its name is not UTF-8"))
        return
    if file.suffix.lower() not in SUFFIXES:
        report.skipped.append(Skipped(str(file), "it is none of " + ", ".join(SUFFIXES)))
    else:
        yield path, file


def _stamp(file: Path) -> Stamp:
    try:
        status = file.lstat()
    except OSError as error:
        raise Unreadable(error.strerror or "it cannot be read") from error
    if stat.S_ISLNK(status.st_mode):
        raise Unreadable("it is a symbolic link")
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("it is not a regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise Unreadable(f"it has {status.st_size} bytes, allowed: up to {MAX_FILE_BYTES}")
    return Stamp(str(file), status.st_size, status.st_mtime_ns)


async def _document(extractor: Extractor, path: str, file: Path, stamp: Stamp) -> Document:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Unreadable(error.strerror or "it cannot be read") from error
    extracted = await extractor.read(data[:MAX_FILE_BYTES], SUFFIXES[file.suffix.lower()])
    title = extracted.title or file.stem
    # A lone surrogate, from a PDF's broken table of characters, cannot be stored.
    text = extracted.text.encode("utf-8", "replace").decode()
    title = title.encode("utf-8", "replace").decode()
    return Document(path, title, stamp, tuple(passages(text)))
