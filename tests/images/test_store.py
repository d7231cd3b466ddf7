"""Images in a folder and in a bucket: one suite, two places."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.images.s3 import KEY, SECRET, FakeS3, serving
from xinghe.images.bucket import Bucket
from xinghe.images.store import (
    NAME,
    Folder,
    ImageStore,
    Storage,
    StoreError,
    _Pieces,
    made_at,
    new_name,
    seconds_left,
)
from xinghe.settings import Images

KEEP = 604800.0


def settings(url: str = "", secret: str = SECRET) -> Images:
    return Images(
        s3_endpoint=url, s3_bucket="pictures", s3_key=KEY, s3_secret=secret, s3_prefix="a b/图/"
    )


@pytest.fixture
async def bucket() -> AsyncIterator[FakeS3]:
    async with serving() as fake:
        yield fake


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, bucket: FakeS3) -> Storage:
    if request.param == "folder":
        return Folder(tmp_path / "images")
    return Bucket(settings(bucket.url))


@pytest.fixture
async def store(place: Storage) -> AsyncIterator[ImageStore]:
    store = ImageStore(place, Images())
    yield store
    await store.aclose()


def aged(seconds: float) -> str:
    name = new_name()
    return f"{int(time.time() - seconds):08x}{name[name.index('-') :]}"


async def content(store: ImageStore, name: str) -> bytes | None:
    found = await store.open(name)
    return None if found is None else b"".join([piece async for piece in found[0].pieces])


@pytest.mark.parametrize("data", [b"x", bytes(range(256)) * 4000])
async def test_what_is_kept_is_read_again(store: ImageStore, data: bytes) -> None:
    name = await store.add(data)
    found = await store.open(name)
    assert found is not None
    opened, left = found
    assert opened.size == len(data)
    assert KEEP - 5 < left <= KEEP
    assert b"".join([piece async for piece in opened.pieces]) == data


async def test_names_differ_and_cannot_be_guessed(store: ImageStore) -> None:
    names = {await store.add(b"x") for _ in range(20)}
    assert len({name.split("-", 1)[1] for name in names}) == 20
    assert all(NAME.fullmatch(name) for name in names)


async def test_what_has_expired_is_not_served_and_then_gone(
    store: ImageStore, place: Storage
) -> None:
    old, young = aged(KEEP + 2), aged(KEEP - 60)
    for name in (old, young):
        await place.write(name, b"x")
    assert await content(store, old) is None
    assert await content(store, young) == b"x"
    assert await store.sweep() == 1
    assert await place.names() == [young]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x.png", "x.png", "6b000000-" + "A" * 31 + ".png", "6b000000-" + "A" * 33
     + ".png", "6B000000-" + "A" * 32 + ".png", "６b000000-" + "A" * 32 + ".png",
     "6b000000-" + "A" * 32 + ".png\n", "6b000000-" + "A" * 31 + "/.png",
     "6b000000-" + "A" * 31 + "\x00.png"],
)  # fmt: skip
async def test_no_other_name_is_looked_for(store: ImageStore, bucket: FakeS3, name: str) -> None:
    assert made_at(name) is None
    assert seconds_left(name, KEEP) == 0
    assert await store.open(name) is None
    assert bucket.asked == []


async def test_discarded_images_are_gone(store: ImageStore, place: Storage) -> None:
    names = [await store.add(b"x"), await store.add(b"y")]
    await store.discard(names)
    await store.discard(names)
    assert await place.names() == []


async def test_nothing_is_kept_yet(store: ImageStore) -> None:
    assert await store.sweep() == 0
    assert await store.open(new_name()) is None


async def test_many_objects_are_listed_in_pages(bucket: FakeS3) -> None:
    place = Bucket(settings(bucket.url))
    names = sorted([aged(KEEP + at) for at in range(7)])
    for name in names:
        await place.write(name, b"x")
    bucket.objects["pictures/a b/图/another file"] = b"not ours"
    bucket.objects["pictures/elsewhere"] = b"not ours"
    assert sorted(await place.names()) == names
    store = ImageStore(place, Images())
    assert await store.sweep() == 7
    assert len(bucket.objects) == 2
    await store.aclose()


async def test_a_bucket_that_refuses_or_is_away_is_an_error(bucket: FakeS3) -> None:
    wrong = Bucket(settings(bucket.url, secret="wrong"))
    with pytest.raises(StoreError, match="403"):
        await wrong.write(new_name(), b"x")
    await wrong.aclose()
    away = Bucket(settings("http://127.0.0.1:9"))
    for act in (away.write(new_name(), b"x"), away.read(new_name()), away.names()):
        with pytest.raises(StoreError, match="reached"):
            await act
    await away.aclose()


async def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("a file")
    with pytest.raises(StoreError):
        await Folder(tmp_path / "images").write(new_name(), b"x")
    assert os.listdir(tmp_path) == ["images"]


async def test_half_written_files_go_once_nobody_writes_them(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    fresh, old = aged(10), aged(7200)
    for name in (fresh, old):
        (tmp_path / f"{name}.part").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("the operator's")
    assert await ImageStore(folder, Images()).sweep() == 1
    assert set(os.listdir(tmp_path)) == {f"{fresh}.part", "notes.txt"}


async def test_what_cannot_be_removed_keeps_nothing_else(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    stuck, *others = [aged(KEEP + at) for at in range(9)]
    (tmp_path / stuck).mkdir()
    for name in others:
        await folder.write(name, b"x")
    with pytest.raises(StoreError, match=stuck):
        await ImageStore(folder, settings()).sweep()
    assert await folder.names() == [stuck]


async def test_an_object_that_never_ends_is_an_error(
    bucket: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinghe.images.bucket.MOST_ANSWERED", 1000)
    store = ImageStore(Bucket(settings(bucket.url)), Images())
    small, large = await store.add(b"x" * 1000), await store.add(b"x" * 1001)
    assert await content(store, small) == b"x" * 1000
    with pytest.raises(StoreError, match="more than 1000 bytes"):
        await content(store, large)
    await store.aclose()


async def test_a_reader_that_leaves_makes_nobody_wait_for_its_disk(tmp_path: Path) -> None:
    """A pipe stands for a file whose disk has stopped: reading it ends when we say so."""
    folder = Folder(tmp_path)
    ends, drain = os.pipe()
    file = os.fdopen(ends, "rb")
    pieces = _Pieces(file, 10, folder._threads)
    reading = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0.2)  # the thread is in the middle of it
    reading.cancel()
    await asyncio.wait([reading])
    unblock = threading.Timer(10, os.write, [drain, b"0123456789"])
    unblock.start()
    began = time.monotonic()
    del pieces, reading
    gc.collect()
    await asyncio.sleep(0.01)
    assert time.monotonic() - began < 5
    assert not file.closed
    unblock.cancel()
    os.write(drain, b"0123456789")
    async with asyncio.timeout(30):
        while not file.closed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    os.close(drain)
    await folder.aclose()
