"""What every search provider speaks."""

from typing import Protocol

import msgspec


class SearchFailed(Exception):
    """No results could be had; the text is for the log and holds no query."""


class Found(msgspec.Struct, frozen=True):
    """One result, best first in its list.

    `text` is the document's own text where the provider has it, else the page must be fetched.
    What is not `public` may be read by the model and is shown to nobody.
    """

    url: str
    title: str
    snippet: str
    text: str | None = None
    public: bool = True


class Provider(Protocol):
    """Searches. `name` is its label in the metrics."""

    @property
    def name(self) -> str: ...

    async def search(self, query: str, number: int) -> list[Found]:
        """At most `number` results. Raises `SearchFailed`."""

    async def aclose(self) -> None:
        """Drop what is open."""
