"""Other names of models: `[models."gpt-4o"] alias = "ernie-4.5-turbo-32k"`."""

from __future__ import annotations

import pytest

from tests.catalog.conftest import LoadWith
from tests.conftest import MakeServer
from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.command import ended
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT
from tests.kit.script import Script
from xinghe.catalog import CatalogError

ALIAS = f"""
[models."gpt-4o"]
alias = "{CHAT}"

[models."text-embedding-3-small"]
alias = "embedding-v1"
"""


def test_an_alias_is_no_model_of_its_own(load_with: LoadWith) -> None:
    catalog = load_with('[models."gpt-4o"]\nalias = "ernie-4.5-turbo-32k"')
    assert catalog.aliases == {"gpt-4o": "ernie-4.5-turbo-32k"}
    assert "gpt-4o" not in catalog.models


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[models.a]\nalias = "no-such"', "models.a: `alias` is 'no-such', which is no model"),
        ('[models.a]\nalias = "a"', "models.a: `alias` is 'a', which is no model"),
        ('[models.a]\nalias = "b"\n[models.b]\nalias = "a"', "models.a: `alias` is 'b'"),
        ('[models.a]\nalias = "b"\n[models.b]\nalias = "ernie-3.5-8k"', "models.a: `alias`"),
        ("[models.a]\nalias = 5", "models.a: `alias` is"),
        ('[models.a]\nalias = "ernie-3.5-8k"\nrpm = 5', "models.a: `rpm` stands beside `alias`"),
        ('[models."ernie-3.5-8k"]\nalias = "ernie-4.0-8k"', "stands beside `alias`"),
    ],
)
def test_an_alias_that_cannot_be(load_with: LoadWith, text: str, says: str) -> None:
    with pytest.raises(CatalogError) as raised:
        load_with(text)
    assert says in str(raised.value)


def test_it_is_asked_billed_and_permitted_as_what_it_stands_for(make_server: MakeServer) -> None:
    server = make_server(models=ALIAS)
    api, books = Api(server.url, server.token()), Books(server)
    for mount in (DOCUMENTED, STRICT):
        script = Script(["好"], prompt_tokens=10)
        body = answered(api.at(mount).chat(model="gpt-4o", messages=script.messages))
        assert body["model"] == CHAT
        entry = books.usage(body["id"])
        assert (entry["model"], entry["prompt_tokens"]) == (CHAT, 10)
    shown = {each["id"]: each["xinghe"] for each in api.get("/models").json["data"]}
    assert shown["gpt-4o"] == {**shown[CHAT], "alias_of": CHAT}
    one = api.get("/models/gpt-4o").json
    assert (one["id"], one["xinghe"]["alias_of"]) == ("gpt-4o", CHAT)
    assert "alias_of" not in api.get(f"/models/{CHAT}").json["xinghe"]
    answered(api.post("/embeddings", {"model": "text-embedding-3-small", "input": "你好"}))
    refused(
        api.post("/embeddings", {"model": "gpt-4o", "input": "你好"}),
        400, "invalid_request_error", "malformed_json", "a model of kind embedding",
    )  # fmt: skip
    bound = api.bearing(server.token("--model", CHAT))
    answered(bound.chat(model="gpt-4o"))
    assert [each["id"] for each in bound.get("/models").json["data"]] == [CHAT, "gpt-4o"]
    other = api.bearing(server.token("--model", "deepseek-v3"))
    refused(other.chat(model="gpt-4o"), 401, "invalid_request_error", "invalid_model")
    refused(other.get("/models/gpt-4o"), 404, "invalid_request_error", "no_such_model")
    _, _, notes = ended("models", "list", data=server.data)
    assert f"gpt-4o is another name of {CHAT}" in notes
