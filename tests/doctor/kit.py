"""Options to examine, and other users to examine as."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from xinghe.doctor.finding import Finding
from xinghe.doctor.options import Options, parse

NOBODY = 65534


def options(*argv: str, **environ: str) -> Options:
    return parse(argv, {"HOME": "/nonexistent", **environ})


def as_other_user(check: Callable[[Options], Finding], asked: Options) -> Finding:
    """The check's finding for a user who is neither root nor the owner of what root made."""
    if os.geteuid() != 0:
        return check(asked)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, pickle.dumps(tuple(check(asked))))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        finding = Finding(*pickle.loads(answer.read()))
    os.waitpid(child, 0)
    return finding


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)
