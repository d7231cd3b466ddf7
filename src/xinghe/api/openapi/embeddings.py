"""The JSON Schemas of what `/embeddings` and `/rerank` are asked."""

from __future__ import annotations

from typing import Any

from xinghe.api.embeddings.request import DEFAULT_MODEL, FORMATS, FORMS, MAX_DIMENSIONS
from xinghe.api.rerank.request import MAX_DOCUMENTS
from xinghe.catalog.parameters import parameters

MAX_TEXTS = 16
TEXT = {"type": "string", "minLength": 1}


def embedding_request() -> dict[str, Any]:
    """What a body may hold. Model-dependent limits are told by `GET /models`."""
    return {
        "type": "object",
        "required": ["input"],
        "properties": {
            **_common(),
            "input": {
                "anyOf": [
                    TEXT,
                    {"type": "array", "minItems": 1, "maxItems": MAX_TEXTS, "items": TEXT},
                ]
            },
            "input_type": {
                "enum": [*FORMS, None],
                "description": "What the texts are; absent: they are compared among each other.",
            },
            "encoding_format": {"enum": [*FORMATS, None]},
            "dimensions": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": MAX_DIMENSIONS,
                "description": "Only where the model's deployment makes them.",
            },
        },
    }


def rerank_request() -> dict[str, Any]:
    """What a body may hold."""
    as_object = {"type": "object", "required": ["text"], "properties": {"text": TEXT}}
    return {
        "type": "object",
        "required": ["query", "documents"],
        "properties": {
            **_common(),
            "query": TEXT,
            "documents": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_DOCUMENTS,
                "items": {"anyOf": [TEXT, as_object]},
            },
            "top_n": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1},
            "return_documents": {"type": ["boolean", "null"]},
        },
    }


def _common() -> dict[str, Any]:
    common: dict[str, Any] = {
        "model": {
            "type": ["string", "null"],
            "minLength": 1,
            "default": DEFAULT_MODEL,
            "description": "An id of GET /models whose kind is embedding.",
        }
    }
    for name in ("user", "user_id"):
        limits = parameters()[name].range(openai=False)
        assert limits is not None
        common[name] = {
            "type": ["string", "null"],
            "minLength": limits[0],
            "maxLength": limits[1],
            "description": parameters()[name].about,
        }
    return common
