"""`POST /v1/images/generations` as OpenAI's clients ask: sizes, qualities, styles of theirs."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI

from tests.api.test_images import MODEL, draw, fetched, opened
from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import malformed, refused
from tests.kit.server import Server
from xinghe.api.images.openai import nearest_size
from xinghe.images import SIZES

ADJUSTED, IGNORED = "x-adjusted-parameters", "x-ignored-parameters"


@pytest.fixture
def strict(api: Api) -> Api:
    return api.at(STRICT)


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        ("256x256", "768x768"),
        ("512x512", "768x768"),
        ("1536x1024", "1024x768"),
        ("1024x1536", "768x1024"),
        ("1792x1024", "2048x1152"),
        ("1024x1792", "1152x2048"),
        ("1280x720", "1024x576"),
        ("1440x1440", "1536x1536"),
        ("99999x99999", "2048x2048"),
        ("99999x1", "1024x576"),
        ("1x99999", "576x1024"),
        ("1x1", "768x768"),
        *zip(SIZES, SIZES, strict=True),
    ],
)
def test_the_nearest_size(size: str, nearest: str) -> None:
    assert nearest_size(size, SIZES) == nearest


def test_a_size_is_drawn_as_the_nearest_and_told(strict: Api, server: Server) -> None:
    reply = draw(strict, size="512x512")
    assert reply.status == 200, reply.text
    assert reply.headers[ADJUSTED] == "size=768x768"
    (image,) = reply.json["data"]
    assert opened(fetched(server, image["url"]).body).size == (768, 768)
    malformed(draw(strict.at(DOCUMENTED), size="512x512"), "size", "768x768", param="size")
    assert draw(strict, size="auto").headers[ADJUSTED] == "size=1024x1024"


def test_what_has_no_effect_is_told(strict: Api) -> None:
    reply = draw(strict, size="1024x1024", quality="auto", moderation="auto", background="opaque")
    assert reply.status == 200, reply.text
    assert not {ADJUSTED, IGNORED} & set(reply.headers)
    reply = draw(
        strict, quality="hd", style="vivid", moderation="low", output_format="webp", user=""
    )
    assert reply.status == 200, reply.text
    assert reply.headers[IGNORED] == "quality, moderation, style"
    assert reply.headers[ADJUSTED] == "output_format=png"


def test_a_documented_style_has_its_effect(strict: Api) -> None:
    plain, styled = (
        draw(strict, seed=7, size="576x1024", response_format="b64_json", **fields).json["data"]
        for fields in ({"style": "natural"}, {"style": "Cinematic"})
    )
    assert plain != styled


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("background", "transparent", "opaque"), ("stream", True, "false")],
)
def test_what_would_be_another_answer_is_refused(
    strict: Api, books: Books, field: str, value: Any, says: str
) -> None:
    reply = draw(strict, **{field: value})
    refused(reply, 400, "invalid_request_error", "unsupported_parameter", says, param=field)
    books.free(reply.json["id"])


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("size", "1024", "auto"),
        ("size", "0x100", "auto"),
        ("size", "100000x1", "auto"),
        ("size", "٣٢x٣٢", "auto"),
        ("size", "512x512\n", "auto"),
        ("size", 1024, "auto"),
        ("size", "", "auto"),
        ("quality", "best", "hd"),
        ("style", "Vivid", "vivid"),
        ("moderation", "none", "low"),
        ("output_format", "gif", "jpeg"),
        ("stream", "yes", "false"),
    ],
)
def test_a_wrong_value_is_named_with_its_range(
    strict: Api, field: str, value: Any, says: str
) -> None:
    malformed(draw(strict, **{field: value}), field, says, param=field)


def test_official_client(server: Server, token: str) -> None:
    with OpenAI(base_url=server.url + STRICT, api_key=token, max_retries=0) as client:
        made = client.images.generate(
            model=MODEL, prompt="一只猫", size="1792x1024", quality="hd", style="natural", user="",
            response_format="b64_json",
        )  # fmt: skip
    assert made.data is not None
    assert made.data[0].b64_json
