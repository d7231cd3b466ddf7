"""Schemas as Pydantic, Zod and OpenAPI write them are taken, and kept by every walk."""

from __future__ import annotations

import ipaddress
import random
from typing import Any

import pytest

from tests.kit.matcher import walk
from xinghe.generation.structure.structure import structured

TOKENS = 512


def model(required: str = "", **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split()}


def kind(name: str) -> dict[str, Any]:
    """A discriminator with a default, so not demanded: `kind: Literal["a"] = "a"`."""
    return {"const": name, "default": name, "type": "string"}


def several(items: Any, low: int = 2) -> dict[str, Any]:
    return {"type": "array", "items": items, "uniqueItems": True, "minItems": low}


COLOR = {"Color": {"enum": ["red", "green"], "type": "string"}}
CARD, PHONE = model("n", kind=kind("card"), n={}), model("no", kind=kind("phone"), no={})
TERM = {
    "oneOf": [
        model("t v", t={"const": "leaf"}, v={"type": "integer"}),
        model("t of", t={"const": "sum"}, of={"type": "array", "items": {"$ref": "#/$defs/T"}}),
    ]
}
CHILD = {
    "allOf": [
        {"$ref": "#/$defs/Base"},
        model(kids={"type": "array", "items": {"$ref": "#/$defs/Child"}}),
    ]
}
NESTED = {
    "N": model("n", n={"$ref": "#/$defs/V"}, next={"$ref": "#/$defs/N"}),
    "V": {"type": "integer"},
}
MONEY = r"^(?!^[-+.]*$)[+-]?0*(?:\d{0,8}|(?=[\d.]{1,11}0*$)\d{0,8}\.\d{0,2}0*$)"
EMAIL = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9-]*\.)+[A-Za-z]{2,}$"
HOST = r"^(?=.{1,253}\.?$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9]{1,61})*\.?$"

TAKEN: dict[str, Any] = {
    "dict of an Enum": {
        "type": "object", "propertyNames": {"$ref": "#/$defs/Color"}, "$defs": COLOR,
        "additionalProperties": {"type": "integer"},
    },
    "dict of UUID": {"type": "object", "propertyNames": {"format": "uuid"}, "minProperties": 2},
    "dict of one of two patterns": {
        "type": "object", "propertyNames": {"anyOf": [{"pattern": "^a"}, {"pattern": "^b"}]},
    },
    "names beside declared ones": {
        **model("abc", abc={"type": "integer"}), "propertyNames": {"pattern": "^[a-z]{3}$"},
        "additionalProperties": {"type": "string"}, "minProperties": 2,
    },
    "declared names, patterns, no others": {
        **model(foo={}), "patternProperties": {"^v": {}}, "additionalProperties": False,
    },
    "three names of a pattern": {
        "type": "object", "patternProperties": {"^[a-z]+$": {}}, "minProperties": 3,
        "additionalProperties": False,
    },
    "discriminator with a default": {
        **model("pay", pay={"oneOf": [{"$ref": "#/$defs/Card"}, {"$ref": "#/$defs/Phone"}]}),
        "$defs": {"Card": CARD, "Phone": PHONE},
    },
    "no discriminator": {
        "oneOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}],
        "$defs": {"A": model("x", x={"type": "integer"}), "B": model("y", y={"type": "integer"})},
    },
    "recursive oneOf": {"$ref": "#/$defs/T", "$defs": {"T": TERM}},
    "recursive allOf": {
        "$ref": "#/$defs/Child",
        "$defs": {"Base": model("id", id={"type": "integer"}), "Child": CHILD},
    },
    "Decimal": {"type": "string", "pattern": r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"},
    "Decimal of two places": {"anyOf": [{"type": "number"}, {"type": "string", "pattern": MONEY}]},
    "email of Zod": {"type": "string", "format": "email", "pattern": EMAIL},
    "hostname of Zod": {"type": "string", "format": "hostname", "pattern": HOST},
    "password": {"type": "string", "pattern": r"^(?=.*[A-Z])(?=.*\d)[A-Za-z\d]{8,}$"},
    "anything but admin": {"type": "string", "pattern": "^(?!admin$).*$"},
    "not a pattern": {"type": "string", "not": {"pattern": "a"}},
    "one of two patterns": {"oneOf": [{"type": "string", "pattern": p} for p in ("^a", "z$")]},
    "set of UUID": several({"type": "string", "format": "uuid4"}, 3),
    "set of floats": several({"type": "number"}, 12),
    "set of shares": several({"type": "number", "minimum": 0, "maximum": 0.3}, 20),
    "set of pairs": several({"type": "array", "items": {"type": "integer"}, "minItems": 2}),
    "set of models": several(model("a", a={"type": "boolean"}, b={"type": "string"})),
    "set of this or that": several({"type": ["string", "null", "boolean"]}, 5),
    "set of all": several({}),
    "set of nested models": {**several({"$ref": "#/$defs/N"}), "$defs": NESTED},
    "at most so many": {
        "type": "array", "items": {"type": "integer"}, "contains": {"const": 1}, "maxContains": 1,
    },
    "contained behind others": {
        "type": "array", "prefixItems": [{"type": "string"}], "contains": {"type": "integer"},
    },
    "draft 7 tuple with more": {
        "$schema": "http://json-schema.org/draft-07/schema#", "type": "array",
        "items": [{"type": "integer"}], "additionalItems": {"type": "null"},
    },
    "snowflake id": {"const": 1234567890123456789},
    "a large constant": {"const": 1e300},
    "between fractions": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-5},
    "integer by fractions": {"type": "integer", "multipleOf": 0.5},
}  # fmt: skip


CHECKED = {
    "three names of a pattern", "dict of UUID", "names beside declared ones",
    "anything but admin",
    "not a pattern", "one of two patterns", "set of UUID", "set of floats", "set of shares",
    "set of pairs", "set of models", "set of this or that", "set of all", "set of nested models",
    "snowflake id", "a large constant",
}  # fmt: skip
"""What no grammar of the library's can say: only the check at the end can tell."""


@pytest.mark.parametrize("name", TAKEN)
def test_taken_and_kept(name: str) -> None:
    structure, rng = structured(TAKEN[name], max_tokens=TOKENS), random.Random(name)
    assert structure.exact is (name not in CHECKED)
    for _ in range(10):
        text = walk(structure.constraint.grammar, rng, soft=40)
        assert text is not None
        assert not structure.exact or structure.check(text) is None, text


def test_a_long_pattern_has_room_beside_many_others() -> None:
    """However little of the answer is left for it."""
    digest = {"type": "string", "pattern": "^[0-9a-f]{128}$"}
    many = {f"p{i}": {"type": "string"} for i in range(60)}
    structured(model("digest", digest=digest, **many), max_tokens=TOKENS)


def test_the_model_is_told_of_a_definition_whatever_its_name() -> None:
    """Pydantic names a generic model `Page[Item]`, so references to it are escaped."""
    page = model("no", no={"type": "integer"})
    schema = model(page={"$ref": "#/$defs/Page%5Ba~1b%5D"}) | {"$defs": {"Page[a/b]": page}}
    assert '{"page"?: {"no": integer}}' in structured(schema, max_tokens=TOKENS).hint


FORMATS = (
    "uuid1", "uuid7", "ipvanyaddress", "ipvanynetwork", "ipv4interface", "ipv6network", "base64url",
    "name-email", "multi-host-uri", "phone", "fraction", "path", "guid", "url", "base64", "cidrv4",
    "cidrv6", "e164", "cuid", "cuid2", "ulid", "xid", "ksuid", "nanoid", "emoji", "markdown",
)  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_library_s_format_is_taken(name: str) -> None:
    structure = structured({"type": "string", "format": name}, max_tokens=TOKENS)
    assert walk(structure.constraint.grammar, random.Random(name), soft=20) is not None


def test_addresses_are_what_pydantic_takes() -> None:
    """No validator of JSON Schema knows these formats: the library's own types judge."""
    rng = random.Random(1)
    for name, taken in (
        ("ipvanyaddress", ipaddress.ip_address),
        ("ipvanynetwork", ipaddress.ip_network),
        ("ipvanyinterface", ipaddress.ip_interface),
    ):
        structure = structured({"type": "string", "format": name}, max_tokens=TOKENS)
        for _ in range(30):
            text = walk(structure.constraint.grammar, rng, soft=rng.randint(1, 40))
            assert text is not None
            taken(text.strip('"'))
