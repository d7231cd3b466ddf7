"""An image behind a URL is found by every gateway; one that would keep its own is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.test_images_url import got, url_of
from tests.gateways.conftest import Pair, pair_of
from tests.kit.postgres import Cluster
from tests.kit.upstream import Upstream
from tests.supervisor.kit import GATEWAY, child, serve_fails, until


def test_an_image_made_by_one_is_served_by_the_other(pair: Pair) -> None:
    path = "/images/" + url_of(pair.one).rpartition("/")[2]
    first, second = (got(server, path) for server in pair.servers)
    assert (first.status, second.status) == (200, 200)
    assert first.body == second.body
    assert second.body.startswith(b"\x89PNG")
    assert not any((server.data / "images").exists() for server in pair.servers)


def test_one_that_keeps_its_images_to_itself_is_refused(pair: Pair, tmp_path: Path) -> None:
    said = serve_fails(tmp_path / "third", XINGHE_DATABASE__URL=pair.database)
    assert "another gateway uses this database" in said
    assert "set `images.folder` to a folder that all gateways share" in said


@pytest.mark.parametrize("kind", ["none", "file"])
def test_the_folder_must_be_there(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "not mounted"
    if kind == "file":
        folder.touch()
    said = serve_fails(tmp_path / "data", XINGHE_IMAGES__FOLDER=str(folder))
    assert str(folder) in said
    assert "make it, or mount it" in said


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_alone_it_may_keep_them_and_is_started_again_at_once(
    postgres: Cluster, upstream: Upstream, tmp_path: Path
) -> None:
    """What it finds of itself after a kill is no other gateway."""
    server, _ = pair_of(tmp_path, postgres.database(), upstream, alone=True)
    with server:
        gateway = child(server, GATEWAY)
        gateway.kill()
        gateway.wait()
        until("started again", lambda: "gateway_ended" in server.log.read_text(), 10)
        server.kill()
        server.start()
        assert "another gateway" not in server.log.read_text()
