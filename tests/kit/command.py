"""The `xinghe` command as a real process."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from xinghe.cli.lazy import Elsewhere
from xinghe.cli.main import main

XINGHE = [sys.executable, "-m", "xinghe"]

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        *(
            command.place.partition(":")[0]
            for command in main.commands.values()
            if isinstance(command, Elsewhere)
        ),
        "xinghe.cli.serving",
    ]
)


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


def xinghe(
    *arguments: str,
    data: Path | None = None,
    timeout: float = 200.0,
    settings: Mapping[str, str] | None = None,
) -> str:
    """Run a command that must succeed and give its standard output, trimmed."""
    code, out, errors = ended(*arguments, data=data, timeout=timeout, settings=settings)
    assert code == 0, f"xinghe {' '.join(arguments)}: {out}{errors}"
    return out.strip()


def ended(
    *arguments: str,
    data: Path | None = None,
    timeout: float = 200.0,
    settings: Mapping[str, str] | None = None,
) -> tuple[int, str, str]:
    """Run a command; its exit code, its standard output and its standard error."""
    asked = [*arguments, *(["--data", str(data)] if data else [])]
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "stdout"), Path(folder, "stderr")
        process = forked(asked, environment(settings), *told)
        process.join(timeout)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
        out, errors = (file.read_text("utf-8") if file.exists() else "" for file in told)
    assert code is not None, f"xinghe {' '.join(asked)}: at work after {timeout} s: {out}{errors}"
    return code, out, errors


def forked(
    arguments: Sequence[str], variables: Mapping[str, str], out: Path, errors: Path
) -> ForkServerProcess:
    """Start a command with these variables; what it says is added to the files.

    It is a process of its own, forked from one that has imported all commands: most of what a
    command takes is its imports.
    """
    process = FORKS.Process(target=_run, args=(arguments, variables, out, errors), daemon=False)
    process.start()
    return process


def _run(arguments: list[str], variables: dict[str, str], out: Path, errors: Path) -> None:
    for file, descriptor in ((out, 1), (errors, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    os.environ.clear()
    os.environ.update(variables)
    main(arguments, prog_name="xinghe")
