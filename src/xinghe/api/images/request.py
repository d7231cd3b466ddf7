"""The parameters of `POST /images/generations` (section 4.2.2)."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from xinghe.api.end_user import read_user
from xinghe.api.errors import ApiError, Errors, refuse
from xinghe.api.fields import choice, flag, integer, number
from xinghe.catalog import ModelCard
from xinghe.images import (
    DEFAULT_SAMPLER,
    DEFAULT_SIZE,
    DEFAULT_STYLE,
    MAX_SEED,
    SIZES,
    Asked,
    samplers,
    styles,
)
from xinghe.settings import Images

FORMATS = ("url", "b64_json")
MAX_CHARACTERS = 1024
"""Of a prompt where the model's card names no other number."""
MAX_IMAGES = 4
STEPS, DEFAULT_STEPS = (10, 50), 20
CFG_SCALE, DEFAULT_CFG_SCALE = (0, 30), 5.0
RETRIES, DEFAULT_RETRIES = (0, 10), 1
BACKOFF = (0, 60)
REQUEST_TIMEOUT = (1, 3600)
OPENAI_FORMATS = ("png",)
OPENAI_BACKGROUNDS = ("auto", "opaque")
KNOWN = frozenset(
    {
        "model", "prompt", "negative_prompt", "response_format", "size", "n", "steps", "style",
        "sampler_index", "retry_count", "request_timeout", "backoff_factor", "seed", "cfg_scale",
        "user", "user_id", "stream", "background", "output_format",
    }
)  # fmt: skip


class Patience(msgspec.Struct, frozen=True):
    """How often and how long it is tried: seconds of one try, seconds before another."""

    retries: int
    timeout: float
    backoff: float

    def pause(self, failed: int) -> float:
        """Seconds to wait after `failed` tries (1, 2 …): it doubles, up to a minute."""
        return float(min(BACKOFF[1], self.backoff * 2.0 ** (failed - 1)))


class ImageRequest(msgspec.Struct, frozen=True):
    """A request that passed validation; `user` is empty where nothing is said of the end user."""

    asked: Asked
    user: str
    as_url: bool
    patience: Patience
    ignored: tuple[str, ...]


def read_request(body: dict[str, Any], card: ModelCard, settings: Images) -> ImageRequest:
    """Validate a body for a model that is known and permitted. Raises `ApiError`."""
    user = read_user(body)
    _refuse_other_meanings(body)
    width, height = SIZES[choice(body, "size", SIZES) or DEFAULT_SIZE]
    form = choice(body, "response_format", FORMATS) or FORMATS[0]
    cfg_scale = number(body, "cfg_scale", *CFG_SCALE)
    seed = integer(body, "seed", 0, MAX_SEED)
    most = card.max_characters or MAX_CHARACTERS
    return ImageRequest(
        asked=Asked(
            prompt=_prompt(body, most),
            negative_prompt=_text(body, "negative_prompt", most) or "",
            width=width,
            height=height,
            steps=integer(body, "steps", *STEPS) or DEFAULT_STEPS,
            sampler=choice(body, "sampler_index", samplers()) or DEFAULT_SAMPLER,
            style=choice(body, "style", styles()) or DEFAULT_STYLE,
            seed=secrets.randbelow(MAX_SEED + 1) if seed is None else seed,
            cfg_scale=DEFAULT_CFG_SCALE if cfg_scale is None else cfg_scale,
            n=integer(body, "n", 1, MAX_IMAGES) or 1,
        ),
        user=user,
        as_url=form == "url",
        patience=_patience(body, settings),
        ignored=tuple(name for name in body if name not in KNOWN and body[name] is not None),
    )


def _patience(body: dict[str, Any], settings: Images) -> Patience:
    retries = integer(body, "retry_count", *RETRIES)
    return Patience(
        retries=DEFAULT_RETRIES if retries is None else retries,
        timeout=number(body, "request_timeout", *REQUEST_TIMEOUT) or settings.request_timeout,
        backoff=number(body, "backoff_factor", *BACKOFF) or 0.0,
    )


def _prompt(body: dict[str, Any], most: int) -> str:
    prompt = _text(body, "prompt", most)
    if prompt is None or not prompt.strip():
        raise refuse("prompt", prompt, f"a string of 1 to {most} characters that is not blank")
    return prompt


def _text(body: dict[str, Any], field: str, most: int) -> str | None:
    value = body.get(field)
    if value is not None and not isinstance(value, str):
        raise refuse(field, value, f"a string of up to {most} characters")
    if value is not None and len(value) > most:
        raise ApiError(
            Errors.CHARACTERS_TOO_LONG,
            f"the max input characters is {most}, {field} has {len(value)}",
            param=field,
        )
    return value


def _refuse_other_meanings(body: dict[str, Any]) -> None:
    """OpenAI's own fields that would make another answer than the one that is made."""
    flag(body, "stream", only=False)
    choice(body, "output_format", OPENAI_FORMATS)
    choice(body, "background", OPENAI_BACKGROUNDS)
