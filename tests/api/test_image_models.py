"""An image model has the sizes and parameters of its card: ERNIE-Image beside the documented."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.test_images import MODEL, opened
from tests.conftest import QUICK
from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered, malformed, refused
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.raw import Reply
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from xinghe.images import SIZES

ERNIE = "ERNIE-Image"
OWN = ["1024x1024", "848x1264", "1264x848", "768x1376", "1376x768", "896x1200", "1200x896"]
ADJUSTED, IGNORED = "x-adjusted-parameters", "x-ignored-parameters"


@pytest.fixture(scope="module")
def later(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    settings = {**QUICK, "XINGHE_CONFIGURATION__LATER_MODELS": "true"}
    data = tmp_path_factory.mktemp("later")
    with Server(data, models=models, settings=settings) as running:
        yield running


@pytest.fixture
def api(later: Server) -> Api:
    return Api(later.url, later.token())


@pytest.fixture
def books(later: Server) -> Books:
    return Books(later)


def draw(api: Api, **fields: Any) -> Reply:
    body = {"model": ERNIE, "prompt": "一只白猫", "response_format": "b64_json", **fields}
    return api.post("/images/generations", body)


def drawn(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 200, reply.text
    return list(reply.json["data"])


def size_of(reply: Reply) -> tuple[int, int]:
    return opened(base64.b64decode(drawn(reply)[0]["b64_json"])).size


def test_its_sizes_are_its_own(api: Api) -> None:
    assert size_of(draw(api)) == (1024, 1024)
    assert size_of(draw(api, size="848x1264")) == (848, 1264)
    for size in ("768x768", "848X1264", "", 1024, ["848x1264"], "9" * 5000, "auto"):
        malformed(draw(api, size=size), "size", OWN[-1], param="size")
    malformed(draw(api, model=MODEL, size="848x1264"), "size", [*SIZES][-1], param="size")


@pytest.mark.parametrize(
    ("size", "nearest"),
    [("1024x1536", "848x1264"), ("1792x1024", "1376x768"), ("512x512", "1024x1024")],
)
def test_a_size_snaps_to_the_model_s_own(api: Api, size: str, nearest: str) -> None:
    reply = draw(api.at(STRICT), size=size)
    assert size_of(reply) == tuple(map(int, nearest.split("x")))
    assert reply.headers[ADJUSTED] == f"size={nearest}"


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({}, 50_000),
        ({"num_inference_steps": 20}, 20_000),
        ({"num_inference_steps": 1, "n": 2}, 2000),
        ({"num_inference_steps": 10, "size": "848x1264"}, 10223),
        ({"guidance_scale": 20, "use_pe": False, "seed": 4294967295}, 50_000),
    ],
)
def test_its_price_is_by_pixels_and_steps(
    api: Api, books: Books, fields: dict[str, Any], tokens: int
) -> None:
    entry = books.usage(answered(draw(api, **fields))["id"])
    assert -entry["amount"] == tokens * MICRO


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("num_inference_steps", 0, "[1, 100]"),
        ("num_inference_steps", 101, "[1, 100]"),
        ("num_inference_steps", 1.5, "an integer"),
        ("num_inference_steps", "50", "an integer"),
        ("num_inference_steps", 10**400, "[1, 100]"),
        ("guidance_scale", 0.9, "[1, 20]"),
        ("guidance_scale", 20.1, "[1, 20]"),
        ("guidance_scale", [4], "a number"),
        ("use_pe", 1, "true or false"),
        ("use_pe", "true", "true or false"),
        ("use_pe", {}, "true or false"),
    ],
)
def test_a_value_out_of_range_is_named(api: Api, field: str, value: Any, allowed: str) -> None:
    for at in (DOCUMENTED, STRICT):
        malformed(draw(api.at(at), **{field: value}), field, allowed, param=field)


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize(
    ("field", "value"),
    [("steps", 20), ("cfg_scale", 5), ("sampler_index", "Euler a"), ("style", "Base")],
)
def test_what_other_models_are_told_is_refused(
    api: Api, field: str, value: Any, *, wrong: bool
) -> None:
    """Whatever the value is: also one that no model takes."""
    reply = draw(api, **{field: {"a": 1} if wrong else value})
    malformed(reply, field, ERNIE, param=field)
    called = {"steps": "num_inference_steps", "cfg_scale": "guidance_scale"}.get(field, "")
    assert called in reply.json["error"]["message"]


def test_at_v1_only_what_would_be_another_image_is_refused(api: Api) -> None:
    strict = api.at(STRICT)
    reply = draw(strict, sampler_index="DDIM", style="vivid", quality="hd", num_inference_steps=1)
    drawn(reply)
    assert reply.headers[IGNORED] == "sampler_index, style, quality"
    for field, value in (("steps", 20), ("cfg_scale", "x"), ("style", "Anime"), ("style", [1])):
        reply = draw(strict, **{field: value})
        kind, code = "invalid_request_error", "unsupported_parameter"
        refused(reply, 400, kind, code, field, ERNIE, param=field)


def test_its_own_are_unknown_to_the_documented_model(api: Api) -> None:
    for at in (DOCUMENTED, STRICT):
        reply = draw(
            api.at(at), model=MODEL, use_pe="no", num_inference_steps=0, guidance_scale=[], x=1
        )
        drawn(reply)
        assert {*reply.headers[IGNORED].split(", ")} == {
            "use_pe", "num_inference_steps", "guidance_scale", "x",
        }  # fmt: skip


def test_an_enhancer_that_is_not_there_is_told(api: Api) -> None:
    for said in (True, False):
        assert draw(api, use_pe=said, num_inference_steps=1).headers[IGNORED] == "use_pe"
    assert IGNORED not in draw(api, num_inference_steps=1, use_pe=None).headers


def test_a_seed_draws_the_same_and_a_key_is_paid_once(api: Api, books: Books) -> None:
    body = {
        "model": ERNIE, "prompt": "猫", "response_format": "b64_json",
        "seed": 7, "num_inference_steps": 3, "n": 2,
    }  # fmt: skip
    headers = {**api.headers, "Idempotency-Key": "ernie-image"}
    first, again = (
        api.send("POST", "/images/generations", json.dumps(body).encode(), headers)
        for _ in range(2)
    )
    assert answered(first)["data"] == answered(again)["data"] == answered(draw(api, **body))["data"]
    assert again.headers["idempotent-replayed"]
    books.settled()


def test_models_tell_sizes_and_parameters(api: Api) -> None:
    about = api.get(f"/models/{ERNIE}").json["xinghe"]
    assert about["image_sizes"] == OWN
    assert about["default_image_size"] == "1024x1024"
    assert about["image_parameters"] == ["guidance_scale", "num_inference_steps", "use_pe"]
    assert {"num_inference_steps", "guidance_scale", "use_pe"} <= {
        *about["capabilities"]["platform"]
    }
    assert "steps" not in about["capabilities"]["platform"]
    about = api.get(f"/models/{MODEL}").json["xinghe"]
    assert about["image_sizes"] == [*SIZES]
    assert about["image_parameters"] == ["cfg_scale", "sampler_index", "steps", "style"]
    assert "use_pe" not in about["capabilities"]["platform"]
