"""The image is built as deploy/Dockerfile says, and serves: not as root, on a read-only root."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.deploy.image import Container, Image, missing, python_of
from tests.kit.api import STRICT, Api
from tests.kit.command import ended
from tests.kit.server import free_port
from xinghe.settings import load
from xinghe.weights import find

pytestmark = [
    pytest.mark.slow,
    pytest.mark.embedded,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]

DATA, CACHE = "/var/lib/xinghe", "/var/cache/xinghe"
OF_BUILDING = {"pip", "setuptools", "wheel", "hatchling", "editables", "uv"}
TOOLS = ("gcc", "cc", "make", "git", "pip", "pip3", "curl", "wget")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    yield Image.built(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def volumes(
    image: Image, small_weights: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """New volumes as Docker makes them: owned as the image's folders are; the weights are there."""
    assert set(image.config["Volumes"]) == {DATA, CACHE}
    made = {name: tmp_path_factory.mktemp(name.replace("/", "-")) for name in (DATA, CACHE)}
    found = find(load(str(made[DATA]), environ=dict(os.environ)), small_weights)
    assert found is not None
    for each in found.parent.glob(f"{found.name}*"):
        shutil.copy(each, made[CACHE])
    for name, folder in made.items():
        owner = (image.root / name.lstrip("/")).stat()
        for each in (folder, *folder.iterdir()):
            os.chown(each, owner.st_uid, owner.st_gid)
    return made


@pytest.fixture(scope="module")
def container(
    image: Image, volumes: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    settings = {
        "XINGHE_SERVER__PORT": str(free_port()),
        "XINGHE_SERVER__HOST": "127.0.0.1",
        "XINGHE_EMBEDDED__MODEL": "small",
    }
    log = tmp_path_factory.mktemp("log") / "container.log"
    with image.running(volumes, log, settings=settings) as running:
        running.wait(log)
        yield running
        assert running.stop() == 0, log.read_text("utf-8")
    lines = log.read_text("utf-8").splitlines()
    assert '"event":"stopped"' in lines[-1]
    proven = log.with_name("ledger.log")
    with image.running(volumes, proven, "ledger", "check", settings=settings) as checking:
        assert checking.process.wait(60) == 0, proven.read_text("utf-8")
    assert "the books agree" in proven.read_text("utf-8")


@pytest.fixture(scope="module")
def api(container: Container) -> Api:
    token = container.did("xinghe", "token", "create").splitlines()[0]
    return Api(f"http://127.0.0.1:{container.settings['XINGHE_SERVER__PORT']}", token)


def test_nothing_that_builds_is_left(image: Image) -> None:
    assert "xinghe" in python_of(image)
    assert not OF_BUILDING & set(python_of(image))
    places = ("usr/bin", "usr/local/bin", "bin", "opt/xinghe/bin")
    left = [tool for tool in TOOLS for place in places if (image.root / place / tool).exists()]
    assert left == []
    assert not list(image.root.glob("opt/xinghe/lib/python3*/site-packages/xinghe/**/test_*.py"))
    assert not (image.root / "build").exists()


def test_what_runs_has_no_rights(container: Container) -> None:
    assert container.first.uids().real == 10001
    assert container.did("id", "-u") == "10001"
    status = Path(f"/proc/{container.first.pid}/status").read_text("utf-8")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_only_volumes_and_tmp_are_written(container: Container) -> None:
    for place in ("/", "/opt/xinghe", "/etc", "/var/tmp", "/usr/local", "/home"):
        code, told = container.do("touch", f"{place}/new")
        assert (code, "Read-only file system" in told) == (1, True), place
    container.did("touch", f"{DATA}/new", f"{CACHE}/new", "/tmp/new")
    container.did("rm", f"{DATA}/new")


def test_every_part_works_on_a_read_only_root(api: Api) -> None:
    """Each loads what it needs from the image: the engine, vectors, OCR, search, the preview."""
    stream = api.stream(model="ernie-3.5-8k", max_completion_tokens=8)
    assert stream.done
    assert stream.content
    v1 = api.at(STRICT)
    vectors = v1.post("/embeddings", {"model": "embedding-v1", "input": "图书馆"})
    assert vectors.status == 200, vectors.body
    drawn = v1.post("/images/generations", {"model": "Stable-Diffusion-XL", "prompt": "a red boat"})
    assert drawn.status == 200, drawn.body
    found = api.chat(
        model="ernie-3.5-8k",
        messages=[{"role": "user", "content": "怎么备份数据库?"}],
        web_search={"enable": True, "enable_trace": True},
        max_completion_tokens=8,
    )
    assert any("operations" in each["url"] for each in json.loads(found.body)["search_results"])
    picture = base64.b64encode(Path("docs/library.png").read_bytes()).decode()
    parts = [
        {"type": "text", "text": "几点开门?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
    ]
    seen = api.chat(
        model="ernie-4.5-turbo-vl-32k",
        messages=[{"role": "user", "content": parts}],
        max_completion_tokens=8,
    )
    assert seen.status == 200, seen.body
    assert "ocr" in seen.headers["x-served-by"]


def test_the_doctor_finds_it_well(container: Container, api: Api) -> None:
    assert api.get("/models").status == 200
    found = json.loads(container.did("xinghe", "doctor", "--json"))
    assert [each for each in found["checks"] if each["status"] == "fail"] == []


def test_a_backup_from_it_is_restored_here(container: Container, tmp_path: Path) -> None:
    container.did("xinghe", "backup", f"{DATA}/xinghe.backup")
    saved = tmp_path / "xinghe.backup"
    saved.write_bytes(Path(f"/proc/{container.first.pid}/root{DATA}/xinghe.backup").read_bytes())
    code, out, errors = ended("restore", str(saved), data=tmp_path / "restored")
    assert (code, "the books agree" in out + errors) == (0, True), out + errors


def test_it_is_not_healthy_where_nothing_serves(container: Container) -> None:
    settings = {**container.settings, "XINGHE_SERVER__PORT": str(free_port())}
    assert container.is_healthy()
    assert not replace(container, settings=settings).is_healthy()
