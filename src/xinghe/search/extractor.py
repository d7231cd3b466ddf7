"""Files and pages as text, whatever their kind; HTML and PDF are read in a process of their own."""

import codecs
import re
from typing import Literal

import msgspec

from xinghe.core import ACCOUNT
from xinghe.workers import RequestFailed, WorkerFailure, WorkerPool, WorkerTimeout

Kind = Literal["markdown", "text", "html", "pdf"]

SUFFIXES: dict[str, Kind] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
}
"""What is read, by the end of its name in small letters."""

TIMEOUT = 30.0
"""Seconds for one file."""
MEMORY = 2 * 1024**3
"""Bytes of data that the process may hold; a file that needs more fails alone."""

_TITLE = re.compile(r"^# +(.+?)[ #]*$", re.MULTILINE)
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_STRANGE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ue000-\uf8ff]+")
"""Control characters but tabs and ends of lines, and those for private use."""
_MOST_STRANGE = 0.02
"""The share of control and private-use characters from which on a text is none."""


class Extraction(msgspec.Struct):
    """A file to read."""

    kind: Literal["html", "pdf"]
    data: bytes


class Extracted(msgspec.Struct):
    """What it says; `title` is empty where the file names none."""

    title: str
    text: str


class Unreadable(Exception):
    """No text could be read; the message says why, in words that fit after "because"."""


class Undecodable(Exception):
    """The bytes are no text in an encoding that we know."""


class Extractor:
    """Reads; its process starts with the first file that needs it."""

    def __init__(self) -> None:
        self._worker = WorkerPool(
            "xinghe.search.extraction_worker",
            Extracted,
            size=1,
            waiting=256,
            share=64,
            timeout=TIMEOUT,
            memory=MEMORY,
            nice=10,
            grace=TIMEOUT,  # it starts for longer than most files take
        )

    @property
    def pid(self) -> int | None:
        """The process that reads HTML and PDF, while it runs."""
        return next(iter(self._worker.pids), None)

    async def read(self, data: bytes, kind: Kind, timeout: float = TIMEOUT) -> Extracted:  # noqa: ASYNC109
        """The title and the text of a file. `timeout` in seconds. Raises `Unreadable`."""
        extracted = await self._read(data, kind, timeout)
        if not extracted.text.strip():
            raise Unreadable("it holds no text")
        return extracted

    async def aclose(self) -> None:
        """End the process."""
        await self._worker.aclose()

    async def _read(self, data: bytes, kind: Kind, timeout: float) -> Extracted:  # noqa: ASYNC109
        if kind in {"markdown", "text"}:
            try:
                text = decode(data).replace("\r\n", "\n")
            except Undecodable as error:
                raise Unreadable(str(error)) from error
            if kind == "text":
                return Extracted("", text)
            text = _FRONT.sub("", text)
            title = _TITLE.search(text)
            return Extracted(title[1] if title else "", text)
        try:
            return await self._worker.call(
                Extraction("pdf" if kind == "pdf" else "html", data), ACCOUNT.get(), timeout
            )
        except RequestFailed as error:
            raise Unreadable(f"it is broken ({str(error)[:200]})") from error
        except WorkerTimeout as error:
            raise Unreadable(f"it could not be read in {timeout:g} s") from error
        except WorkerFailure as error:
            raise Unreadable(f"reading it failed ({error})") from error


def kind_of(content_type: str, data: bytes) -> Kind | None:
    """What a fetched body is, by its label and its first bytes; `None` if it holds no text."""
    label = content_type.split(";", 1)[0].strip().lower()
    if data.startswith(b"%PDF-"):
        return "pdf"
    if label in {"text/html", "application/xhtml+xml"}:
        return "html"
    if label.startswith("text/"):
        return "text"
    start = data[:1024].lstrip().lower()
    return "html" if not label and start.startswith((b"<!doctype html", b"<html")) else None


def decode(data: bytes) -> str:
    """Read UTF-8, UTF-16/32 with a byte order mark, or GB18030 (which holds GBK and GB2312).

    Raises `Undecodable`.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _checked(data, encoding)
    if b"\0" in data:
        raise Undecodable("it is binary")
    try:
        return _checked(data, "utf-8")
    except Undecodable:
        return _checked(data, "gb18030")


def _checked(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Undecodable("it is neither UTF-8, UTF-16 nor GB18030 text") from error
    strange = sum(map(len, _STRANGE.findall(text)))
    if strange > len(text) * _MOST_STRANGE:
        raise Undecodable("it is binary")
    return text
