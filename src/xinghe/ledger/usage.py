"""What a request used, in a form that the tables accept and a rate can price."""

from __future__ import annotations

from typing import Self

import msgspec

from xinghe.core import Meter, Rate


class Usage(msgspec.Struct, frozen=True):
    """Counts of tokens; `cached` are part of `prompt`."""

    prompt: int
    completion: int
    cached: int

    @classmethod
    def of(cls, meter: Meter) -> Self:
        """The meter's counts, brought into range: an upstream may report nonsense."""
        prompt = max(0, meter.prompt_tokens)
        return cls(
            prompt, max(0, meter.completion_tokens), min(prompt, max(0, meter.cached_tokens))
        )

    def cost(self, rate: Rate) -> int:
        """Micro-Tokens."""
        return rate.cost(self.prompt, self.completion, self.cached)
