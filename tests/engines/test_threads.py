"""How many compute threads: cores that somebody else uses are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xinghe.engines.llamacpp.child import free_cores, quota

BURN = "while True: pass"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_busy_core_is_not_taken() -> None:
    mine = sorted(os.sched_getaffinity(0))
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in mine]
    try:
        for burner, cpu in zip(burners, mine, strict=True):
            os.sched_setaffinity(burner.pid, {cpu})
        time.sleep(0.3)
        assert free_cores() == 1  # all are busy: one all the same
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_one_allowed_cpu_is_one_thread() -> None:
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        assert free_cores() == 1
    finally:
        os.sched_setaffinity(0, mine)


def test_never_more_than_there_are() -> None:
    assert 1 <= free_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", 8),
        ("300000 100000\n", 3),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("", 8),
        ("soon 100000\n", 8),
    ],
)
def test_container_s_allowance(text: str, cores: int, tmp_path: Path) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(text)
    assert quota(8, file) == cores


def test_no_container(tmp_path: Path) -> None:
    assert quota(8, tmp_path / "cpu.max") == 8
