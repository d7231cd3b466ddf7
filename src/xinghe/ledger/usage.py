"""What a request used, in a form that the tables accept and a rate can price."""

from __future__ import annotations

from typing import Self

import msgspec

from xinghe.core import Meter, Rate

LARGEST_COUNT = 10**12
"""Of tokens: beyond what any request can use, and far from where a column overflows."""


class Usage(msgspec.Struct, frozen=True):
    """Counts of tokens; `cached` are part of `prompt`."""

    prompt: int
    completion: int
    cached: int

    @classmethod
    def of(cls, meter: Meter) -> Self:
        """The meter's counts, brought into range: an upstream may report nonsense."""
        prompt = _in_range(meter.prompt_tokens)
        return cls(
            prompt, _in_range(meter.completion_tokens), min(prompt, _in_range(meter.cached_tokens))
        )

    def cost(self, rate: Rate) -> int:
        """Micro-Tokens."""
        return rate.cost(self.prompt, self.completion, self.cached)


def _in_range(count: int) -> int:
    return min(max(0, count), LARGEST_COUNT)
