"""What a request used, in a form that the tables accept and a rate can price."""

from __future__ import annotations

from typing import Self

import msgspec

from xinghe.core import Meter, Rate

LARGEST_COUNT = 10**12
"""Of tokens or searches: beyond what any request can use, and far from where a column overflows."""


class Usage(msgspec.Struct, frozen=True):
    """Counts of tokens, and of searches; `cached` and `search` are each part of `prompt`."""

    prompt: int
    completion: int
    cached: int
    search: int = 0
    searches: int = 0

    @classmethod
    def of(cls, meter: Meter) -> Self:
        """The meter's counts, brought into range: an upstream may report nonsense."""
        prompt = _in_range(meter.prompt_tokens)
        return cls(
            prompt,
            _in_range(meter.completion_tokens),
            min(prompt, _in_range(meter.cached_tokens)),
            min(prompt, _in_range(meter.search_tokens)),
            _in_range(meter.searches),
        )

    def cost(self, rate: Rate) -> int:
        """Micro-Tokens."""
        return rate.cost(self.prompt, self.completion, self.cached, self.searches)


def _in_range(count: int) -> int:
    return min(max(0, count), LARGEST_COUNT)
