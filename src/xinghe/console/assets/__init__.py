"""The files of the pages: style, scripts and pictures, each under a URL that names its content."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent
PATH = "/console/assets/"
FILES = {
    "pico.css": FOLDER / "vendor" / "pico.css",
    "console.css": FOLDER / "console.css",
    "htmx.js": FOLDER / "vendor" / "htmx.js",
    "hx-sse.js": FOLDER / "vendor" / "hx-sse.js",
    "console.js": FOLDER / "console.js",
    "logo.svg": FOLDER / "logo.svg",
    "playground.css": FOLDER.parent / "playground" / "assets" / "playground.css",
    "forms.css": FOLDER.parent / "playground" / "forms" / "forms.css",
}
MODULES = {
    **{
        f"playground/{each.name}": each
        for each in sorted((FOLDER.parent / "playground" / "assets").glob("*.js"))
    },
    "marked.js": FOLDER / "vendor" / "marked.js",
    "purify.js": FOLDER / "vendor" / "purify.js",
}
WHEN_NEEDED = {
    "highlight.js": FOLDER / "vendor" / "highlight.js",
    "katex.js": FOLDER / "vendor" / "katex.js",
}
"""Modules that load each other, by paths beside their own: so all have one version. Those of
`WHEN_NEEDED` come with the first code or formula."""
_LASTS = "public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True):
    """A file, as it is sent."""

    name: str
    version: str
    media_type: str
    compressed: bytes


class Assets:
    """All of them, read once."""

    def __init__(self) -> None:
        self._all = {name: _read(name, path) for name, path in FILES.items()}
        modules = [_read(name, path) for name, path in (MODULES | WHEN_NEEDED).items()]
        version = _digest(b"".join(each.version.encode() for each in modules))
        self._all |= {each.name: msgspec.structs.replace(each, version=version) for each in modules}

    def url(self, name: str) -> str:
        """Of an asset: it changes with its content."""
        return f"{PATH}{self._all[name].version}/{name}"

    def size(self, name: str) -> int:
        """Bytes of an asset, compressed."""
        return len(self._all[name].compressed)

    def answer(self, request: Request, version: str, name: str) -> Response:
        """The asset of a name; 404 where there is none."""
        found = self._all.get(name)
        if found is None:
            return Response(status_code=404)
        # An old page may still ask for an old version: it is given today's, for this once.
        lasts = _LASTS if version == found.version else "no-cache"
        headers = {"cache-control": lasts, "vary": "accept-encoding"}
        data = found.compressed
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
        else:
            data = gzip.decompress(data)
        return Response(data, headers=headers, media_type=found.media_type)


def _read(name: str, path: Path) -> Asset:
    data = path.read_bytes()
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(name, _digest(data), kind, gzip.compress(data, 9, mtime=0))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
