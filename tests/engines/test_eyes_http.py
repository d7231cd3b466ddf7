"""An embedded deployment with an `mmproj` over HTTP: no OCR, the documented price, clear errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.test_pictures import plain, showing
from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.projector import write_projector
from tests.kit.server import free_port
from tests.pictures.render import data_url
from tests.supervisor.kit import serve_fails

pytestmark = pytest.mark.embedded

MODEL = "seeing"
TEMPLATE = """
[deployments.seeing]
engine = "llamacpp"
weights = "{weights}"
mmproj = "{projector}"
slots = 2
context = 4096

[models.seeing]
kind = "chat"
context = 4096
max_input = 3072
output_max = 512
output_default = 8
capabilities = ["images", "json_object", "json_schema"]
deployment = "seeing"
"""
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def models(weights: str, projector: Path) -> str:
    return TEMPLATE.format(weights=weights, projector=projector)


def test_the_model_sees_for_itself(
    make_server: MakeServer, small_weights: str, tmp_path: Path
) -> None:
    projector = write_projector(tmp_path / "mmproj.gguf")
    server = make_server(models=models(small_weights, projector))
    api, books = Api(server.url, server.token()), Books(server)
    shown = api.get(f"/models/{MODEL}").json["xinghe"]
    assert "images" in shown["capabilities"]["served"]
    assert "images" not in shown["capabilities"]["platform"]

    picture = data_url(plain(57, 28))
    text = answered(api.chat(model=MODEL, messages=[showing()], temperature=0))
    reply = api.chat(model=MODEL, messages=[showing(picture, picture)], temperature=0)
    seen = answered(reply)
    assert "ocr" not in reply.headers["x-served-by"]
    assert reply.headers["x-served-by"].startswith("seeing/")
    assert seen["choices"][0]["message"]["content"]
    # ⌈57/28⌉ × ⌈28/28⌉ each, whatever the vision tower makes of them.
    assert seen["usage"]["prompt_tokens"] - text["usage"]["prompt_tokens"] == 2 * 3
    assert books.usage(seen["id"])["prompt_tokens"] == seen["usage"]["prompt_tokens"]

    again = answered(api.chat(model=MODEL, messages=[showing(picture, picture)], temperature=0))
    cached = again["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert 0 < cached <= again["usage"]["prompt_tokens"]

    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": SCHEMA}}
    formed = answered(
        api.chat(
            model=MODEL,
            messages=[showing(picture, text="JSON, n = 3")],
            response_format=form,
            max_completion_tokens=200,
        )
    )
    if formed["choices"][0]["finish_reason"] != "length":
        assert isinstance(json.loads(formed["choices"][0]["message"]["content"])["n"], int)
    books.settled()


@pytest.fixture
def refused_start(small_weights: str, tmp_path: Path) -> tuple[Path, str]:
    """A data directory whose embedded deployment has the projector `mmproj.gguf` beside it."""
    projector = tmp_path / "mmproj.gguf"
    data = tmp_path / "data"
    data.mkdir()
    text = models_toml("http://127.0.0.1:1/v1", free_port(), ALL_SCRIPTED)
    (data / "models.toml").write_text(text + models(small_weights, projector), "utf-8")
    return data, str(projector)


def test_a_projector_that_is_not_there(refused_start: tuple[Path, str]) -> None:
    data, projector = refused_start
    said = serve_fails(data)
    assert f"deployments.seeing: `mmproj`: there is no file {projector}" in said


def test_a_projector_of_another_model(refused_start: tuple[Path, str]) -> None:
    data, projector = refused_start
    write_projector(Path(projector), embedding=512)
    said = serve_fails(data)
    assert projector in said
    assert "mismatch between text model (n_embd = 896) and mmproj (n_embd = 512)" in said


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"GGUF" + bytes(100), b"\x89PNG"])
def test_a_projector_that_is_none(refused_start: tuple[Path, str], content: bytes) -> None:
    data, projector = refused_start
    Path(projector).write_bytes(content)
    assert f"mmproj {projector}" in serve_fails(data)
