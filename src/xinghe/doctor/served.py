"""Which model files the embedded engines would serve: the service's own code is asked, which
knows the applied version and what was edited in files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from .locked import locked

MODULE = "xinghe.cli.embedded"
SECONDS = 30.0
KEPT = ("models.toml", "xinghe.db")
"""What of a data directory may say so; without it, what is built in is served."""


class CannotServe(Exception):
    """What there is makes no catalog."""


def weights(
    data: str, database: str, environment: str, model: str, environ: Mapping[str, str]
) -> list[str] | None:
    """`model` is that of the command line. `None`: nobody can be asked, or nothing says so.

    A local PostgreSQL that does not run is not started for it, and a log of SQLite that nobody
    holds is not written into its file. Raises `CannotServe`.
    """
    cluster = os.path.isdir(os.path.join(data, "postgresql"))
    if not (database or locked(os.path.join(data, "serve.lock"))):
        log = os.path.join(data, "xinghe.db-wal")
        if cluster or (os.path.exists(log) and os.path.getsize(log)):
            return None
    if not (cluster or database or any(os.path.exists(os.path.join(data, x)) for x in KEPT)):
        return None
    made = os.path.join(environment, "bin", "python") if environment else ""
    python = made if made and os.path.exists(made) else sys.executable
    try:
        result = subprocess.run(  # noqa: S603
            [python, "-m", MODULE, data, model],
            capture_output=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, **environ},
        )
        told = json.loads(result.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None  # not installed yet, or its database is away: other checks say so
    if "error" in told:
        raise CannotServe(str(told["error"]))
    return list(map(str, told["weights"]))
