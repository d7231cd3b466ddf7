"""A body becomes a Struct: what is passed over is listed, and of several faults one is told."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from xinghe.api.errors import ApiError
from xinghe.api.validation import Form, Request
from xinghe.api.wording import allowed


class Inner(msgspec.Struct):
    word: Literal["b", "a"]
    few: Annotated[list[int], Meta(min_length=1, max_length=2)] | None = None


class Sample(Request, kw_only=True):
    low: Annotated[int, Meta(ge=1, le=9)] | None = None
    share: Annotated[float, Meta(ge=0, le=1)] | None = None
    text: str
    inner: Inner | None = None
    either: Annotated[str, Meta(min_length=1)] | list[Inner] | None = None
    some: Annotated[list[int], Meta(min_length=1)] | None = None


FORM = Form(Sample, within=["inner"])


def read(**fields: Any) -> Sample:
    return FORM.read(json.dumps({"text": "x", **fields}).encode()).checked({})


def refusal(body: str, **most: int) -> ApiError:
    with pytest.raises(ApiError) as raised:
        FORM.read(body.encode()).checked(most)
    return raised.value


def test_null_is_absent_and_an_integer_may_be_written_as_a_float() -> None:
    assert read(low=None, share=None) == read()
    assert read(low=5.0, share=1, inner={"word": "a", "few": [1.0, 2]}).low == 5


def test_what_is_not_known_is_listed() -> None:
    asked = FORM.read(b'{"text": "x", "new": 1, "old": null, "inner": {"word": "a", "more": 2}}')
    assert asked.ignored == ["new", "inner.more"]
    assert msgspec.to_builtins(asked.checked({})) == msgspec.to_builtins(read(inner={"word": "a"}))


@pytest.mark.parametrize("body", ["", "{", '{"text": "x", "new": [}', '{"text": "\\ud800"}'])
def test_what_is_not_json(body: str) -> None:
    assert refusal(body).message.startswith("Invalid JSON")


@pytest.mark.parametrize("body", ["[]", "1", "null", '"x"'])
def test_what_is_no_object(body: str) -> None:
    assert refusal(body).message.startswith("Invalid Argument")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"text": 1, "share": 7, "low": 0}', "low is 0, allowed: an integer in [1, 9]"),
        ('{"text": 1, "share": 7}', "share is 7, allowed: a number in [0, 1]"),
        ('{"share": true, "text": "x"}', "share is true, allowed: a number in [0, 1]"),
        ("{}", "text is null, allowed: a string"),
        ('{"text": "x", "inner": 1}', "inner is 1, allowed: an object"),
        ('{"text": "x", "inner": {}}', "inner.word is null, allowed: b, a"),
        ('{"text": "x", "inner": {"word": "c"}}', 'inner.word is "c", allowed: b, a'),
        (
            '{"text": "x", "inner": {"word": "a", "few": [1, 2, 3]}}',
            "inner.few is an array, allowed: a list of 1 to 2",
        ),
        (
            '{"text": "x", "inner": {"word": "a", "few": []}}',
            "inner.few is an empty array, allowed: a list of 1 to 2",
        ),
        (
            '{"text": "x", "some": []}',
            "some is an empty array, allowed: a list that is not empty",
        ),
        (
            '{"text": "x", "either": [{"word": "a"}, {"word": 1}]}',
            "either[1].word is 1, allowed: b, a",
        ),
        (
            '{"text": "x", "either": 1}',
            "either is 1, allowed: a string that is not empty or a list",
        ),
    ],
)
def test_the_first_fault_by_the_order_of_the_struct_is_told(body: str, says: str) -> None:
    error = refusal(body)
    assert error.message == says
    assert error.param == says.partition(" is ")[0]


def test_the_last_of_two_keys_counts() -> None:
    asked = FORM.read(b'{"text": "x", "low": 99, "low": 3}')
    assert asked.checked({}).low == 3


def test_a_model_may_take_less_than_the_struct() -> None:
    for body in ('{"text": "x", "low": 7}', '{"text": "x", "low": "7"}'):
        assert refusal(body, low=4).message.endswith("allowed: an integer in [1, 4]")


def test_words_may_be_given_with_an_annotation() -> None:
    hint = Annotated[str, Meta(extra={"allowed": "a colour"})] | None
    assert allowed(hint, ()) == "a colour"
