"""A client that leaves during an embedding: what it owes, and what is left of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered
from tests.kit.raw import Connection


def test_who_leaves_owes_the_texts_that_were_begun_and_no_hold_stays(
    api: Api, books: Books
) -> None:
    answered(api.post("/embeddings", {"input": "先来一次"}))
    books.settled()
    before = books.shown()["balance"]
    body = json.dumps({"input": ["很长的一段话" * 60] * 16}).encode()
    with Connection(api.url) as connection:
        connection.request("POST", api.mount + "/embeddings", body, api.headers)
        time.sleep(0.15)
    books.settled()
    # 16 × 360 Chinese characters at a quarter Token; nothing, had it left before its turn.
    assert before - books.shown()["balance"] in (0, 16 * 360 * 250_000)


def test_a_file_that_is_not_there_is_said_at_the_start(make_server: MakeServer) -> None:
    missing = Path("/no/such/model.gguf")
    models = f"""
[deployments.bge]
engine = "llamacpp-embedding"
weights = "{missing}"

[models."bge-large-zh"]
deployment = "bge"
"""
    with pytest.raises(AssertionError, match="there is no file /no/such/model"):
        make_server(models=models)
