"""One file over HTTP: whole, resumed, restarted, refused."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import stat
import time
from pathlib import Path

import pytest

from tests.kit.pace import allowed
from tests.weights.hub import Hub
from tests.weights.kit import CONTENT, Notes, place, settings, weight
from xinghe.weights.fetch import fetch_weight
from xinghe.weights.index import NoSpaceError, WeightsError

OTHER = b"GGUF" + bytes(len(CONTENT) - 4)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinghe.weights.http.RETRY_DELAYS", (0.05, 0.05, 0.05))


async def test_a_whole_file_is_installed_once(tmp_path: Path) -> None:
    async with Hub(CONTENT) as hub:
        path = await fetch_weight(settings(tmp_path, hub.url), weight(), Notes())
        again = await fetch_weight(settings(tmp_path, hub.url), weight(), Notes())
    assert path == again
    assert path.read_bytes() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert hub.requests == [None]
    marker = place(tmp_path).marker()
    assert marker is not None
    assert marker.verified
    assert marker.source == "url"
    assert set(os.listdir(tmp_path)) == {"tiny.gguf", "tiny.gguf.json", "tiny.gguf.lock"}


async def test_a_broken_connection_is_resumed(tmp_path: Path) -> None:
    async with Hub(CONTENT) as hub:
        hub.cuts = [300_000, 200_000]
        path = await fetch_weight(settings(tmp_path, hub.url), weight(), Notes())
    assert path.read_bytes() == CONTENT
    first, second, third = hub.requests
    assert first is None
    assert second == "bytes=300000-"
    assert third == "bytes=500000-"


async def test_what_arrived_is_kept_for_the_next_run(tmp_path: Path) -> None:
    async with Hub(CONTENT) as hub:
        hub.cuts = [400_000] + [0] * 10
        with pytest.raises(WeightsError, match="400000 bytes, which are kept"):
            await fetch_weight(settings(tmp_path, hub.url), weight(), Notes())
        assert place(tmp_path).partial.stat().st_size == 400_000
        hub.cuts, hub.requests = [], []
        path = await fetch_weight(settings(tmp_path, hub.url), weight(), Notes())
    assert hub.requests == ["bytes=400000-"]
    assert path.read_bytes() == CONTENT


async def test_a_server_without_ranges_is_read_from_the_start(tmp_path: Path) -> None:
    async with Hub(CONTENT) as hub:
        hub.ranges = False
        hub.cuts = [300_000]
        path = await fetch_weight(settings(tmp_path, hub.url), weight(), Notes())
    assert hub.requests == [None, "bytes=300000-"]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("known", [True, False])
async def test_a_file_that_changed_is_not_spliced(tmp_path: Path, known: bool) -> None:
    wanted = weight(OTHER) if known else weight(None)
    async with Hub(CONTENT) as hub:
        hub.cuts = [300_000] + [0] * 10
        with pytest.raises(WeightsError):
            await fetch_weight(settings(tmp_path, hub.url), wanted, Notes())
        hub.cuts, hub.content, hub.etag = [], OTHER, '"two"'
        path = await fetch_weight(settings(tmp_path, hub.url), wanted, Notes())
    assert path.read_bytes() == OTHER


async def test_without_an_etag_another_size_means_another_file(tmp_path: Path) -> None:
    longer = CONTENT + b"tail"
    async with Hub(CONTENT) as hub:
        hub.etag = 'W/"weak"'
        hub.cuts = [300_000] + [0] * 10
        with pytest.raises(WeightsError):
            await fetch_weight(settings(tmp_path, hub.url), weight(None), Notes())
        hub.cuts, hub.content, hub.requests = [], longer, []
        path = await fetch_weight(settings(tmp_path, hub.url), weight(None), Notes())
    assert hub.requests == ["bytes=300000-", None]
    assert path.read_bytes() == longer


@pytest.mark.parametrize("surplus", [b"", b"junk"])
async def test_a_part_that_is_already_whole_or_too_long(tmp_path: Path, surplus: bytes) -> None:
    async with Hub(CONTENT) as hub:
        hub.cuts = [300_000] + [0] * 10
        with pytest.raises(WeightsError):
            await fetch_weight(settings(tmp_path, hub.url), weight(), Notes())
        place(tmp_path).partial.write_bytes(CONTENT + surplus)
        hub.cuts, hub.requests = [], []
        path = await fetch_weight(settings(tmp_path, hub.url), weight(), Notes())
    expected = f"bytes={len(CONTENT) + len(surplus)}-"
    assert hub.requests == ([expected, None] if surplus else [expected])
    assert path.read_bytes() == CONTENT


async def test_wrong_bytes_are_deleted_and_the_next_source_is_asked(tmp_path: Path) -> None:
    notes = Notes()
    async with Hub(OTHER) as liar, Hub(CONTENT) as honest:
        path = await fetch_weight(settings(tmp_path, liar.url, honest.url), weight(), notes)
    assert path.read_bytes() == CONTENT
    (told,) = [each for each in notes.notes if each.startswith("url: gave a wrong file, deleted")]
    assert told.endswith("; trying modelscope next")
    assert honest.requests == [None]


async def test_a_good_source_is_not_blamed_for_what_a_bad_one_left(tmp_path: Path) -> None:
    async with Hub(OTHER) as liar, Hub(CONTENT) as honest:
        liar.cuts = [300_000] + [0] * 10
        path = await fetch_weight(settings(tmp_path, liar.url, honest.url), weight(), Notes())
    assert path.read_bytes() == CONTENT
    assert honest.requests == ["bytes=300000-", None]


async def test_a_source_that_offers_another_size_is_not_downloaded(tmp_path: Path) -> None:
    async with Hub(CONTENT) as hub:
        with pytest.raises(WeightsError, match="offers 1000004 bytes, and should offer 1234567"):
            await fetch_weight(settings(tmp_path, hub.url), weight(size=1_234_567), Notes())
    assert not place(tmp_path).partial.exists()


async def test_a_login_page_is_not_a_model(tmp_path: Path) -> None:
    async with Hub(b"<html>please log in</html>") as hub:
        with pytest.raises(WeightsError, match="not a GGUF file"):
            await fetch_weight(settings(tmp_path, hub.url), weight(None), Notes())
    assert not place(tmp_path).path.exists()


async def test_a_host_that_does_not_answer_costs_three_seconds(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        address = silent.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        await asyncio.sleep(0.1)
        started = time.monotonic()
        async with Hub(CONTENT) as hub:
            url = f"http://127.0.0.1:{address[1]}"
            path = await fetch_weight(settings(tmp_path, url, hub.url), weight(), Notes())
        took = time.monotonic() - started
        for filler in fillers:
            filler.close()
    assert path.read_bytes() == CONTENT
    assert 2.5 < took < 3 + allowed(2)


async def test_the_message_lists_every_source_and_why_it_failed(tmp_path: Path) -> None:
    async with Hub(OTHER) as liar:
        dead = "http://127.0.0.1:1"
        asked = settings(tmp_path, dead, liar.url, dead, path=str(tmp_path / "nowhere"))
        with pytest.raises(WeightsError) as failure:
            await fetch_weight(asked, weight(), Notes())
    lines = str(failure.value).splitlines()
    assert lines[0] == "tiny could not be fetched. Tried:"
    assert [line.split()[0] for line in lines[1:5]] == ["path", "url", "modelscope", "huggingface"]
    assert "nowhere" in lines[1]
    assert "No such file" in lines[1]
    assert "Cannot connect" in lines[2]
    assert hashlib.sha256(OTHER).hexdigest() in lines[3]
    assert "XINGHE_WEIGHTS__PATH" in lines[5]


async def test_passwords_of_a_mirror_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as failure:
        await fetch_weight(settings(tmp_path, "http://me:secret@127.0.0.1:1"), weight(), Notes())
    assert "secret" not in str(failure.value)


async def test_passwords_of_a_mirror_are_not_stored(tmp_path: Path) -> None:
    async with Hub(CONTENT) as hub:
        hub.cuts = [300_000] + [0] * 10
        asked = settings(tmp_path, hub.url.replace("://", "://me:secret@"))
        with pytest.raises(WeightsError):
            await fetch_weight(asked, weight(None), Notes())
        assert "secret" not in place(tmp_path).partial_facts.read_text()
        hub.cuts, hub.requests = [], []
        await fetch_weight(asked, weight(None), Notes())
    assert hub.requests == ["bytes=300000-"]


async def test_an_unverified_file_is_held_to_what_was_seen_first(tmp_path: Path) -> None:
    notes = Notes()
    digest = hashlib.sha256(CONTENT).hexdigest()
    async with Hub(CONTENT) as hub:
        path = await fetch_weight(settings(tmp_path, hub.url), weight(None), notes)
        assert any("not verified" in note and digest in note for note in notes.notes)
        marker = place(tmp_path).marker()
        assert marker is not None
        assert not marker.verified
        path.unlink()
        hub.content, hub.etag = OTHER, '"two"'
        with pytest.raises(WeightsError, match=f"should be {digest} as it was when first"):
            await fetch_weight(settings(tmp_path, hub.url), weight(None), Notes())
    assert not path.exists()


async def test_a_full_disk_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    async with Hub(CONTENT) as hub:
        with pytest.raises(NoSpaceError, match="XINGHE_WEIGHTS__CACHE"):
            await fetch_weight(settings(tmp_path, hub.url), weight(None, size=10**16), Notes())
    assert hub.requests == []


async def test_the_environments_proxy_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Hub(CONTENT) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        path = await fetch_weight(settings(tmp_path, "http://mirror.invalid"), weight(), Notes())
    assert path.read_bytes() == CONTENT
