"""Schemathesis against the real server: whatever is sent, the answer is one of the document's.

Every answer is checked for a status, a content type and a schema of the document, what the
document forbids for its refusal, every operation for its need of a token, and nothing for a 500.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.kit.books import Books
from tests.kit.command import environment
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def service(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own, with the scripted upstream behind every model."""
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Server(tmp_path_factory.mktemp("openapi"), models=models, settings=QUICK) as running:
        yield running
        Books(running).settled()


def conforms(
    document: str, token: str, folder: Path, hooks: Mapping[str, str], *options: str
) -> int:
    """Run schemathesis by the document at a URL; gives how many requests it made up."""
    schemathesis = Path(sys.executable).with_name("schemathesis")
    command = [str(schemathesis), "run", document]
    command += ["--header", f"Authorization: Bearer {token}"]
    command += ["--phases", "examples,coverage,fuzzing", "--mode", "all"]
    command += ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]
    command += ["--suppress-health-check", "all", "--continue-on-failure", *options]
    command += ["--request-timeout", "60", "--max-response-time", "60"]  # the machine may be busy
    variables = environment({**hooks, "PYTHONPATH": str(ROOT)})
    result = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    made = re.search(r"(\d+) generated", result.stdout)
    assert made, result.stdout
    return int(made[1])


def api_conforms(service: Server, folder: Path, *options: str) -> int:
    hooks = {"SCHEMATHESIS_HOOKS": "tests.openapi.hooks"}
    return conforms(f"{service.url}/openapi.json", service.token(), folder, hooks, *options)


def test_conformance(service: Server, tmp_path: Path) -> None:
    # Always the same cases, so that CI fails for a change and not by chance. What is counted or
    # checked is read as what is answered; what is only read is one and the same at both mounts
    # (test_document.py).
    options = ["--max-examples", "3", "--seed", "1"]
    options += ["--exclude-path-regex", "^/llm/lmapi/v3/(account|dashboard|models)"]
    for path in ("/v1/messages/count_tokens", "/v1/chat/completions/check"):
        options += ["--exclude-path", path]
    assert api_conforms(service, tmp_path, *options) >= 4100


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_conformance_at_length(service: Server, tmp_path: Path) -> None:
    assert api_conforms(service, tmp_path, "--max-examples", "1200") >= 5000
