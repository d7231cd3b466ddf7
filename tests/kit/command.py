"""The `xinghe` command as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

XINGHE = [sys.executable, "-m", "xinghe"]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the command inherits: this process's environment without its own `XINGHE_*`."""
    # The tester's own cache stays in use: the weights are large and verified.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("XINGHE_") or name.startswith("XINGHE_WEIGHTS__")
    }
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Several engines at once: each with as many threads as there are cores would crawl.
        kept["XINGHE_EMBEDDED__THREADS"] = "1"
    return {**kept, "PYTHONUNBUFFERED": "1", **(extra or {})}


def xinghe(*arguments: str, data: Path | None = None, timeout: float = 200.0) -> str:
    """Run a command that must succeed and give its standard output, trimmed."""
    command = [*XINGHE, *arguments, *(["--data", str(data)] if data else [])]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env=environment(), check=False
    )
    assert result.returncode == 0, f"{' '.join(command)}: {result.stdout}{result.stderr}"
    return result.stdout.strip()
