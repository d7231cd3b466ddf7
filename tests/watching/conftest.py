"""Debian's Prometheus: its programs alone, of which none is installed as a service."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MISSING = (
    "the alerts are tested by promtool and prometheus, which are not here and not to be had by "
    "apt-get; on Debian or Ubuntu: sudo apt-get install -y --no-install-recommends prometheus"
)


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `promtool` and `prometheus`: where they are installed, else unpacked."""
    if shutil.which("prometheus") and (found := shutil.which("promtool")):
        return Path(found).parent
    folder = tmp_path_factory.mktemp("prometheus")
    got = subprocess.run(
        "apt-get download prometheus && dpkg -x prometheus_*.deb .",
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert got.returncode == 0, f"{MISSING}\n{got.stderr}"
    return folder / "usr" / "bin"
