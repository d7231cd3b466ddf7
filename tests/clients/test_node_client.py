"""The newest openai-node, by base URL and key alone: a conversation, a stream, errors."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.clients.conftest import QUESTIONS, ROOT, SCRIPT, execute, node_packages
from tests.clients.programs.task import Task

pytestmark = pytest.mark.slow

PROGRAM = ROOT / "tests/clients/programs/openai_node.mjs"


@pytest.fixture(scope="module")
def reports(tasks: dict[str, Task], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program reports at each mount, with the package as npm has it today."""
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(PROGRAM, folder)
    with node_packages(folder, "openai@latest"):
        return execute(["node", PROGRAM.name], folder, tasks)


def test_conversation(reports: dict[str, Any]) -> None:
    for report in reports.values():
        assert len(report["answers"]) == len(QUESTIONS)
        assert all(report["answers"])
        first, second = report["prompt_tokens"]
        assert first < second


def test_stream(reports: dict[str, Any]) -> None:
    for report in reports.values():
        # What moderation held back for a moment comes with the piece behind it.
        assert "".join(report["pieces"]) == SCRIPT.text
        assert len(report["pieces"]) > 3


def test_errors_are_the_clients_own(reports: dict[str, Any]) -> None:
    for report in reports.values():
        model, key = report["refusals"]["model"], report["refusals"]["key"]
        assert (model["exception"], model["status"]) == ("NotFoundError", 404)
        assert (key["exception"], key["status"]) == ("AuthenticationError", 401)
