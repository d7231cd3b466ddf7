"""The search: a form like any other; by path, name, field and description, in both languages."""

from __future__ import annotations

import pytest
from tests.kit.visitor import Shown, Visitor


def found(page: Shown) -> list[str]:
    return [each.get("href") for each in page.all("#found li > a")]


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("embeddings", "/docs/embeddings"),
        ("/chat/completions", "/docs/chat"),
        ("重排", "/docs/rerank"),
        ("Make an access token", "/docs/tokens.create"),
        ("TEMPERATURE", "/docs/chat"),
        ("negative_prompt", "/docs/images"),
        ("采样温度", "/docs/chat"),
        ("chat stream_options", "/docs/chat"),
        ("tpm_rate_limit_exceeded", "/docs#error-tpm_rate_limit_exceeded"),
    ],
)
def test_what_fits_best_comes_first(nobody: Visitor, asked: str, first: str) -> None:
    page = nobody.submit(nobody.get("/docs"), "/docs", q=asked)
    assert page.status == 200
    assert found(page)[0] == first


def test_it_tells_for_which_field(nobody: Visitor) -> None:
    page = nobody.get("/docs?q=enable_citation")
    assert "enable_citation" in page.texts("#found li .hint code")


def test_words_beyond_a_few_are_not_looked_for(nobody: Visitor) -> None:
    few = "temperature+sampling+chat+model+the+of+a+in"
    assert found(nobody.get(f"/docs?q={few}+qqqq")) == found(nobody.get(f"/docs?q={few}"))
    assert found(nobody.get("/docs?q=" + "temperature+" * 8 + "qqqq")) == []


def test_all_words_count(nobody: Visitor) -> None:
    assert found(nobody.get("/docs?q=chat+negative_prompt")) == []


@pytest.mark.parametrize("asked", ["qqqq", "<script>alert(1)</script>", "🙂" * 300, "(.*)+$"])
def test_nothing_found(nobody: Visitor, asked: str) -> None:
    page = nobody.submit(nobody.get("/docs"), "/docs", q=asked)
    assert page.status == 200
    assert "没有找到" in page.text
    assert not page.all("#found script")


def test_htmx_is_given_the_finds_alone(nobody: Visitor) -> None:
    page = nobody.get("/docs?q=temperature", {"HX-Request": "true"})
    assert found(page)[0] == "/docs/chat"
    assert not page.all("h1")
