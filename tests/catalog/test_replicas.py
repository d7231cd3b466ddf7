"""Several servers and several keys of a deployment, as operators write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.catalog.conftest import LoadWith
from xinghe.catalog import CatalogError
from xinghe.catalog.replicas import Key, Replica

KINDS = ["upstream", "upstream-embedding", "upstream-images"]


def deployed(load_with: LoadWith, kind: str, fields: str) -> Any:
    catalog = load_with(f'[deployments.x]\nengine = "{kind}"\nmodel = "m"\n{fields}\n')
    return {**catalog.deployments, **catalog.embeddings, **catalog.images}["x"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_url_is_one_replica(load_with: LoadWith, kind: str) -> None:
    assert deployed(load_with, kind, 'url = "http://a/v1"').replicas == [Replica("http://a/v1")]


@pytest.mark.parametrize("kind", KINDS)
def test_urls_have_weights_and_keys(load_with: LoadWith, kind: str) -> None:
    made = deployed(
        load_with,
        kind,
        'urls = ["http://a/v1", {url = "http://b/v1", weight = 0, key_env = "B_KEY"}]\n'
        'keys = [{key = "k", rpm = 60}, {key_env = "K2", tpm = 100000, concurrent = 4}]',
    )
    assert made.replicas == [Replica("http://a/v1"), Replica("http://b/v1", 0.0, "", "B_KEY")]
    assert made.keys == (
        Key(key="k", rpm=60),
        Key(key_env="K2", tpm=100_000, concurrent=4),
    )


URL = 'url = "http://a"\n'


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("", "`url` is '', allowed: an http:// or https:// base URL (or `urls`)"),
        ("urls = []", "`url` is ''"),
        (URL + 'urls = ["http://b"]', "`url` and `urls` are both given, allowed: one of them"),
        ('url = "ftp://a"', "`url` is wrong, allowed: an http:// or https:// base URL"),
        (
            'urls = ["http://a", "b"]',
            "`urls[1]` is wrong, allowed: an http:// or https:// base URL",
        ),
        ('urls = ["http://a", {url = "b"}]', "`urls[1]` is wrong"),
        ('urls = ["http://a", "http://a/"]', "`urls[1]` is the same server as `urls[0]`"),
        ('urls = [{url = "http://a", weight = -1}]', "urls[0].weight is -1: Expected `float` >= 0"),
        ('urls = [{url = "http://a", weight = nan}]', "urls.0.weight is nan"),
        ('urls = [{url = "http://a", weight = "2"}]', "urls[0].weight is '2': Expected `float`"),
        ('urls = [{url = "http://a", wait = 2}]', "`urls[0].wait` is unknown"),
        ("urls = [{weight = 2}]", "missing required field `url`"),
        ("urls = [7]", "Expected `str | object`, got `int`"),
        ('urls = "http://a"', "Expected `array`, got `str`"),
        (URL + "keys = [{rpm = 1}]", "`keys[0]` has neither `key` nor `key_env`, allowed: one of"),
        (URL + 'keys = [{key = "k", key_env = "K"}]', "`keys[0]` has both `key` and `key_env`"),
        (URL + 'keys = [{key = "k", rpm = -1}]', "keys[0].rpm is -1: Expected `int` >= 0"),
        (URL + 'keys = [{key = "k", concurrent = 1.5}]', "keys[0].concurrent is 1.5"),
        (URL + 'keys = [{key = "k"}, {key = "k"}]', "`keys[1]` is the same as `keys[0]`"),
        (URL + 'key_env = "K"\nkeys = [{key = "k"}]', "`key_env` and `keys` are both given"),
    ],
)
def test_what_is_wrong_is_named(load_with: LoadWith, kind: str, fields: str, told: str) -> None:
    with pytest.raises(CatalogError) as error:
        deployed(load_with, kind, fields)
    assert "deployments.x" in str(error.value)
    assert told in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "url",
    [
        "http://[::1/v1", "http://a:99999/v1", "http://a:x/v1", "http://a:0/v1", "http://u:p@/v1",
        "http:///v1", "http://a b/v1", "http://a/v 1", "http://a\u2028b/v1", "http://a\u0007/v1",
    ],
)  # fmt: skip
def test_a_url_that_leads_nowhere_is_refused(load_with: LoadWith, kind: str, url: str) -> None:
    """Before it is applied: whoever serves by it could not start."""
    text = json.dumps(url)
    for fields in f"url = {text}", f'urls = ["http://a", {text}]':
        with pytest.raises(CatalogError, match=r"is wrong, allowed: an http:// or https://"):
            deployed(load_with, kind, fields)


@pytest.mark.parametrize(
    "fields",
    [
        'keys = "sk-secret"',
        'keys = ["sk-secret"]',
        'keys = [["sk-secret"]]',
        'keys = [{key = ["sk-secret"]}]',
        'keys = [{key = "sk-secret", rpm = -1}]',
        'keys = [{key = "sk-secret", key_env = "K"}]',
        'keys = [{key = "sk-secret"}, {key = "sk-secret"}]',
        'key = "other"\nkeys = [{key = "sk-secret"}]',
        'headers = "Bearer sk-secret"',
        'headers = {"Authorization: Bearer sk-secret" = ""}',
        'headers = {Authorization = "sk-secret-\u00e9"}',
        'extra = "sk-secret"',
    ],
)
def test_no_key_is_told(load_with: LoadWith, fields: str) -> None:
    with pytest.raises(CatalogError) as error:
        deployed(load_with, "upstream", URL + fields)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "url",
    [
        "user:secret@host/v1",
        "http:/user:secret@host/v1",
        "//user:secret@host/v1",
        "http://user:secret/7@host/v1",
        "http://user:secret@[host/v1",
        "htp://host/v1?api-key=secret",
        "htp://user:it's\\ta secret@host/v1",
    ],
)
def test_no_url_with_a_password_is_told(load_with: LoadWith, kind: str, url: str) -> None:
    for field in (f'url = "{url}"', f'urls = ["http://a", "{url}"]', f'urls = [{{url="{url}"}}]'):
        with pytest.raises(CatalogError, match="is wrong, allowed: an http:// or") as error:
            deployed(load_with, kind, field)
        assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('deployments = "http://u:secret@h"', "`deployments` is a text, allowed: a table"),
        ('deployments = [{key = "secret"}]', "`deployments` is a list, allowed: a table"),
        ('[[deployments.x]]\nkey = "secret"', "deployments.x is a list, allowed: a table"),
        ('[deployments]\nx = "secret"', "deployments.x is a text, allowed: a table"),
        ('[deployments.x]\nengine = ["secret"]', "deployments.x: `engine` is a list, allowed: "),
        (
            '[deployments.x]\nengine = "upstream"\nmodel = "m"\nurl = "http://a"\nkey = 5551234',
            "deployments.x: key is wrong: Expected `str`, got `int`",
        ),
    ],
)
def test_what_has_the_wrong_shape_is_not_repeated(
    load_with: LoadWith, text: str, told: str
) -> None:
    with pytest.raises(CatalogError) as error:
        load_with(text)
    assert told in str(error.value)
    assert "secret" not in str(error.value)
    assert "5551234" not in str(error.value)
