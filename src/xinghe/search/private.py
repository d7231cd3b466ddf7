"""Which sources the operator calls non-public: they get neither citation nor trace."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit


class PrivateSources:
    """Patterns: `corp.example` (with its subdomains), `*.local`, `example.com/internal/*`."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = tuple(pattern.lower().rstrip("/") for pattern in patterns)

    def covers(self, url: str) -> bool:
        """Whether a URL is one of them; one that cannot be read is."""
        if not self._patterns:
            return False
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").rstrip(".").lower()
        except ValueError:
            return True
        path = unquote(parts.path).lower()
        return any(_matches(pattern, host, path) for pattern in self._patterns)


def _matches(pattern: str, host: str, path: str) -> bool:
    hosts, slash, rest = pattern.partition("/")
    if not (fnmatchcase(host, hosts) or host.endswith("." + hosts)):
        return False
    return not slash or fnmatchcase(path, "/" + rest) or path.startswith(f"/{rest}/")
