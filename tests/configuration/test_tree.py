"""What may be a tree, whatever its names and sizes."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinghe.catalog.catalog import MAX_NAME
from xinghe.configuration import TreeError, checked
from xinghe.configuration.toml import as_toml
from xinghe.configuration.tree import MAX_BYTES, named, same
from xinghe.settings.toml import MAX_DEPTH

NAMES = st.text(min_size=1, max_size=8).filter(str.isprintable)
PLAIN = st.one_of(
    st.text(max_size=20), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(-1e9, 1e9)
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
TREES = st.fixed_dictionaries(
    {"models": st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=3), max_size=3)}
)


@settings(max_examples=40)
@given(TREES)
def test_toml_says_the_same(tree: Any) -> None:
    assert same(tomllib.loads(as_toml(checked(tree))), tree)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return {"models": value}


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ([], "no table"),
        ({"model": {}}, "did you mean `models`"),
        ({"models": 3}, "`models` is 3, allowed: a table"),
        ({"models": "u:pw"}, "`models` is a text, allowed: a table"),
        ({"models": None}, "`models` is null, allowed: a table"),
        ({"models": {"m": {"rpm": None}}}, r"models\.m\.rpm is null"),
        ({"models": {"m": {"x": float("nan")}}}, r"models\.m\.x is nan, allowed: a finite"),
        ({"models": {"m": {"x": 2**63}}}, r"models\.m\.x is beyond 64 bits"),
        ({"models": {"m": {"x": "\ud800"}}}, r"models\.m\.x has half of a character"),
        ({"models": {"a\nb": {}}}, r"the name 'a\\nb', allowed"),
        ({"models": {"": {}}}, "the name '', allowed"),
        ({"models": {"a" * (MAX_NAME + 1): {}}}, f"1 to {MAX_NAME} printable"),
        ({"models": {"m": {"x": tomllib.loads("a = 2026-11-30")["a"]}}}, "allowed: a text"),
        (nested(MAX_DEPTH + 1), f"more than {MAX_DEPTH} deep"),
        ({"models": {"m": {"title": "a" * MAX_BYTES}}}, f"allowed: 0 to {MAX_BYTES}"),
        ({"safety": {"list": {}}}, r"`safety.list` is unknown, did you mean `lists`"),
        ({"safety": {"lists": {"../x.txt": ""}}}, "the name '../x.txt', allowed: a file's"),
        ({"safety": {"lists": {"x": ""}}}, "the name 'x', allowed: a file's"),
        ({"safety": {"lists": {"x.txt": 3}}}, r'safety\.lists\."x\.txt" is 3, allowed: a text'),
        ({"safety": {"lists": {"x.txt": "a\t9\n"}}}, r"no line is a phrase \(line 1"),
        ({"safety": {"lists": {f"{n}.txt": "" for n in range(201)}}}, "allowed: 0 to 200"),
    ],
)
def test_what_is_no_tree_is_refused_by_its_field(tree: Any, told: str) -> None:
    with pytest.raises(TreeError, match=told):
        checked(tree)


def test_null_is_for_patches_alone() -> None:
    patch = {"models": {"m": None}, "limits": None, "safety": {"lists": {"x.txt": None}}}
    assert checked(patch, patch=True) == patch
    with pytest.raises(TreeError, match=r"models\.m\.x\.0 is null"):
        checked({"models": {"m": {"x": [None]}}}, patch=True)


def test_fields_are_named_as_toml_names_them() -> None:
    assert named(("models", "ernie-4.5-8k", "rpm")) == 'models."ernie-4.5-8k".rpm'
