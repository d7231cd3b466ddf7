"""The example files of the documentation: they load, and an upstream example really serves."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from tests.docs.pages import CHINESE, Block
from tests.kit.api import Api
from tests.kit.catalogs import catalog_of
from tests.kit.expect import answered
from tests.kit.server import Server
from tests.kit.upstream import Upstream
from xinghe import settings
from xinghe.catalog import Kind, LlamaCppDeployment, UpstreamDeployment
from xinghe.supervisor.engines import ENGINE
from xinghe.weights import resolve

PRINTED_UPSTREAM = "http://127.0.0.1:9000/v1"


def examples(file: str) -> Iterator[Block]:
    """The examples of one file: their first line names it."""
    for each in CHINESE:
        for block in each.blocks:
            if block.language == "toml" and block.text.startswith(f"# {file}\n"):
                yield block


MODELS = list(examples("models.toml"))
UPSTREAMS = [
    block for block in MODELS if '"upstream"' in block.text and PRINTED_UPSTREAM in block.text
]
"""Those that name no other machine."""


def test_every_toml_block_says_which_file_it_is() -> None:
    blocks = [block for each in CHINESE for block in each.blocks if block.language == "toml"]
    assert len(blocks) == len(MODELS) + len(list(examples("xinghe.toml")))
    assert len(UPSTREAMS) >= 3


def test_settings_examples_set_what_they_say(tmp_path: Path) -> None:
    for block in examples("xinghe.toml"):
        (tmp_path / "xinghe.toml").write_text(block.text, "utf-8")
        found = settings.load(str(tmp_path), environ={})
        set_to = msgspec.json.decode(msgspec.json.encode(found))
        assert holds(set_to, tomllib.loads(block.text))


def holds(tree: Any, written: Any) -> bool:
    """Whether a tree of settings has all that was written."""
    if isinstance(written, dict):
        return all(name in tree and holds(tree[name], value) for name, value in written.items())
    return bool(tree == written)


@pytest.mark.parametrize("block", MODELS, ids=lambda block: f"{len(block.text)} characters")
def test_models_examples_load(block: Block, tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(block.text, "utf-8")
    catalog = catalog_of(settings.load(str(tmp_path), environ={}))
    written = tomllib.loads(block.text)
    for field, value in written.get("limits", {}).items():
        assert getattr(catalog.limits, field) == value
    for field, value in written.get("defaults", {}).items():
        assert value in {getattr(card, field) for card in catalog.models.values()}
    for name, fields in written.get("models", {}).items():
        if "alias" in fields:
            assert catalog.aliases[name] == fields["alias"]
            continue
        card = msgspec.json.decode(msgspec.json.encode(catalog.models[name]))
        assert {field: card[field] for field in fields} == fields
    for name in written.get("deployments", {}):
        assert name in {each for card in catalog.models.values() for each in card.chain}
        makers = {**catalog.deployments, **catalog.embeddings, **catalog.images}
        deployment = makers[name]
        if isinstance(deployment, LlamaCppDeployment):
            assert resolve(deployment.weights)


@pytest.fixture(scope="module")
def service(small_weights: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("examples"), "--model", small_weights) as running:
        yield running


@pytest.mark.parametrize("block", UPSTREAMS, ids=lambda block: f"{len(block.text)} characters")
def test_upstream_examples_serve_the_names_that_they_move(
    block: Block, service: Server, upstream: Upstream, tmp_path: Path
) -> None:
    file = tmp_path / "models.toml"
    file.write_text(block.text.replace(PRINTED_UPSTREAM, upstream.url), "utf-8")
    service.run("config", "apply", str(file))
    api = Api(service.url, service.token())
    catalog = catalog_of(settings.load(str(tmp_path), environ={}))
    moved = {
        name: deployment
        for name, card in catalog.of_kind(Kind.CHAT).items()
        if isinstance(deployment := catalog.deployments[card.deployment], UpstreamDeployment)
    }
    assert moved
    for name, deployment in moved.items():
        reply = api.chat(model=name)
        answered(reply)
        assert reply.headers["x-served-by"] == f"vllm/{deployment.model}"
    wanted = 0 if len(moved) == len(catalog.of_kind(Kind.CHAT)) else 1
    end = time.monotonic() + 60
    while len(engines(service)) != wanted:
        assert time.monotonic() < end, engines(service)
        time.sleep(0.1)


def engines(service: Server) -> list[str]:
    """The engines that run, as the system tells."""
    running = [" ".join(each.cmdline()) for each in psutil.Process(service.pid).children()]
    return [line for line in running if ENGINE in line]
