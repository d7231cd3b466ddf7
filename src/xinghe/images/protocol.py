"""What an image may be, and what every engine that makes images speaks.

None of them knows HTTP's edge, money or the dialect.
"""

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Protocol, TypeVar

import msgspec

from xinghe.catalog import DOCUMENTED_PARAMETERS, ImageParameter

SIZES: dict[str, tuple[int, int]] = {
    name: (int(name.split("x")[0]), int(name.split("x")[1]))
    for name in (
        "768x768", "1024x1024", "1536x1536", "2048x2048",
        "1024x768", "2048x1536",
        "768x1024", "1536x2048", "576x1024", "1152x2048",
        "1024x576", "2048x1152",
    )
}  # fmt: skip
"""Width and height in pixels (section 4.2.2)."""
DEFAULT_SIZE = "1024x1024"
DEFAULT_SAMPLER = "Euler a"
DEFAULT_STYLE = "Base"
NO_ENHANCER = "has no effect: there is no prompt enhancer"
RETRY_AFTER = 5.0
"""Seconds that a client is told to wait where nobody knows how long it takes."""
MAX_SEED = 4294967295
"""Seeds are 32 bits (section 4.2.2)."""

Option = str | int | float | bool
T = TypeVar("T")

Progress = Callable[[int], None]
"""Is told how many steps are done of the `ImageParams.total_steps`, 0 as soon as work begins.

From the first call on the client owes what is done; the number never falls.
"""


class ImageEngineError(Exception):
    """No image was made; the text is for the log, never for a client."""


class ImageEngineFailed(ImageEngineError):
    """It broke in the middle of this work: another try may do."""


class ImageEngineAway(ImageEngineFailed):
    """It could not be reached or started, or is not to be tried now.

    `retry_after` is in seconds.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ImageEngineUnavailable(ImageEngineError):
    """It refuses this, and would again: another try is in vain."""


class ImageEngineIndebted(ImageEngineUnavailable):
    """It refuses its operator: a key, a right or a balance is wanting. That is logged already."""


class ImageEngineRefused(ImageEngineError):
    """A moderation of its own refuses the prompt."""


def share_of(queue: int) -> int:
    """How many of the places of an engine's queue one account may have."""
    return max(1, queue // 2)


class ImageParams(msgspec.Struct, frozen=True):
    """What is to be drawn (section 4.2.2); width and height in pixels, all numbers as checked.

    `style` and `sampler` are the documented names. Image `i` of `n` has the seed
    `(seed + i) mod 2**32`. `use_pe`: the prompt may be enhanced by who draws. `parameters` are
    those that the model has under names of its own.
    """

    prompt: str
    negative_prompt: str
    width: int
    height: int
    steps: int
    sampler: str
    style: str
    seed: int
    cfg_scale: float
    n: int
    use_pe: bool = True
    parameters: frozenset[ImageParameter] = DOCUMENTED_PARAMETERS

    @property
    def seeds(self) -> list[int]:
        """One for each image, in order."""
        return [(self.seed + at) % (MAX_SEED + 1) for at in range(self.n)]

    @property
    def total_steps(self) -> int:
        """Of all images together."""
        return self.steps * self.n


class ImageEngine(Protocol):
    """Draws images; the same `ImageParams` gives the same bytes."""

    @property
    def served_by(self) -> str:
        """What really draws, as `/models` and the header `x-served-by` tell it."""

    @property
    def abilities(self) -> dict[str, str]:
        """What is done otherwise than by the documented model, as `/models` tells it.

        By parameter: `{"prompt": "…"}`; empty where a diffusion model does it all.
        """

    async def start(self) -> None:
        """Begin to load what takes long; the first `generate` would do it, too."""

    async def generate(self, params: ImageParams, progress: Progress) -> list[bytes]:
        """`params.n` PNG files of exactly that size, in order.

        Cancelling it ends the work within one step. Raises `ImageEngineError`, `Busy`.
        """

    async def ready(self) -> bool:
        """Whether a request sent now would be answered."""

    async def aclose(self) -> None: ...


class Sampler(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scheduler of the library diffusers, and what is set on it."""

    scheduler: str
    options: dict[str, Option] = {}


class Style(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a style makes of the two prompts; `{prompt}` in `positive` stands for what was asked."""

    title: str
    positive: str = "{prompt}"
    negative: str = ""

    def __post_init__(self) -> None:
        if self.positive.count("{prompt}") != 1:
            raise ValueError("`positive` needs {prompt} once")

    def apply(self, prompt: str, negative_prompt: str) -> tuple[str, str]:
        """The prompt and the negative prompt, in this style."""
        negative = ", ".join(part for part in (negative_prompt, self.negative) if part)
        return self.positive.replace("{prompt}", prompt), negative


@cache
def samplers() -> dict[str, Sampler]:
    """Every sampler by its name, in the document's order (data: samplers.toml)."""
    return _read("samplers.toml", dict[str, Sampler])


@cache
def styles() -> dict[str, Style]:
    """Every style by its name, in the document's order (data: styles.toml)."""
    return _read("styles.toml", dict[str, Style])


def _read(name: str, kind: type[T]) -> T:
    return msgspec.convert(
        tomllib.loads(files(__package__).joinpath(name).read_text("utf-8")), kind
    )
