"""What every maker of vectors speaks. None knows HTTP's edge, money or the dialect."""

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from operator import mul
from typing import Literal, Protocol

import msgspec

Form = Literal["text", "query", "passage"]
"""What a text is to the model. `text` is for texts that are compared among each other."""
Began = Callable[[], None]
"""Called when work on a request begins."""


class EmbedderError(Exception):
    """No vectors were made; the text is for the log, never for a client."""


class EmbedderFailed(EmbedderError):
    """It died, could not be reached, or broke its protocol, after another try."""


class EmbedderAway(EmbedderFailed):
    """It could not be reached or started, or is not to be tried now.

    `retry_after` is in seconds.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TextTooLong(Exception):
    """Texts have more tokens than `limit`; nothing was computed.

    `found` are the tokens of each of them by its number (from 0); `index` and `tokens` are of the
    first. With a limit of 0, the server counts by itself, and the tokens are an estimate.
    """

    def __init__(self, found: Mapping[int, int], limit: int) -> None:
        self.index, self.tokens = min(found.items())
        super().__init__(f"text {self.index} has {self.tokens} tokens, at most {limit} are taken")
        self.found, self.limit = found, limit

    def behind(self, texts: int) -> "TextTooLong":
        """The same where so many `texts` stand before these."""
        return TextTooLong({texts + at: count for at, count in self.found.items()}, self.limit)


class Vectors(msgspec.Struct, frozen=True):
    """One vector a text, each as little-endian 32-bit floats; all have the same dimension."""

    data: list[bytes]

    @property
    def dimensions(self) -> int:
        """0 where there are no vectors."""
        return len(self.data[0]) // 4 if self.data else 0

    def floats(self) -> list[list[float]]:
        return [array("f", each).tolist() for each in self.data]


def similarity(one: bytes, other: bytes) -> float:
    """The cosine of two vectors (32-bit floats), brought from [-1, 1] to [0, 1].

    A vector of length 0 is as far from one as from its opposite. Raises `ValueError` for vectors
    of unlike dimensions.
    """
    a, b = array("f", one), array("f", other)
    if len(a) != len(b):
        raise ValueError(f"the vectors have {len(a)} and {len(b)} dimensions")
    lengths = math.hypot(*a) * math.hypot(*b)
    cosine = sum(map(mul, a, b)) / lengths if lengths else 0.0
    return min(1.0, max(0.0, (1 + cosine) / 2))


class Embedder(Protocol):
    """Makes vectors of length 1, so that their dot product is their cosine."""

    served_by: str
    """What really answers, as `/models` and the header `x-served-by` tell it."""
    dimensions: int
    """Of its vectors; 0 where that is not known before the first answer."""
    resizable: bool
    """Whether it makes vectors of a dimension that is asked for."""
    reranks: bool = False
    """Whether it ranks documents by a model of its own, and not by vectors."""
    max_tokens: int
    """The most tokens that a text may have; 0 where the engine sets no limit."""
    batch: int = 16
    """Texts of a call that keeps nobody else waiting for long."""

    async def vectors(
        self,
        texts: Sequence[str],
        form: Form,
        *,
        max_tokens: int = 0,
        dimensions: int | None = None,
        began: Began | None = None,
    ) -> Vectors:
        """The vectors of `texts`, in order; `began` is called when work on them begins.

        `max_tokens` 0 sets no limit. Raises `TextTooLong`, `EmbedderError`. Cancelling it gives
        up what has not begun.
        """

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[bytes]:
        """The same for search within the platform. Raises `EmbedderError`.

        Passages are for an index that nobody waits for: they let requests pass.
        """

    async def rank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        max_tokens: int = 0,
        began: Began | None = None,
    ) -> list[float]:
        """How well each document answers the query, in [0, 1]: by how alike their vectors are.

        Raises as `vectors` does; in `TextTooLong` the index of the query is 0, those of the
        documents follow.
        """
        asked = await self.vectors([query], "query", max_tokens=max_tokens, began=began)
        try:
            found = await self.vectors(documents, "passage", max_tokens=max_tokens)
        except TextTooLong as error:
            raise error.behind(1) from None
        return [similarity(asked.data[0], each) for each in found.data]

    async def ready(self) -> bool:
        """Whether a request sent now would be answered."""

    async def aclose(self) -> None: ...
