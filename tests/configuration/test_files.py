"""Files are read when they have been quiet, and not before they changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from xinghe.configuration.files import EMPTY, QUIET, Files, Found


def until(files: Files, most: float = 4.0) -> tuple[Found | None, float]:
    """What they are found to hold, and after how long."""
    begin = time.monotonic()
    while (took := time.monotonic() - begin) < most:
        if (found := files.changed()) is not None:
            return found, took
        time.sleep(0.02)
    return None, took


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "models.toml").write_text("[limits]\nqps = 1.0\n", "utf-8")
    made = Files(tmp_path)
    made.read()
    return made


def test_an_edit_is_seen_when_it_is_done(files: Files, tmp_path: Path) -> None:
    assert files.changed() is None
    with (tmp_path / "models.toml").open("w", encoding="utf-8") as file:
        for line in ("[limits]\n", "qps = 2.0\n", "rpm = 3\n"):
            file.write(line)
            file.flush()
            assert until(files, QUIET / 2)[0] is None
    found, took = until(files)
    assert found == Found({"limits": {"qps": 2.0, "rpm": 3}})
    assert took < 2 * QUIET
    assert files.changed() is None


def test_a_file_that_is_renamed_into_place(files: Files, tmp_path: Path) -> None:
    draft = tmp_path / "models.toml.new"
    draft.write_text("[limits]\nqps = 2.0\n", "utf-8")
    os.utime(draft, (1, 1))
    (tmp_path / "models.toml").unlink()
    assert files.changed() is None
    draft.rename(tmp_path / "models.toml")
    assert until(files)[0] == Found({"limits": {"qps": 2.0}})


def test_one_that_is_cut_short_to_be_written_anew(files: Files, tmp_path: Path) -> None:
    with (tmp_path / "models.toml").open("w", encoding="utf-8") as file:
        assert until(files, 3 * QUIET)[0] is None
        file.write("[limits]\nqps = 2.0\n")
    assert until(files)[0] == Found({"limits": {"qps": 2.0}})
    (tmp_path / "models.toml").write_text("", "utf-8")
    found, took = until(files)
    assert found == Found({})
    assert took > EMPTY / 2


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "models.toml")
    assert Files(tmp_path).read().troubles == {"models.toml": "it is no file"}
    (tmp_path / "models.toml").unlink()
    (tmp_path / "models.toml").mkdir()
    assert Files(tmp_path).read().troubles == {"models.toml": "it is no file"}
    (tmp_path / "models.toml").rmdir()
    (tmp_path / "models.toml").symlink_to(tmp_path / "nowhere")
    assert Files(tmp_path).read() == Found()


def test_a_key_of_many_parts_is_told_by_its_line(tmp_path: Path) -> None:
    # The parser would take gigabytes for it.
    (tmp_path / "models.toml").write_text("\n[limits]\nx" + ".x" * 100_000 + " = 1\n", "utf-8")
    begin = time.monotonic()
    told = Files(tmp_path).read().troubles["models.toml"]
    assert time.monotonic() - begin < 5
    assert told == "line 3 has a key of more than 16 parts, allowed: 1 to 16"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = " + "[" * 100_000, "it is nested too deeply"),
        ("x = " + "9" * 100_000, "digits"),
        ('x = """' + '\\"""' * 10_000, "Unterminated"),
    ],
)
def test_what_no_parser_takes(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "models.toml").write_text(text, "utf-8")
    assert told in Files(tmp_path).read().troubles["models.toml"]


def test_what_may_not_be_read(files: Files, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "models.toml").chmod(0)
    assert files.read().troubles == {"models.toml": "Permission denied"}
