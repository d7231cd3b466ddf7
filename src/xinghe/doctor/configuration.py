"""The applied configuration: whether the service that runs follows it, and its files agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from .finding import Finding, ok, warn
from .locked import locked
from .options import Options

NAME = "config"
SECONDS = 30.0
STATUS = "xinghe config status"


def configuration(options: Options) -> Finding:
    # A service at work has brought the tables up to date, and its database runs: to ask changes
    # nothing.
    if not locked(os.path.join(options.data, "serve.lock")):
        return ok(NAME, "files are imported when the service starts")
    command = [sys.executable, "-m", "xinghe", *STATUS.split()[1:]]
    try:
        result = subprocess.run(  # noqa: S603
            [*command, "--json", "--data", options.data],
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
        found = json.loads(result.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return warn(NAME, "the applied configuration cannot be read", STATUS)
    troubles = list(_troubles(found))
    if troubles:
        return warn(NAME, " ".join("; ".join(troubles).split()), STATUS)
    return ok(NAME, f"version {found['version']} is applied")


def _troubles(found: dict[str, Any]) -> list[str]:
    files = [f"{name} is not imported: {why}" for name, why in found["files"].items()]
    told = set(files)
    for each in found["gateways"]:
        # Of this directory's files more is known than when the gateway told of them.
        told |= {why for why in each["trouble"] if why.partition(":")[0] not in found["files"]}
    return sorted(told)
