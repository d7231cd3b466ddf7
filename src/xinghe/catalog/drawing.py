"""What an image may be asked to be: sizes, samplers and styles by their documented names."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TypeVar

import msgspec

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

Option = str | int | float | bool
T = TypeVar("T")


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
