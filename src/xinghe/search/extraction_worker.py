"""The worker that reads HTML and PDF: strangers wrote them, and parsers of either can hang or die.

Run as `python -m xinghe.search.extraction_worker`; `xinghe.search.extractor` is the parent's side.
"""

import io
import logging

from pypdf import PdfReader
from trafilatura import bare_extraction, html2txt

from xinghe.search.extractor import Extracted, Extraction, decode
from xinghe.workers import serve

MAX_PAGES = 2000
MAX_CHARACTERS = 4_000_000


def extract(request: Extraction) -> Extracted:
    """Read a file. Raises what the parsers raise."""
    read = _pdf if request.kind == "pdf" else _html
    title, text = read(request.data)
    return Extracted(" ".join(title.split())[:300], text[:MAX_CHARACTERS].strip())


def _html(data: bytes) -> tuple[str, str]:
    # Bytes, so that a charset in the page is heard; ours only where the page is silent.
    page: bytes | str = data if b"charset" in data[:4096].lower() else decode(data)
    document = bare_extraction(page, include_comments=False, with_metadata=True)
    title = (getattr(document, "title", None) or "") if document is not None else ""
    text = (getattr(document, "text", None) or "") if document is not None else ""
    # Short pages have no "main" text to be found, but they have a text.
    return title, text or html2txt(page) or ""


def _pdf(data: bytes) -> tuple[str, str]:
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("it is encrypted")
    metadata = reader.metadata
    title = (metadata.title or "") if metadata is not None else ""
    pieces: list[str] = []
    size = 0
    for page in reader.pages[:MAX_PAGES]:
        pieces.append(page.extract_text())
        size += len(pieces[-1])
        if size > MAX_CHARACTERS:
            break
    return title, "\n\n".join(pieces)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # Both parsers comment on every slip of a file.
    serve(extract, Extraction)
