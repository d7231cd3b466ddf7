"""`field=value` on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from xinghe.catalog import ModelCard
from xinghe.sources import SourceError, assigned


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("input_ratio=2", 2),
        ("input_ratio = 0.5", 0.5),
        ("rpm=1_000", 1000),
        ("preemptible=true", True),
        ("deployment=vllm", "vllm"),
        ('deployment="vllm"', "vllm"),
        ("deployment=123", "123"),
        ("title=a=b", "a=b"),
        ("title=", ""),
        ("capabilities=tools,images", ["tools", "images"]),
        ('capabilities=["tools"]', ["tools"]),
        ("ignores=", []),
    ],
)
def test_a_value_is_what_its_field_takes(text: str, value: Any) -> None:
    (found,) = assigned([text], ModelCard, "models.x").values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rpm", "is no field=value"),
        ("=1", "is no field=value"),
        ("rmp=1", "`rmp` is unknown, did you mean `rpm`"),
        ("rpm=-1", "rpm is -1: Expected `int` >= 0"),
        ("rpm=1.5", r"rpm is 1\.5: Expected `int`"),
        ("rpm=many", "rpm is 'many': Expected `int`"),
        ("input_ratio=1e9", "input_ratio is 1000000000.0: Expected `float` <= 1000000.0"),
        ("kind=audio", "kind is 'audio': Invalid enum value"),
        ("preemptible=maybe", "preemptible is 'maybe': Expected `bool`"),
        ("capabilities=flying", "capabilities is"),
    ],
)
def test_what_it_does_not_take_names_field_value_and_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=f"models.x: .*{said}"):
        assigned([text], ModelCard, "models.x")
