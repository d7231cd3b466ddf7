"""What a model costs."""

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """A model's price, in micro-Tokens a token; `search` is a web search's, whatever it brings."""

    input: int
    output: int
    cached_input: int
    search: int = 0

    def cost(
        self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0, searches: int = 0
    ) -> int:
        """Micro-Tokens for the given counts; `cached_tokens` are part of `prompt_tokens`."""
        fresh = prompt_tokens - cached_tokens
        return (
            fresh * self.input
            + cached_tokens * self.cached_input
            + completion_tokens * self.output
            + searches * self.search
        )
