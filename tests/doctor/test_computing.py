"""What the doctor says of the embedded engine's threads."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.doctor.kit import options
from tests.kit.server import free_port
from xinghe.doctor import computing
from xinghe.doctor.finding import OK, WARN
from xinghe.doctor.options import Options
from xinghe.doctor.processor import Capacity, capacity
from xinghe.settings import Settings


def at(port: int, cache: object = "/nowhere", **environ: str) -> Options:
    return options(
        "--model", "small", "--port", str(port), XINGHE_WEIGHTS__CACHE=str(cache), **environ
    )


@contextmanager
def told(body: bytes) -> Iterator[int]:
    """The port of a service whose /readyz says so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_running_service_tells_what_it_measured() -> None:
    one = {"deployment": "a", "threads": 1, "why": "1 of 8 cores by affinity"}
    engines = {
        "b": {"threads": 8, "why": "8 cores", "reads": 312.4, "writes": 41.6, "measured": 8},
        "a": {**one, "reads": 0.0, "writes": 0.0, "measured": 0},
        "c": {**one, "reads": 90.0, "writes": 12.25, "measured": 2},
    }
    with told(json.dumps({"status": "ready", "engines": engines}).encode()) as port:
        finding = computing.threads(at(port))
    assert finding.status == OK
    assert finding.text == (
        "a: 1 thread (1 of 8 cores by affinity); not measured; "
        "b: 8 threads (8 cores); reads 312.4 and writes 41.6 tokens a second "
        "(1,000 of a prompt: 3 s); "
        "c: 1 thread (1 of 8 cores by affinity); "
        "with 2 threads it reads 90.0 and writes 12.2 tokens a second (1,000 of a prompt: 11 s)"
    )


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"engines": 3}', b'{"engines": {"a": {"threads": "x"}}}', b"\xff"]
)
def test_what_somebody_else_answers_is_passed_over(body: bytes) -> None:
    with told(body) as port:
        assert "the model file is not here yet" in computing.threads(at(port)).text


def test_more_than_there_is_room_for() -> None:
    finding = computing.threads(at(free_port(), XINGHE_EMBEDDED__THREADS="4096"))
    assert finding.status == WARN
    assert f"room for {capacity().threads} ({capacity()})" in finding.text
    assert "embedded.threads = 0" in finding.mend


def test_an_engine_that_is_off(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(
        '[defaults]\ndeployment = "far"\n[deployments.far]\nengine = "upstream"\n'
        'url = "http://127.0.0.1:1/v1"\nmodel = "m"\n'
    )
    assert computing.threads(options("--data", str(tmp_path))).text == "the embedded engine is off"


def test_an_engine_that_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf").write_bytes(b"GGUF")
    finding = computing.threads(at(free_port(), tmp_path))
    assert f"({capacity()}); not measured: the engine did not start" in finding.text


@pytest.mark.embedded
def test_an_engine_is_started_to_be_measured(small_weights: str) -> None:
    cache = Settings().weights_dir
    finding = computing.threads(at(free_port(), cache, XINGHE_EMBEDDED__THREADS="1"))
    assert finding.status == OK
    speed = r"reads [\d.]+ and writes [\d.]+ tokens a second \(1,000 of a prompt: \d+ s\)"
    assert re.fullmatch(rf"1 thread \(set by embedded.threads\); {speed}", finding.text)


WORDS = (
    str(Capacity(2, 8, None)),
    str(Capacity(8, 8, 2.5)).partition(", ")[2],
    "set by embedded.threads",
    "others use the processor",
    "the processor is free again",
    "not running",
    "not measured",
)


@pytest.mark.parametrize("page", ["operations.md", "operations.en.md"])
def test_the_manual_explains_the_words(page: str) -> None:
    manual = (ROOT / "docs" / page).read_text("utf-8")
    source = "".join(file.read_text("utf-8") for file in (ROOT / "src").rglob("*.py"))
    for words in WORDS:
        assert f"| `{words}` |" in manual
    for words in WORDS[2:]:
        assert words in source
