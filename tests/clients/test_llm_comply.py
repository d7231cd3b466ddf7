"""llm-comply, which holds the three forms of `/v1` to OpenAI's, Open Responses' and Anthropic's
specifications: the small embedded model passes what is not named here with its reason."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.clients.conftest import ROOT
from tests.conftest import QUICK
from tests.kit.books import Books
from tests.kit.command import environment
from tests.kit.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.embedded]

PLAIN = "ernie-4.5-turbo-32k"
# It tries thoughts with models alone whose names say that they think; these think in short.
MODELS = """
[models."deepseek-r-short"]
kind = "chat"
context = 8192
max_input = 4096
output_max = 2048
output_default = 2048
reasoning_max = 64
capabilities = ["reasoning"]

[models."claude-sonnet-4"]
alias = "deepseek-r-short"
"""
ANTHROPIC = ["--auth-header", "x-api-key", "--no-bearer", "-H", "anthropic-version:2023-06-01"]
UNTRIED = {
    # tried with a model that thinks, below
    "openai-chat": {"chat-reasoning-summary"},
    "open-responses": {"reasoning-summary"},
    "anthropic": {"anth-thinking-display"},
}
COUNTS = {"openai-chat": 9, "open-responses": 13, "anthropic": 9}
# Open Responses calls a shown thought `response.reasoning.delta`, OpenAI `…reasoning_text.delta`.
NAMED_AS_OPENAI_DOES = {
    f"unknown SSE event type: response.reasoning_text.{kind}" for kind in ("delta", "done")
}


@pytest.fixture(scope="module")
def url(small_weights: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The base URL and a token of a service of its own."""
    data = tmp_path_factory.mktemp("comply")
    with Server(data, "--model", small_weights, models=MODELS, settings=QUICK) as running:
        yield f"{running.url}/v1", running.token()
        Books(running).settled()


def found(url: tuple[str, str], form: str, model: str, *only: str) -> dict[str, set[str]]:
    """What each test complains of, but for warnings; `skipped` where it was not made."""
    program = ROOT / ".venv-clients/others/bin/llm-comply"
    assert program.exists(), f"{program} is missing: `make more-clients` installs it"
    base, token = url
    command = [str(program), "--format", form, "-u", base, "-k", token, "-m", model]
    command += ["--json", "--timeout", "240", *(["-f", ",".join(only)] if only else [])]
    command += ANTHROPIC if form == "anthropic" else []
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment({}),
        timeout=580, check=False,
    )  # fmt: skip
    assert result.stdout, result.stderr
    results = json.loads(result.stdout[result.stdout.index("{") :])["results"]
    return {
        each["id"]: {"skipped"} if each["status"] == "skipped" else set(each.get("errors") or ())
        for each in results
    }


@pytest.mark.parametrize("form", COUNTS)
def test_all_pass(url: tuple[str, str], form: str) -> None:
    complaints = found(url, form, PLAIN)
    assert len(complaints) == COUNTS[form]
    left = {name: told for name, told in complaints.items() if told}
    assert left == {name: {"skipped"} for name in UNTRIED[form]}


@pytest.mark.parametrize("form", COUNTS)
def test_a_model_that_thinks(url: tuple[str, str], form: str) -> None:
    model = "claude-sonnet-4" if form == "anthropic" else "deepseek-r-short"
    tried = UNTRIED[form]
    assert found(url, form, model, *tried) == {name: set() for name in tried}


def test_shown_thoughts_are_named_as_openai_does(url: tuple[str, str]) -> None:
    name = "streaming-usage"
    assert found(url, "open-responses", "deepseek-r-short", name) == {name: NAMED_AS_OPENAI_DOES}
