"""The source's own programs, run as a reader would: the base URL and the key are all that differ.

The programs stand in `programs/` as the document prints them, with the indentation that its
rendering lost.
"""

from __future__ import annotations

import io
import os
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from tests.kit.api import DOCUMENTED
from tests.kit.server import Server
from tests.pictures.render import encoded, written

PROGRAMS = Path(__file__).parent / "programs"
SOURCE_URL = "https://aistudio.baidu.com/llm/lmapi/v3"

# The programs name no `max_completion_tokens`: the operator keeps the answers of this test short.
SHORT = """
[models."ernie-3.5-8k"]
output_default = 24
[models."ernie-4.5-8k-preview"]
output_default = 24
[models."ernie-4.0-turbo-8k"]
output_default = 24
[models."deepseek-r1"]
output_default = 16
reasoning_max = 24
"""
SAMPLE_HOST = "testimage.bj.bcebos.com"
TLS = Path(__file__).parent.parent / "fetching" / "tls"


@pytest.fixture(scope="module")
def sample_pictures() -> Iterator[tuple[int, list[str]]]:
    """A server that stands in for the host of the document's sample pictures.

    Its port, and the paths that it was asked for.
    """
    asked: list[str] = []
    served = {
        "/image1.jpg": picture("欢迎来到北京", "JPEG"),
        "/image2.png": picture("禁止吸烟", "PNG"),
    }

    class Pictures(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            data = served[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as running:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(TLS / "server.pem")
        running.socket = tls.wrap_socket(running.socket, server_side=True)
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_port, asked
        running.shutdown()


@pytest.fixture(scope="module")
def short_server(
    small_weights: str,
    sample_pictures: tuple[int, list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """The guard is on: only the sample host's name resolves to this machine."""
    data = tmp_path_factory.mktemp("examples")
    (data / "xinghe.toml").write_text(
        f"""
        [fetching]
        ca_file = "{TLS / "ca.pem"}"
        hosts = {{ "{SAMPLE_HOST}" = "127.0.0.1:{sample_pictures[0]}" }}
        """,
        "utf-8",
    )
    with Server(data, "--model", small_weights, models=SHORT) as running:
        yield running


def picture(text: str, form: str) -> bytes:
    return encoded(written([(30, 40, text)], (400, 130), letter=48), form)


@pytest.fixture(scope="module")
def key(short_server: Server) -> str:
    return short_server.token()


def command(name: str, server: Server, **changed: str) -> list[str]:
    """The program with our base URL: that alone must differ, and no variable could set it.

    `changed` are further strings of the program: a file that only the document's author had.
    """
    text = (PROGRAMS / f"{name}.py").read_text("utf-8")
    assert text.count(f'"{SOURCE_URL}"') == 1
    for old, new in changed.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    return [sys.executable, "-u", "-c", text.replace(SOURCE_URL, server.url + DOCUMENTED)]


def environment(key: str) -> dict[str, str]:
    return {**os.environ, "AI_STUDIO_API_KEY": key, "PYTHONIOENCODING": "utf-8"}


def run(
    name: str,
    server: Server,
    key: str,
    typed: str = "",
    at: str | Path | None = None,
    **changed: str,
) -> str:
    """Run a program that must succeed, in the folder `at`; gives what it printed."""
    result = subprocess.run(
        command(name, server, **changed),
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(key),
        cwd=at,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def is_text(printed: str) -> bool:
    """Whether a program printed what a model said: in which language and how long, is its own."""
    return printed.strip() not in {"", "None"}


def test_2_7_lists_the_models(short_server: Server, key: str) -> None:
    lines = run("section_2_7_models", short_server, key).split()
    assert {"ernie-3.5-8k", "deepseek-r1", "ernie-4.5-8k-preview"} <= set(lines)


@pytest.mark.embedded
@pytest.mark.parametrize(
    "name",
    [
        "section_4_1_1_chat",
        "section_5_2_stream",
        "section_5_3_async",
        "section_5_7_reasoning",
        "section_5_7_reasoning_stream",
        "section_5_8_1_multimodal_text",
        "section_5_8_2_multimodal_text_stream",
    ],
)
def test_prints_an_answer(short_server: Server, key: str, name: str) -> None:
    assert is_text(run(name, short_server, key))


@pytest.mark.embedded
def test_5_2_prints_while_the_answer_is_made(short_server: Server, key: str) -> None:
    with subprocess.Popen(
        command("section_5_2_stream", short_server), stdout=subprocess.PIPE, env=environment(key)
    ) as process:
        assert process.stdout is not None
        reads = []
        while data := os.read(process.stdout.fileno(), 4096):
            reads.append(data)
        assert process.wait(120) == 0
    assert len(reads) > 3
    assert b"".join(reads).decode().strip()


@pytest.mark.embedded
def test_5_1_holds_a_conversation(short_server: Server, key: str) -> None:
    printed = run("section_5_1_rounds", short_server, key, typed="你好\n你能做什么?\n结束\n")
    # The greeting of the program itself, two rounds, and the round that ends it.
    answers = printed.split("模型输出:")[1:]
    assert len(answers) == 4
    for answer in answers[1:]:
        assert answer.replace("请输入:", "").strip()


@pytest.mark.embedded
def test_5_4_prints_an_answer_and_what_it_rests_on(short_server: Server, key: str) -> None:
    """The default source, the project's own pages, knows nothing of the Olympics."""
    answer, references = run("section_5_4_web_search", short_server, key).split("\n参考资料:\n")
    assert is_text(answer)
    assert references.strip() == ""


@pytest.mark.embedded
def test_5_4_lists_what_the_operator_has(short_server: Server, key: str, tmp_path: Path) -> None:
    (tmp_path / "olympics.md").write_text(
        "# 巴黎奥运会乒乓球\n\n2024年奥运会乒乓球男单冠军是樊振东,他在决赛中击败了莫雷加德。",
        "utf-8",
    )
    short_server.run("search", "index", str(tmp_path), "--name", "olympics")
    printed = run("section_5_4_web_search", short_server, key)
    answer, references = printed.split("\n参考资料:\n")
    assert "樊振东" in answer
    assert references.strip().startswith("1. ")
    assert "巴黎奥运会乒乓球. http" in references


@pytest.mark.embedded
def test_5_6_prints_a_call(short_server: Server, key: str) -> None:
    printed = run("section_5_6_function_call", short_server, key)
    assert "finish_reason='function_call'" in printed
    assert "name='get_current_weather'" in printed
    assert "Boston" in printed


@pytest.mark.embedded
def test_5_7_prints_thought_and_answer(short_server: Server, key: str) -> None:
    thought, _, answer = run("section_5_7_reasoning", short_server, key).strip().partition("\n")
    assert is_text(thought)
    assert is_text(answer)


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("name", "pictures"),
    [
        ("section_5_8_3_picture_url", {"/image1.jpg"}),
        ("section_5_8_5_pictures_and_text", {"/image1.jpg", "/image2.png"}),
    ],
)
def test_5_8_looks_at_pictures_from_urls(
    short_server: Server,
    key: str,
    sample_pictures: tuple[int, list[str]],
    name: str,
    pictures: set[str],
) -> None:
    asked = sample_pictures[1]
    asked.clear()
    assert is_text(run(name, short_server, key))
    assert set(asked) == pictures


@pytest.mark.embedded
def test_5_8_4_looks_at_a_picture_of_its_own(
    short_server: Server, key: str, tmp_path: Path
) -> None:
    """A PNG that the program labels as JPEG."""
    own = tmp_path / "image_1.png"
    own.write_bytes(picture("星河大学", "PNG"))
    changed = {"/image_1.png": str(own)}
    printed = run("section_5_8_4_picture_base64", short_server, key, **changed)
    assert is_text(printed)


def test_4_2_1_saves_two_images(short_server: Server, key: str, tmp_path: Path) -> None:
    printed = run("section_4_2_1_images", short_server, key, at=tmp_path).strip()
    assert printed.startswith(f"{short_server.url}/images/")
    with urllib.request.urlopen(printed) as answer:
        first = answer.read()
    second = (tmp_path / "image_0.png").read_bytes()
    for data in (first, second):
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            assert image.size == (1024, 1024)
    assert first != second


def test_4_3_1_prints_two_vectors(short_server: Server, key: str) -> None:
    printed = run("section_4_3_1_embeddings", short_server, key)
    assert "object='embedding_list'" in printed
    assert printed.count("object='embedding'") == 2
    assert "prompt_tokens=12" in printed
