"""Prints what the worker of images needs: the extra `images`, and what every worker imports."""

from __future__ import annotations

import tomllib
from pathlib import Path

EVERY_WORKER = ("msgspec", "structlog")

project = Path(__file__).parent.parent / "pyproject.toml"
extras = tomllib.loads(project.read_text("utf-8"))["project"]["optional-dependencies"]
print("\n".join([*EVERY_WORKER, *extras["images"]]))
