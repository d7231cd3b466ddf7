"""The settings of `clients.toml`: each part is what its form says, and its values are real."""

from __future__ import annotations

import pytest
from scripts.clients_page import DOCS, renewed

from tests.connect.forms import values
from xinghe.catalog import Kind, built, merged
from xinghe.clients import CLIENTS, Client, Values, filled, find, notes
from xinghe.console.assets import FILES
from xinghe.settings import Settings

URL, TOKEN = "https://llm.example.edu:8443", "xh-0123456789-" + "A" * 43
every_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda each: each.id)
every_language = pytest.mark.parametrize("chinese", [True, False], ids=["zh", "en"])
NASTY = "m'\"\\$(exit 9)`exit 9`\n#\x7f\u2028{url}«»中"


def said(client: Client, model: str, *, chinese: bool) -> list[str]:
    put = Values(URL, TOKEN, model, context=4321, output=1234)
    return [each for part in filled(client, put, chinese=chinese) for each in values(part)]


@every_client
@every_language
def test_address_token_and_model_are_in_place(client: Client, chinese: bool) -> None:
    found = said(client, client.model, chinese=chinese)
    assert TOKEN in found
    # Some add the path themselves.
    assert URL + client.mount in found or URL in found
    assert any(client.model in each for each in found)
    assert not any("«" in each or "{" in each for each in found)


@every_client
def test_the_model_is_one_of_the_catalog_that_chats(client: Client) -> None:
    assert built(merged({}), Settings()).models[client.model].kind is Kind.CHAT


@every_client
def test_no_value_ends_a_text_early(client: Client) -> None:
    found = said(client, NASTY, chinese=True)
    assert any(NASTY in each for each in found)
    assert len(found) == len(said(client, "plain", chinese=True))


@every_client
def test_both_languages_say_something(client: Client) -> None:
    put = Values("http://127.0.0.1:8000", TOKEN, client.model, 1, 1, built_in=True)
    one, other = (notes(client, put, chinese=chinese) for chinese in (True, False))
    assert len(one) == len(other)
    assert any("\u4e00" <= char <= "\u9fff" for char in "".join(one)) or client.id == "llamaindex"
    assert not any("\u4e00" <= char <= "\u9fff" for char in "".join(other))
    # Who reaches it from elsewhere is told nothing of containers, nor a better model's of agents.
    assert len(notes(client, Values(URL, TOKEN, "m", 1, 1), chinese=True)) == 1


def test_names_are_found_however_they_are_written() -> None:
    assert find("Claude Code") == find("claude-code") == find("claudecode")
    assert find("nobody") is None
    assert len({each.id for each in CLIENTS}) == len(CLIENTS) == 12


def test_the_console_has_a_tab_for_each() -> None:
    style = FILES["console.css"].read_text("utf-8")
    assert f"input:nth-of-type({len(CLIENTS)}):checked" in style


@pytest.mark.parametrize(("name", "chinese"), [("clients.md", True), ("clients.en.md", False)])
def test_the_documentation_has_these_settings(name: str, chinese: bool) -> None:
    """`python -m scripts.clients_page` writes them."""
    text = (DOCS / name).read_text("utf-8")
    assert renewed(text, chinese=chinese) == text
