"""Images in chat (section 5.8) over HTTP: with vision and without, counted, guarded, refused."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image, ImageColor

from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered, bad_messages, refused
from tests.kit.models import ABLE, CHAT, VISION
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from tests.pictures.render import data_url, encoded, written


def plain(width: int, height: int, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(out, form)
    return out.getvalue()


def showing(*urls: str, text: str = "图片里写了什么?") -> dict[str, Any]:
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": "user", "content": [{"type": "text", "text": text}, *pictures]}


def asked(script: Script, *urls: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": script.prompt}, showing(*urls)]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP"])
def test_engine_with_vision_gets_the_picture(api: Api, upstream: Upstream, form: str) -> None:
    """Its bytes tell the type, not the label."""
    data = plain(56, 28, form)
    script = Script(["一张图。"])
    reply = api.chat(model=VISION, messages=asked(script, data_url(data)))
    assert answered(reply)["choices"][0]["message"]["content"] == "一张图。"
    assert "ocr" not in reply.headers["x-served-by"]
    text, picture = upstream.received(script).body["messages"][-1]["content"]
    assert text == {"type": "text", "text": "图片里写了什么?"}
    assert picture["image_url"]["url"] == data_url(data, f"image/{form.lower()}")


HALVES = Image.new("RGB", (64, 32), "red")
HALVES.paste((0, 0, 255), (32, 0, 64, 32))
"""Red on the left, blue on the right."""


def on_its_side(form: str, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    return encoded(HALVES.transpose(Image.Transpose.ROTATE_90), form, exif=exif, **options)


def seen_through() -> bytes:
    """Blue is the colour that hides where nothing is to be seen."""
    image = HALVES.convert("RGBA")
    image.paste((0, 0, 255, 0), (32, 0, 64, 32))
    return encoded(image)


@pytest.mark.parametrize(
    ("data", "right"),
    [
        (on_its_side("JPEG", quality=95), "blue"),
        (on_its_side("PNG"), "blue"),
        (encoded(HALVES.convert("CMYK"), "JPEG", quality=95), "blue"),
        (encoded(HALVES.quantize(4)), "blue"),
        (seen_through(), "white"),
        (encoded(HALVES.quantize(2), transparency=HALVES.quantize(2).getpixel((63, 0))), "white"),
    ],
    ids=["jpeg", "png", "cmyk", "palette", "clear", "clear palette"],
)
def test_engine_with_vision_sees_it_upright_and_opaque(
    api: Api, upstream: Upstream, data: bytes, right: str
) -> None:
    """By a decoder that knows neither EXIF nor what is transparent."""
    script = Script(["红蓝。"])
    answered(api.chat(model=VISION, messages=asked(script, data_url(data))))
    picture = upstream.received(script).body["messages"][-1]["content"][1]
    sent = base64.b64decode(picture["image_url"]["url"].partition(",")[2])
    with Image.open(io.BytesIO(sent)) as image:
        assert image.size == (64, 32)
        colours = [image.convert("RGB").getpixel((x, 16)) for x in (8, 56)]
    for colour, expected in zip(colours, ("red", right), strict=True):
        assert isinstance(colour, tuple)
        wanted = ImageColor.getrgb(expected)
        assert max(abs(a - b) for a, b in zip(colour, wanted, strict=True)) < 8


def test_engine_without_vision_is_told(api: Api, upstream: Upstream) -> None:
    data = encoded(written([(20, 30, "欢迎来到北京")], (340, 110)))
    script = Script(["写着欢迎来到北京。"])
    reply = api.chat(model=ABLE, messages=asked(script, data_url(data)))
    answered(reply)
    assert reply.headers["x-served-by"].endswith(", ocr/PP-OCRv6")
    told = upstream.received(script).body["messages"][-1]["content"]
    assert "欢迎来到北京" in told
    assert "340×110" in told
    shown = api.get(f"/models/{ABLE}").json["xinghe"]["capabilities"]
    assert "images" in shown["served"]
    assert "OCR" in shown["platform"]["images"]


def test_pictures_without_a_word(api: Api, upstream: Upstream) -> None:
    """What is read out alone would be no question; a model that sees is given what was sent."""
    url = data_url(plain(640, 480))
    picture = {"type": "image_url", "image_url": {"url": url}}
    for model, read_out in ((ABLE, True), (VISION, False)):
        script = Script(["一张图。"])
        alone: list[Any] = [{"role": "system", "content": script.prompt}]
        alone.append({"role": "user", "content": [picture]})
        answered(api.chat(model=model, messages=alone))
        told = upstream.received(script).body["messages"][-1]["content"]
        if read_out:
            assert told.startswith("[图片1:640×480像素,主要颜色:白")
            assert "cannot see" in told or "看不见" in told
        else:
            assert [part["type"] for part in told] == ["image_url"]


@pytest.mark.parametrize("model", [ABLE, VISION])
def test_tokens_by_the_documented_rule(api: Api, books: Books, model: str) -> None:
    """⌈w/28⌉ × ⌈h/28⌉ on top of the text, whatever the engine counts or is told."""
    text = [{"role": "system", "content": Script(["好。"]).prompt}, showing()]
    pictures = asked(Script(["好。"]), data_url(plain(57, 28)), data_url(plain(1200, 1200)))
    without, with_them = (
        answered(api.chat(model=model, messages=messages)) for messages in (text, pictures)
    )
    usage = with_them["usage"]
    if model == VISION:  # the upstream counts ten tokens for every prompt
        assert without["usage"]["prompt_tokens"] == 10
    assert usage["prompt_tokens"] - 3 - 1600 > 10
    entry = books.usage(with_them["id"])
    assert entry["prompt_tokens"] == usage["prompt_tokens"]


def test_pictures_are_no_characters(api: Api) -> None:
    """A megabyte of base64 is far beyond the characters that the model takes."""
    noise = Image.effect_noise((700, 500), 90)
    out = io.BytesIO()
    noise.save(out, "PNG")
    assert len(out.getvalue()) > 200_000
    answered(api.chat(model=VISION, messages=asked(Script(), data_url(out.getvalue()))))


def test_too_many_tokens(api: Api) -> None:
    big = data_url(plain(2000, 2000))
    reply = api.chat(model=VISION, messages=asked(Script(), *[big] * 11))
    refused(reply, 400, "invalid_request_error", "tokens_too_long", "16384", param="messages")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("data:image/png;base64,@@@", "base64"),
        ("data:image/png;base64,", "bytes"),
        (data_url(b"GIF89a" + bytes(40)), "GIF"),
        (data_url(b"hello"), "PNG"),
        (data_url(plain(1, 1)[:-20]), "ends early"),
        (data_url(plain(40_000, 1)), "40000"),
        ("file:///etc/passwd", "http"),
        ("ftp://example.com/a.png", "http"),
        ("http://127.0.0.1:8000/a.png", "URL"),
        ("http://169.254.169.254/latest/meta-data", "URL"),
        ("http://[::1]/a.png", "URL"),
        ("http://2130706433/a.png", "URL"),
        ("http://localhost/a.png", "URL"),
        ("/etc/passwd", "http"),
    ],
)
def test_refused_picture(api: Api, url: str, says: str) -> None:
    reply = api.chat(model=VISION, messages=[showing(url)])
    bad_messages(reply, 0)
    assert "image_url.url" in reply.json["error"]["message"]
    assert says in reply.json["error"]["message"]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url"},
        {"type": "image_url", "image_url": {}},
        {"type": "image_url", "image_url": {"url": 1}},
        {"type": "image_url", "image_url": {"url": data_url(plain(1, 1)), "detail": "fine"}},
        {"type": "input_audio"},
    ],
)
def test_broken_part(api: Api, part: dict[str, Any]) -> None:
    bad_messages(api.chat(model=VISION, messages=[{"role": "user", "content": [part]}]), 0)


def test_too_many_pictures(api: Api) -> None:
    small = data_url(plain(1, 1))
    reply = api.chat(model=VISION, messages=[showing(*[small] * 33)])
    refused(reply, 400, "invalid_request_error", "invalid_messages", 33, 32)


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_only_users_show_pictures(api: Api, role: str) -> None:
    picture = {**showing(data_url(plain(1, 1))), "role": role}
    user = {"role": "user", "content": "好"}
    messages = [picture, user] if role == "system" else [user, picture, user]
    bad_messages(api.chat(model=VISION, messages=messages), messages.index(picture))


@pytest.mark.parametrize("model", [CHAT, "ernie-3.5-8k"])
def test_text_model(api: Api, model: str) -> None:
    refused(
        api.chat(model=model, messages=[showing(data_url(plain(1, 1)))]), 401, "access_denied",
        "no_parameter_permission", model, param="image_url",
    )  # fmt: skip


@pytest.mark.embedded
def test_embedded_engine(api: Api) -> None:
    data = encoded(written([(20, 30, "禁止吸烟")], (320, 110)))
    reply = api.chat(
        model="ernie-4.5-turbo-vl-32k", messages=[showing(data_url(data))], max_tokens=40,
        temperature=0,
    )  # fmt: skip
    assert "禁止吸烟" in answered(reply)["choices"][0]["message"]["content"]


@pytest.mark.embedded
def test_embedded_engine_of_a_picture_without_text(api: Api) -> None:
    """It tells what it knows, and that it has no eyes."""
    picture = {"type": "image_url", "image_url": {"url": data_url(plain(640, 480))}}
    reply = api.chat(
        model="ernie-4.5-turbo-vl-32k", messages=[{"role": "user", "content": [picture]}],
        max_tokens=80, temperature=0,
    )  # fmt: skip
    said = answered(reply)["choices"][0]["message"]["content"]
    for told in ("640", "480", "白", "看不见"):
        assert told in said
