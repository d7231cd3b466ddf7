"""The life of an image's URL: served to anybody, for its time, and by its own name alone."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.api.test_images import draw, fetched
from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.expect import answered, refused
from tests.kit.raw import Connection, Reply
from tests.kit.server import Server


def url_of(api: Api) -> str:
    return str(answered(draw(api, size="768x768"))["data"][0]["url"])


@pytest.fixture(scope="module")
def served(api: Api) -> str:
    """The URL of an image."""
    return url_of(api)


def got(server: Server, path: str) -> Reply:
    with Connection(server.url) as connection:
        connection.request("GET", path)
        return connection.reply()


def test_headers_and_methods(api: Api, server: Server) -> None:
    url = url_of(api)
    reply = fetched(server, url)
    age = int(reply.headers["cache-control"].removeprefix("public, max-age=").split(",")[0])
    assert 604_700 < age <= 604_800
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert int(reply.headers["content-length"]) == len(reply.body)
    head = fetched(server, url, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == reply.headers["content-length"]
    assert fetched(server, url, "DELETE").status == 405
    assert fetched(server, url).status == 200


def test_the_url_tells_nothing_of_the_account(api: Api, server: Server) -> None:
    appids = server.run("member", "list")
    url = url_of(api)
    assert not any(word in url for word in appids.split() if len(word) > 6)
    assert url_of(api)[-36:] != url[-36:]


@pytest.mark.parametrize(
    ("host", "begins"),
    [
        ("llm.example.edu", "http://llm.example.edu/images/"),
        ("localhost:8000", "http://localhost:8000/images/"),
        ("[::1]:8000", "http://[::1]:8000/images/"),
        ("x%41", "http://127.0.0.1:"),  # a host for HTTP, and none for a link
    ],
)
def test_the_link_begins_with_the_host_that_was_asked(api: Api, host: str, begins: str) -> None:
    """Where the operator names no `server.public_url`."""
    body = json.dumps({"prompt": "猫", "size": "768x768", "model": "Stable-Diffusion-XL"}).encode()
    with Connection(api.url) as connection:
        lines = [f"Host: {host}", f"Authorization: Bearer {api.token}"]
        lines += [f"Content-Length: {len(body)}", "", ""]
        start = f"POST {api.mount}/images/generations HTTP/1.1"
        connection.send("\r\n".join([start, *lines]).encode() + body)
        data = answered(connection.reply())["data"]
    assert data[0]["url"].startswith(begins)


def test_the_operators_url_wins(make_server: MakeServer) -> None:
    server = make_server(settings={"XINGHE_SERVER__PUBLIC_URL": "https://llm.example.edu/"})
    url = url_of(Api(server.url, server.token()))
    assert url.startswith("https://llm.example.edu/images/")


@pytest.mark.parametrize(
    "path",
    [
        "/images/",
        "/images",
        "/images/../xinghe.db",
        "/images/..%2fxinghe.db",
        "/images/%2e%2e/xinghe.db",
        "/images/..%5cxinghe.db",
        "/images/%00.png",
        "/images/{name}%00.png",
        "/images/{name}/",
        "/images//{name}",
        "/images/./{name}x",
        "/images/{stem}.PNG",
        "/images/{stem}.png.part",
        "/images/{stem}.",
        "/images/ffffffff-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.png",
        "/images/00000000-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.png",
        "/images/link",
        "/images/6b000000-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.png",
        "/images/6b000000-BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB.png",
    ],
)
def test_no_other_path_is_served(served: str, server: Server, path: str) -> None:
    folder = server.data / "images"
    name = served.rsplit("/", 1)[1]
    now = f"{int(time.time()):08x}"
    link, pipe = (folder / f"{now}-{letter * 32}.png" for letter in "AB")
    link.unlink(missing_ok=True)
    link.symlink_to(server.data / "xinghe.db")
    if not pipe.exists():
        os.mkfifo(pipe)
    path = path.replace("6b000000", now).format(name=name, stem=name.removesuffix(".png"))
    reply = got(server, path)
    refused(reply, 404, "invalid_request_error", "no_such_path")


def test_it_expires_and_is_removed_after_a_restart(make_server: MakeServer) -> None:
    server = make_server(settings={"XINGHE_IMAGES__KEEP": "3"})
    url = url_of(Api(server.url, server.token()))
    path = url.removeprefix(server.url)
    assert got(server, path).status == 200
    files = Path(server.data, "images")
    (stored,) = files.iterdir()
    server.stop()
    os.utime(stored)  # a restored copy has the times of now; the image is as old as it is
    server.start()
    end = time.monotonic() + 100
    while stored.exists():
        assert time.monotonic() < end
        time.sleep(0.2)
    refused(got(server, path), 404, "invalid_request_error", "no_such_path", "expired")


def test_it_is_served_after_a_restart(make_server: MakeServer) -> None:
    server = make_server()
    path = url_of(Api(server.url, server.token())).removeprefix(server.url)
    before = got(server, path).body
    server.kill()
    server.start()
    assert got(server, path).body == before
