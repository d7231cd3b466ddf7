"""`POST /images/generations`: shapes, each parameter's range, safety and price (section 4.2)."""

from __future__ import annotations

import base64
import io
import json
import time
from typing import Any

import pytest
from openai import OpenAI
from PIL import Image

from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered, malformed, refused
from tests.kit.raw import Connection, Reply
from tests.kit.server import Server
from xinghe.images import SIZES, samplers, styles

MODEL = "Stable-Diffusion-XL"
CAT = "一只白猫, 红帽子"


def draw(api: Api, **fields: Any) -> Reply:
    return api.post("/images/generations", {"model": MODEL, "prompt": CAT, **fields})


def fetched(server: Server, url: str, method: str = "GET") -> Reply:
    assert url.startswith(server.url + "/images/")
    with Connection(server.url) as connection:
        connection.request(method, url.removeprefix(server.url))
        return connection.reply()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["PNG"])


@pytest.mark.parametrize("mount", [DOCUMENTED, ALIAS])
def test_shape_at_the_documented_mount(api: Api, server: Server, mount: str) -> None:
    body = answered(draw(api.at(mount)))
    assert set(body) == {"created", "data", "id"}
    (image,) = body["data"]
    assert set(image) == {"index", "url"}
    assert image["index"] == 0
    reply = fetched(server, image["url"])
    assert reply.status == 200
    assert reply.headers["content-type"] == "image/png"
    assert opened(reply.body).size == (1024, 1024)


def test_shape_at_the_strict_mount(api: Api) -> None:
    reply = draw(api.at(STRICT), response_format="b64_json", n=2, size="576x1024")
    assert reply.status == 200
    assert set(reply.json) == {"created", "data"}
    assert [each["index"] for each in reply.json["data"]] == [0, 1]
    for each in reply.json["data"]:
        assert set(each) == {"index", "b64_json"}
        assert opened(base64.b64decode(each["b64_json"])).size == (576, 1024)


def test_official_client_sends_every_parameter(server: Server, token: str) -> None:
    for mount in (DOCUMENTED, STRICT):
        with OpenAI(base_url=server.url + mount, api_key=token, max_retries=0) as client:
            made = client.images.generate(
                model=MODEL,
                prompt=CAT,
                response_format="b64_json",
                size="768x768",
                n=1,
                extra_body={
                    "style": "Comic Book",
                    "negative_prompt": "狗",
                    "steps": 10,
                    "sampler_index": "DPM++ 2M Karras",
                    "retry_count": 0,
                    "request_timeout": 30.5,
                    "backoff_factor": 0.5,
                    "seed": 4294967295,
                    "cfg_scale": 30,
                },
            )
        assert made.data
        assert made.data[0].b64_json


def test_the_same_seed_gives_the_same_bytes(api: Api) -> None:
    def image(**fields: Any) -> str:
        fields = {"seed": 3, "size": "768x768", "response_format": "b64_json", **fields}
        return str(answered(draw(api, **fields))["data"][0]["b64_json"])

    assert image() == image()
    assert image() != image(prompt="一只黑猫, 蓝帽子")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("prompt", "", "not blank"),
        ("prompt", " \n\u3000", "not blank"),
        ("prompt", None, "not blank"),
        ("prompt", 5, "string"),
        ("prompt", ["猫"], "string"),
        ("negative_prompt", 5, "string"),
        ("response_format", "png", "url, b64_json"),
        ("size", "1024X1024", "768x1024"),
        ("size", "1x1", "1152x2048"),
        ("size", 1024, "576x1024"),
        ("n", 0, "[1, 4]"),
        ("n", 5, "[1, 4]"),
        ("n", 1.5, "[1, 4]"),
        ("n", True, "[1, 4]"),
        ("steps", 9, "[10, 50]"),
        ("steps", 51, "[10, 50]"),
        ("steps", "20", "[10, 50]"),
        ("style", "base", "Base, 3D Model"),
        ("style", "vivid", "Texture"),
        ("sampler_index", "euler a", "Euler a"),
        ("sampler_index", "DPM++ 2M karras", "DPM++ 2M Karras"),
        ("seed", -1, "[0, 4294967295]"),
        ("seed", 4294967296, "[0, 4294967295]"),
        ("cfg_scale", -0.1, "[0, 30]"),
        ("cfg_scale", 30.1, "[0, 30]"),
        ("retry_count", -1, "[0, 10]"),
        ("retry_count", 11, "[0, 10]"),
        ("request_timeout", 0, "[1, 3600]"),
        ("backoff_factor", -1, "[0, 60]"),
        ("stream", True, "false"),
        ("output_format", "webp", "png"),
        ("background", "transparent", "opaque"),
    ],
)
def test_a_wrong_value_is_named_with_its_range(api: Api, field: str, value: Any, says: str) -> None:
    malformed(draw(api, **{field: value}), field, says, param=field)


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_1024_characters_are_taken_and_one_more_is_not(api: Api, field: str) -> None:
    answered(draw(api, **{field: "猫" * 1024, "size": "768x768"}))
    reply = draw(api, **{field: "猫" * 1025})
    says = "the max input characters is 1024"
    kind = "invalid_request_error"
    refused(reply, 400, kind, "characters_too_long", says, "1025", param=field)


def test_the_model_must_be_one_that_draws(api: Api) -> None:
    kind = "invalid_request_error"
    refused(draw(api, model=None), 400, kind, "invalid_model", "model is empty", param="model")
    refused(draw(api, model="sdxl"), 404, kind, "no_such_model", param="model")
    malformed(draw(api, model="ernie-3.5-8k"), "kind image", param="model")
    empty = draw(api, user="")
    refused(empty, 400, kind, "invalid_user_id", param="user")


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ("prompt", "prompt"),
        ("negative_prompt", "negative_prompt"),
        ("user", "user"),
        ("user_id", "user"),
    ],
)
def test_unsafe_words_are_refused_and_free(api: Api, books: Books, field: str, param: str) -> None:
    reply = draw(api, **{field: "教我制造炸弹"})
    says = "the content of user field"
    refused(reply, 403, "unsafe_request", "user_setting_unsafe", says, param=param)
    books.free(reply.json["id"])


def test_unknown_fields_are_told(api: Api) -> None:
    reply = draw(api, size="768x768", quality="hd", hr_scale=2, moderation="low")
    answered(reply)
    assert reply.headers["x-ignored-parameters"] == "quality, hr_scale, moderation"


def test_what_serves_is_told(api: Api) -> None:
    about = api.get(f"/models/{MODEL}").json["xinghe"]
    reply = draw(api, size="768x768")
    assert reply.headers["x-served-by"] == about["served_by"]
    assert about["served_by"].startswith("preview/")
    assert about["image_tokens"] == 20000
    assert "prompt" in about["capabilities"]["platform"]


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({}, 20000),
        ({"steps": 10, "size": "576x1024"}, 5625),
        ({"steps": 50, "size": "768x768"}, 28125),
        ({"n": 2, "size": "768x768", "steps": 11}, 12375),
    ],
)
def test_price_is_pixels_times_steps(
    api: Api, books: Books, fields: dict[str, Any], tokens: int
) -> None:
    entry = books.usage(answered(draw(api, **fields))["id"])
    assert entry["amount"] == -tokens * MICRO


def test_an_account_that_cannot_pay_gets_nothing(server: Server, books: Books) -> None:
    server.run("member", "create", "painter", "--tokens", "19999")
    reply = draw(Api(server.url, server.token(account="painter")))
    refused(reply, 403, "access_denied", "token_quota_exceeded", "19999", "20000")
    Books(server, "painter").free(reply.json["id"])
    books.check()


def test_every_name_stands_in_the_api_s_description(server: Server) -> None:
    with Connection(server.url) as connection:
        connection.request("GET", "/openapi.json")
        schemas = connection.reply().json["components"]["schemas"]
    properties = schemas["ImageRequest"]["properties"]
    for field, told, names in (
        ("size", "examples", set(SIZES)),
        ("style", "enum", set(styles())),
        ("sampler_index", "enum", set(samplers())),
    ):
        named, null = properties[field]["anyOf"]
        assert set(named[told]) == names
        assert null == {"type": "null"}
    assert (len(SIZES), len(styles()), len(samplers())) == (12, 18, 15)


def test_who_leaves_before_anything_was_drawn_has_no_entry(api: Api, books: Books) -> None:
    answered(draw(api, size="768x768"))
    body = {"model": MODEL, "prompt": CAT, "size": "2048x2048", "n": 4, "steps": 10}
    for seconds in (0.02, 0.05, 0.1, 0.2, 0.3):
        with Connection(api.url) as connection:
            data = json.dumps(body).encode()
            connection.request("POST", f"{api.mount}/images/generations", data, api.headers)
            time.sleep(seconds)
    answered(draw(api, size="768x768"))
    books.settled()
    assert all(entry["amount"] for entry in books.entries())
