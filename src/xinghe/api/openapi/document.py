"""The OpenAPI document: every operation at its two dialects."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe import __version__
from xinghe.api.chat.schema import CHAT
from xinghe.api.chat.wire import ChatCompletion, ChatCompletionChunk
from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.wire import EmbeddingList
from xinghe.api.errors import ErrorAnswer, Errors
from xinghe.api.idempotent import KEY
from xinghe.api.images.wire import ImagesAnswer
from xinghe.api.models.wire import Model, ModelList
from xinghe.api.openapi.embeddings import embedding_request, rerank_request
from xinghe.api.openapi.images import image_request
from xinghe.api.rerank.wire import Ranking

SHAPES = (
    *(form.shape for form in CHAT.values()),
    ChatCompletion,
    ChatCompletionChunk,
    EmbeddingList,
    ImagesAnswer,
    Model,
    ModelList,
    Ranking,
    ErrorAnswer,
)
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same body again with the same key gets the same answer, without charge.",
    "schema": {"type": "string", "pattern": KEY.pattern, "maxLength": 255},
}
BASES = {"/llm/lmapi/v3": Dialect.DOCUMENTED, "/v1": Dialect.OPENAI}


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    _, schemas = msgspec.json.schema_components(SHAPES, ref_template="#/components/schemas/{name}")
    schemas["EmbeddingRequest"] = embedding_request()
    schemas["RerankRequest"] = rerank_request()
    schemas["ImageRequest"] = image_request()
    paths: dict[str, Any] = {}
    for base, dialect in BASES.items():
        request = f"ChatRequest{dialect.name.title()}"
        paths[f"{base}/chat/completions"] = {"post": _chat(request)}
        paths[f"{base}/embeddings"] = {
            "post": _post("Make vectors of texts.", "EmbeddingRequest", "EmbeddingList")
        }
        paths[f"{base}/rerank"] = {
            "post": _post("Order documents by a query.", "RerankRequest", "Ranking")
        }
        paths[f"{base}/images/generations"] = {
            "post": _post("Make images from a prompt.", "ImageRequest", "ImagesAnswer")
        }
        paths[f"{base}/models"] = {"get": _get("List the models.", "ModelList")}
        paths[f"{base}/models/{{id}}"] = {
            "get": _get("One model.", "Model")
            | {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                ]
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "星河大模型API", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _chat(request: str) -> dict[str, Any]:
    return {
        "summary": "Answer a conversation.",
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": {"required": True, "content": _json(request)},
        "responses": {
            "200": {
                "description": "The answer; server-sent events where stream is true.",
                "content": _json("ChatCompletion") | {"text/event-stream": {"schema": _event()}},
            },
            **_refusals(),
        },
    }


def _event() -> dict[str, Any]:
    """An event of a stream. OpenAPI 3.1 has no word for a sequence; each event has this form."""
    chunk, error = (
        {"$ref": f"#/components/schemas/{name}"} for name in ("ChatCompletionChunk", "ErrorAnswer")
    )
    payload = {
        "type": "string",
        "description": "A chunk, or an error, which ends the stream.",
        "contentMediaType": "application/json",
        "contentSchema": {"anyOf": [chunk, error]},
    }
    data = {"anyOf": [payload, {"const": "[DONE]", "description": "After the last chunk."}]}
    return {"type": "object", "required": ["data"], "properties": {"data": data}}


def _post(summary: str, request: str, answer: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": {"required": True, "content": _json(request)},
        "responses": {"200": {"description": "Done.", "content": _json(answer)}, **_refusals()},
    }


def _get(summary: str, answer: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {"200": {"description": "Found.", "content": _json(answer)}, **_refusals()},
    }


def _refusals() -> dict[str, Any]:
    """Each status of the error table, with the codes that it may carry."""
    codes: dict[int, list[str]] = {}
    for error in Errors:
        codes.setdefault(error.value.status, []).append(error.value.code)
    return {
        str(status): {
            "description": ", ".join(dict.fromkeys(names)),
            "content": _json("ErrorAnswer"),
        }
        for status, names in sorted(codes.items())
    }


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
