"""Keys and passwords: never shown, and kept when what was shown is put back."""

from __future__ import annotations

import msgspec
import pytest

from xinghe.catalog import Tree
from xinghe.configuration import TreeError, redacted
from xinghe.configuration.diff import compared
from xinghe.configuration.redaction import restored

TREE: Tree = {
    "deployments": {
        "a.b": {
            "engine": "upstream",
            "url": "http://host/v1",
            "key": "sk-1",
            "keys": ["sk-2", "sk-3", {"key": "sk-4", "rpm": 5}],
            "key_env": "OPENAI_API_KEY",
            "headers": {"Authorization": "Bearer sk-5", "X-Of": "$TOKEN", "x-odd": "sk-6"},
            "extra": {"api_key": "sk-7", "prompt_cache_key": "sk-8", "top_k": 3},
            "length_field": "max_tokens",
        },
        "b": {"url": "http://u:sk-9@host/v1", "urls": ["http://h/v1?api-key=sk-10"]},
        "c": {"url": "u:sk-11@host/v1", "urls": [{"url": "http:/u:sk-12@h"}], "headers": "sk-13"},
        "d": {"url": "http://u:sk/sk-14@host/v1"},
        "key": {"url": "http://plain/v1", "key": "", "slots": 4},
    },
    "models": {"m": {"title": "a key to all", "image_tokens": 7, "ignores": ["max_tokens"]}},
    "safety": {"lists": {"block.txt": "http://a:b@c\nkey\n"}},
}
SHOWN = (
    "http://host/v1", "OPENAI_API_KEY", "$TOKEN", "max_tokens", "http://plain/v1", "a key to all"
)  # fmt: skip


def test_secrets_are_not_shown_and_the_rest_is() -> None:
    text = msgspec.json.encode(redacted(TREE)).decode()
    assert "sk-" not in text
    assert all(each in text for each in SHOWN)
    assert redacted(TREE)["safety"] == TREE["safety"]
    assert redacted(redacted(TREE)) == redacted(TREE)


@pytest.mark.parametrize(
    "fields",
    [
        {"headers": {"123": "s3cret"}},
        {"extra": {"password": {"v": "s3cret"}}},
        {"extra": {"keys": {"a": ["s3cret"]}}},
        {"extra": {"auth": {"bearer": "s3cret"}}},
        {"extra": {"nested": [{"api_key_1": "s3cret"}]}},
        {"extra": {"token": 53207}},
        {"extra": {"KEY": {"pin": 53207}}},
        {"url": "https://h/v1?code=s3cret"},
        {"urls": [{"url": "https://h/v1?api-version=1&c=s3cret"}]},
        {"keys": [{"key_env": "K", "key": "s3cret"}]},
    ],
)
def test_no_name_or_place_of_a_secret_is_missed(fields: Tree) -> None:
    tree: Tree = {"deployments": {"x": fields}}
    shown = redacted(tree)
    assert "s3cret" not in str(shown)
    assert "53207" not in str(shown)
    assert restored(shown, tree) == tree


@pytest.mark.parametrize(
    "tree",
    [
        {"deployments": {"x": {"keys": [{"key_env": "K", "rpm": 5}], "key_env": "K"}}},
        {"deployments": {"x": {"urls": [{"url": "http://h/v1?api-version=2", "key_env": "K"}]}}},
        {"deployments": {"key": {"extra": {"max_tokens": 5, "top_k": 3, "stop": ["a"]}}}},
        {"models": {"auth": {"title": "What? a=b", "image_tokens": 7}}, "limits": {"rpm": 3}},
    ],
)
def test_what_is_no_secret_is_shown(tree: Tree) -> None:
    assert redacted(tree) == tree


def test_what_was_shown_may_be_put_back() -> None:
    assert restored(redacted(TREE), TREE) == TREE


def test_a_deployment_is_renamed_without_its_key() -> None:
    shown = redacted(TREE)
    shown["deployments"]["c"] = shown["deployments"].pop("a.b")
    assert restored(shown, TREE)["deployments"]["c"] == TREE["deployments"]["a.b"]


def test_one_of_some_keys_is_taken_out() -> None:
    shown = redacted(TREE)
    del shown["deployments"]["a.b"]["keys"][0]
    made = restored(shown, TREE)["deployments"]["a.b"]["keys"]
    assert made == TREE["deployments"]["a.b"]["keys"][1:]


@pytest.mark.parametrize(
    ("where", "field"),
    [("title", "models.m.title"), ("url", "models.m.url"), ("note", "models.m.note")],
)
def test_a_mark_is_no_way_to_have_a_secret_shown(where: str, field: str) -> None:
    mark = redacted(TREE)["deployments"]["a.b"]["key"]
    with pytest.raises(TreeError, match=field):
        restored({"models": {"m": {where: mark}}}, TREE)


def test_a_mark_of_nothing_is_refused() -> None:
    with pytest.raises(TreeError, match=r"deployments\.z\.key .*key_env"):
        restored({"deployments": {"z": {"key": "<secret deployments.z.key>"}}}, TREE)


def test_changes_of_secrets_are_told_without_them() -> None:
    other = msgspec.json.decode(msgspec.json.encode(TREE).replace(b"sk-", b"new-"))
    told = compared(TREE, other)
    text = msgspec.json.encode(told).decode()
    assert "sk-" not in text
    assert "new-" not in text
    assert 'deployments."a.b".key' in [each.path for each in told]
    assert all(each.before != each.after for each in told)
