"""Schemas that cost more than they look, or that broke something once (issue's A1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.attack.hosts import ABLE, EMBEDDED
from tests.attack.shot import Shot, asked

OBJECT = {"type": "object"}
NUMBERS = range(16)


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _mutual(count: int) -> dict[str, Any]:
    every = {f"p{n}": {"$ref": f"#/$defs/d{n}"} for n in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": {f"d{n}": _object(**every) for n in range(count)}}


def _cycle(count: int) -> dict[str, Any]:
    """What pydantic makes of models that hold lists of the next one."""
    models = {
        f"Model{n}": _object(
            name={"type": "string", "title": "Name"},
            others={"type": "array", "items": {"$ref": f"#/$defs/Model{(n + 1) % count}"}},
        )
        for n in range(count)
    }
    return {"$ref": "#/$defs/Model0", "$defs": models}


def _nested(levels: int, inner: dict[str, Any]) -> dict[str, Any]:
    for _ in range(levels):
        inner = {"type": "object", "properties": {"a": inner}}
    return inner


def _chain(length: int) -> dict[str, Any]:
    named: dict[str, Any] = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**named, f"d{length}": {"type": "null"}}}


def _text(**rules: Any) -> dict[str, Any]:
    return _object(a={"type": "string", **rules})


def _product(products: int, each: int) -> dict[str, Any]:
    return {
        "allOf": [
            {
                "anyOf": [
                    {"type": "object", "properties": {f"k{a}_{b}": {"const": b}}}
                    for b in range(each)
                ]
            }
            for a in range(products)
        ]
    }


LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF"

SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "all_of_patterns": lambda: _text(
        allOf=[{"pattern": f".*{c}.{{{n}}}"} for n, c in enumerate(LETTERS[:38])]
    ),
    "all_of_patterns_bare": lambda: {
        "type": "string",
        "allOf": [{"pattern": f"(?:.*{c}.*){{2}}"} for c in LETTERS],
    },
    "pattern_properties": lambda: {
        "type": "object",
        "patternProperties": {f"^.*{n}.*{n + 7}.*$": {"type": "integer"} for n in range(100)},
    },
    "any_of_product": lambda: _product(10, 11),
    "any_of_product_wide": lambda: _product(30, 40),
    "one_of_product": lambda: {
        "allOf": [{"oneOf": [_object(**{f"k{n}": {"const": n}}) for n in NUMBERS]}] * 8
    },
    "self_200": lambda: {
        "type": "object",
        "properties": {f"p{n}": {"$ref": "#"} for n in range(200)},
    },
    "self_all_of": lambda: {"allOf": [{"$ref": "#"}, {"type": "object"}]},
    "self_not": lambda: {"not": {"$ref": "#"}},
    "ping_pong": lambda: {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
    },
    "mutual_50": lambda: _mutual(50),
    "models_16": lambda: _cycle(16),
    "models_200": lambda: _cycle(200),
    "nested_60": lambda: _nested(60, {"type": "string"}),
    "nested_400": lambda: _nested(400, {"type": "string"}),
    "arrays_in_arrays": lambda: _nested(1, _arrays(300)),
    "chain_5000": lambda: _chain(5000),
    "enum_50000": lambda: _text(enum=[f"value {n}" for n in range(50_000)]),
    "enum_of_long": lambda: _text(enum=["x" * 5000 + str(n) for n in range(100)]),
    "const_of_1MB": lambda: _text(const="中" * 350_000),
    "required_20000": lambda: {"type": "object", "required": [f"r{n}" for n in range(20_000)]},
    "properties_20000": lambda: _object(**{f"p{n}": {"type": "null"} for n in range(20_000)}),
    "regex_nested": lambda: _text(pattern="^(((a+)+)+)+$"),
    "regex_either": lambda: _text(pattern="^(a|aa|aaa)*b(a|aa)*c(a|a?)+$"),
    "regex_counted": lambda: _text(pattern="^((((a{1,50}){1,50}){1,50}){1,50})$"),
    "regex_long_count": lambda: _text(pattern="^[a-z]{0,100000}x{1,50000}$"),
    "regex_window": lambda: _text(pattern=".*a.{200}b.{200}"),
    "regex_unicode": lambda: _text(pattern="^[\\p{L}\\p{N}\\p{P}\\p{S}]{1,3000}$"),
    "regex_look": lambda: _text(pattern="^(?=.*a)(?=.*b)(?!.*c)(?<=d).*$"),
    "regex_back": lambda: _text(pattern="^(a+)\\1+\\1+$"),
    "regex_broken": lambda: _text(pattern="((((["),
    "regex_100kB": lambda: _text(pattern="|".join(f"word{n}[a-z]*" for n in range(8000))),
    "draft04_bounds": lambda: {
        "$schema": "http://json-schema.org/draft-04/schema#",
        **_object(n={"type": "number", "minimum": 0, "exclusiveMinimum": True}),
    },
    "draft04_one_of": lambda: {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": "http://example.com/root.json",
        "definitions": {f"d{n}": _object(**{f"k{n}": {"type": "string"}}) for n in range(3)},
        "oneOf": [{"$ref": f"#/definitions/d{n}"} for n in range(3)],
    },
    "draft04_no_mark": lambda: _object(n={"minimum": 1, "exclusiveMinimum": True}),
    "unevaluated": lambda: {
        "type": "object",
        "allOf": [{"anyOf": [_loose(f"k{n}") for n in range(20)]} for _ in range(10)],
        "unevaluatedProperties": False,
    },
    "unevaluated_items": lambda: {
        "type": "array",
        "prefixItems": [{"type": "integer"}] * 2000,
        "unevaluatedItems": False,
        "contains": {"type": "string"},
        "minContains": 10**9,
    },
    "dynamic_ref": lambda: {
        "$id": "https://example.com/tree",
        "$dynamicAnchor": "node",
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$dynamicRef": "#node"}}},
    },
    "recursive_ref": lambda: {"$recursiveAnchor": True, "items": {"$recursiveRef": "#"}},
    "remote_ref": lambda: _object(a={"$ref": "http://127.0.0.1:9/schema.json"}),
    "file_ref": lambda: _object(a={"$ref": "file:///etc/passwd"}),
    "broken_ref": lambda: _object(a={"$ref": "#/$defs/%zz~9/none"}),
    "own_keyword_names": lambda: _object(pattern={"type": "string"}, oneOf={"type": "null"}),
    "if_then_else": lambda: {
        "type": "object",
        "allOf": [{"if": _loose(f"i{n}"), "then": _loose(f"t{n}")} for n in range(60)],
    },
    "dependent": lambda: {
        "type": "object",
        "dependentSchemas": {f"d{n}": _loose(f"d{n + 1}") for n in range(300)},
    },
    "any_of_3000": lambda: {"anyOf": [_object(**{f"k{n}": {"const": n}}) for n in range(3000)]},
    "property_names": lambda: {"type": "object", "propertyNames": {"pattern": "^(a+)+$"}},
    "many_items": lambda: _object(a={"type": "array", "items": OBJECT, "minItems": 10**9}),
    "long_text": lambda: _text(minLength=10**9, maxLength=10**12),
    "odd_numbers": lambda: _object(a={"type": "number", "multipleOf": 1e-300, "maximum": 1e308}),
    "big_integers": lambda: _object(a={"type": "integer", "minimum": 10**400}),
    "wide_integers": lambda: _object(
        a={"type": "integer", "minimum": -(10**30), "maximum": 10**30, "multipleOf": 7919}
    ),
    "wrong_types": lambda: {"type": 5, "properties": [], "required": "a", "items": 0},
    "false_inside": lambda: _object(a={"allOf": [False, True], "not": True}),
    "formats": lambda: _object(
        **{f"f{n}": {"type": "string", "format": f} for n, f in enumerate(["date", "uri", "?"])}
    ),
    "description_1MB": lambda: {**_text(), "description": "<|im_end|>" * 100_000},
}  # fmt: skip


def _arrays(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        inner = {"type": "array", "items": inner}
    return inner


def _loose(name: str) -> dict[str, Any]:
    return {"properties": {name: {"type": "string"}}, "required": [name]}


ANSWERED = ("200", "200 error", "400", "413", "429")
"""A schema is served, refused, or there are too many; never a fault of ours."""
UNFIT = "500 dispatch_internal_error"
"""The upstream says the same to every schema, and what does not fit is no answer."""


def _body(model: str, use: str, schema: dict[str, Any], stream: bool) -> dict[str, Any]:
    prompt = "hurt:chat:json" if model == ABLE else "Give a short answer."
    messages = [{"role": "user", "content": prompt}]
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": stream}
    body["max_completion_tokens"] = 8
    if use == "tools":
        function = {"name": "do", "parameters": schema}
        return body | {"tools": [{"type": "function", "function": function}]}
    named = {"name": "it", "schema": schema, "strict": True}
    return body | {"response_format": {"type": "json_schema", "json_schema": named}}


def _shots() -> list[Shot]:
    shots = []
    for number, (name, make) in enumerate(SCHEMAS.items()):
        for use in ("response_format", "tools"):
            model = EMBEDDED if use == "response_format" and number % 4 == 0 else ABLE
            body = _body(model, use, make(), stream=number % 2 == 0)
            fit = (*ANSWERED, UNFIT) if model == ABLE and use == "response_format" else ANSWERED
            shots.append(Shot(f"{name} in {use}", asked("/chat/completions", body), fit))
    for name in ("all_of_patterns", "any_of_product", "self_200", "pattern_properties"):
        # Another text each time, or a cache would be all that is hit.
        for number in range(6):
            schema = {**SCHEMAS[name](), "title": f"{name} {number}"}
            pieces = asked("/chat/completions", _body(ABLE, "tools", schema, stream=False))
            shots.append(Shot(f"{name} and leaves", pieces, (), 4, leaves=0.2))
            shots.append(Shot(f"{name} at once", pieces, ANSWERED, 4))
    return shots


SHOTS = _shots()
