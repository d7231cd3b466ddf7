"""The JSON Schema of what `/images/generations` is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xinghe.api.images.request import (
    BACKOFF,
    CFG_SCALE,
    DEFAULT_CFG_SCALE,
    DEFAULT_RETRIES,
    DEFAULT_STEPS,
    FORMATS,
    MAX_CHARACTERS,
    MAX_IMAGES,
    OPENAI_BACKGROUNDS,
    OPENAI_FORMATS,
    REQUEST_TIMEOUT,
    RETRIES,
    STEPS,
)
from xinghe.catalog.parameters import parameters
from xinghe.images import (
    DEFAULT_SAMPLER,
    DEFAULT_SIZE,
    DEFAULT_STYLE,
    MAX_SEED,
    SIZES,
    samplers,
    styles,
)


def image_request() -> dict[str, Any]:
    """What a body may hold (section 4.2.2)."""
    properties: dict[str, Any] = {
        "model": {
            "type": "string",
            "minLength": 1,
            "description": "An id of GET /models whose kind is image.",
        },
        "prompt": {
            "type": "string",
            "maxLength": MAX_CHARACTERS,
            "pattern": r"\S",
            "description": "Not blank.",
        },
        "negative_prompt": {"type": ["string", "null"], "maxLength": MAX_CHARACTERS},
        "response_format": _one_of(FORMATS, FORMATS[0]),
        "size": _one_of(SIZES, DEFAULT_SIZE),
        "style": _one_of(styles(), DEFAULT_STYLE),
        "sampler_index": _one_of(samplers(), DEFAULT_SAMPLER),
        "n": _number("integer", (1, MAX_IMAGES), 1),
        "steps": _number("integer", STEPS, DEFAULT_STEPS),
        "seed": _number("integer", (0, MAX_SEED), None),
        "cfg_scale": _number("number", CFG_SCALE, DEFAULT_CFG_SCALE),
        "retry_count": _number("integer", RETRIES, DEFAULT_RETRIES),
        "request_timeout": _number("number", REQUEST_TIMEOUT, None),
        "backoff_factor": _number("number", BACKOFF, 0),
        "stream": {"enum": [False, None]},
        "output_format": _one_of(OPENAI_FORMATS, OPENAI_FORMATS[0]),
        "background": _one_of(OPENAI_BACKGROUNDS, OPENAI_BACKGROUNDS[0]),
    }
    for name in ("user", "user_id"):
        limits = parameters()[name].range(openai=False)
        assert limits is not None
        properties[name] = {
            "type": ["string", "null"],
            "minLength": limits[0],
            "maxLength": limits[1],
            "description": parameters()[name].about,
        }
    return {"type": "object", "required": ["model", "prompt"], "properties": properties}


def _one_of(names: Iterable[str], default: str) -> dict[str, Any]:
    return {"enum": [*names, None], "default": default}


def _number(kind: str, limits: tuple[float, float], default: float | None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [kind, "null"], "minimum": limits[0], "maximum": limits[1]}
    return schema if default is None else {**schema, "default": default}
