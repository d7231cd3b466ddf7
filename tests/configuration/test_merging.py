"""Three-way merge: every change of either side, no other, and conflicts that name both."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from xinghe.configuration import changes
from xinghe.configuration.merging import Conflict, Merged, merge, patched
from xinghe.configuration.tree import same

NAMES = st.sampled_from("abc")
PLAIN = st.one_of(st.integers(0, 2), st.booleans(), st.sampled_from(["x", "y"]), st.just([1]))
TREES = st.dictionaries(
    NAMES,
    st.dictionaries(NAMES, st.one_of(PLAIN, st.dictionaries(NAMES, PLAIN, max_size=2)), max_size=3),
    max_size=3,
)


def leaves(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Each plain value by its path; an empty table is one."""
    if isinstance(tree, dict) and (tree or not path):
        found: dict[tuple[str, ...], Any] = {}
        for name, each in tree.items():
            found |= leaves(each, (*path, name))
        return found
    return {path: tree}


def at(tree: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        tree = tree.get(part, UNSET) if isinstance(tree, dict) else UNSET
    return tree


@settings(max_examples=60)
@given(TREES, TREES, TREES)
def test_nothing_is_lost_and_nothing_invented(base: Any, theirs: Any, ours: Any) -> None:
    before = copy.deepcopy((base, theirs, ours))
    merged = merge(base, theirs, ours)
    assert same(list(before), [base, theirs, ours])
    if merged.conflicts:
        return
    sides = (base, theirs, ours, merged.tree)
    for path in {path for tree in sides for path in leaves(tree)}:
        was, his, own, made = (at(tree, path) for tree in sides)
        if not same(his, was):
            assert same(made, his) or both_tables(his, own)
        if not same(own, was):
            assert same(made, own) or both_tables(his, own)
        if same(his, was) and same(own, was):
            assert same(made, was)


def both_tables(his: Any, own: Any) -> bool:
    """Fields of both are in it then, which the leaves below tell of."""
    return isinstance(his, dict) and isinstance(own, dict)


@settings(max_examples=60)
@given(TREES, TREES, TREES)
def test_the_sides_are_alike(base: Any, theirs: Any, ours: Any) -> None:
    there, back = merge(base, theirs, ours), merge(base, ours, theirs)
    turned = [Conflict(each.path, each.base, each.ours, each.theirs) for each in back.conflicts]
    assert sorted(there.conflicts, key=repr) == sorted(turned, key=repr)
    if not there.conflicts:
        assert same(there.tree, back.tree)


@settings(max_examples=60)
@given(TREES, TREES)
def test_who_alone_has_changed_gets_all_of_it(base: Any, theirs: Any) -> None:
    assert same(merge(base, theirs, base).tree, theirs)
    assert same(merge(base, base, theirs).tree, theirs)
    assert same(merge(base, theirs, theirs).tree, theirs)
    assert not merge(base, theirs, theirs).conflicts


@settings(max_examples=60)
@given(TREES, TREES, TREES)
def test_a_conflict_is_where_both_have_changed(base: Any, theirs: Any, ours: Any) -> None:
    for each in merge(base, theirs, ours).conflicts:
        assert not same(each.theirs, each.ours)
        assert not same(each.theirs, each.base)
        assert not same(each.ours, each.base)
        found = (at(tree, each.path) for tree in (base, theirs, ours))
        assert list(found) == [each.base, each.theirs, each.ours]


@settings(max_examples=60)
@given(TREES, TREES)
def test_what_differs_leads_from_one_to_the_other(old: Any, new: Any) -> None:
    """Applied as a patch, the changes make the one of the other (but for empty tables)."""
    made = copy.deepcopy(old)
    for each in changes(old, new):
        assert each.before is UNSET or same(at(old, each.path), each.before)
        patch: Any = None if each.after is UNSET else each.after
        if isinstance(patch, dict) and isinstance(at(made, each.path), dict):
            continue
        for part in reversed(each.path):
            patch = {part: patch}
        made = patched(made, patch)
    full = {path: leaf for path, leaf in leaves(new).items() if leaf != {}}
    assert full.items() <= leaves(made).items()


@pytest.mark.parametrize(
    ("base", "theirs", "ours", "made"),
    [
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"a": {"x": 1, "y": 1}}, {"a": {"x": 2, "y": 1}}),
        ({}, {"a": {"x": 1}}, {"a": {"y": 1}}, {"a": {"x": 1, "y": 1}}),
        ({"a": {"x": 1}}, {}, {"a": {"x": 1}}, {}),
        ({"a": {"x": [1, 2]}}, {"a": {"x": [1, 2]}}, {"a": {"x": [2]}}, {"a": {"x": [2]}}),
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"a": {"x": 2}}, {"a": {"x": 2}}),
        # The same number, however it is written.
        ({"a": {"x": 3}}, {"a": {"x": 1}}, {"a": {"x": 1.0}}, {"a": {"x": 1.0}}),
    ],
)
def test_both_changes_hold(base: Any, theirs: Any, ours: Any, made: Any) -> None:
    assert merge(base, theirs, ours) == Merged(made, [])


@pytest.mark.parametrize(
    ("base", "theirs", "ours", "path"),
    [
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"a": {"x": 3}}, ("a", "x")),
        # Half of an entry that the other has taken out would be nothing anybody has written.
        ({"a": {"x": 1, "y": 1}}, {}, {"a": {"x": 2, "y": 1}}, ("a",)),
        ({"a": {"x": [1]}}, {"a": {"x": [1, 2]}}, {"a": {"x": [1, 3]}}, ("a", "x")),
        ({"a": {"x": 5}}, {"a": {"x": 1}}, {"a": {"x": True}}, ("a", "x")),
        ({"a": {"x": 1}}, {"a": {"x": {"y": 1}}}, {"a": {"x": {"z": 1}}}, ("a", "x")),
    ],
)
def test_both_have_changed_the_same(base: Any, theirs: Any, ours: Any, path: Any) -> None:
    assert [each.path for each in merge(base, theirs, ours).conflicts] == [path]


def test_a_patch_is_that_of_rfc_7396() -> None:
    """Its own table of examples, where the target is an object."""
    for target, patch, made in (
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ):
        assert patched(target, patch) == made
