"""The newest Python clients, by base URL and key alone: a conversation, a stream, errors."""

from __future__ import annotations

import pytest

from tests.clients.conftest import MAX_TOKENS, QUESTIONS, SCRIPT, Ask
from tests.kit.api import DOCUMENTED, STRICT

PROGRAMS = [
    ("openai", "openai_python"),
    ("openai", "langchain"),
    ("openai", "pydantic_ai_client"),
    ("litellm", "litellm_client"),
    ("instructor", "instructor_client"),
]
every_client = pytest.mark.parametrize(
    ("client", "program", "mount"),
    [
        *((*each, DOCUMENTED) for each in PROGRAMS[:3]),
        *(pytest.param(*each, DOCUMENTED, marks=pytest.mark.slow) for each in PROGRAMS[3:]),
        (*PROGRAMS[0], STRICT),
        *(pytest.param(*each, STRICT, marks=pytest.mark.slow) for each in PROGRAMS[1:]),
    ],
)
"""At both mounts; the strict one is that of OpenAI's own client, which the others rest on. Those
that bring most with them are for `make test-all`."""

EXCEPTIONS = {
    # program: (of an unknown model, of a wrong key)
    "openai_python": ("NotFoundError", "AuthenticationError"),
    "langchain": ("OpenAIModelNotFoundError", "OpenAIAuthenticationError"),
    "pydantic_ai_client": ("ModelNotFoundError", "ModelAuthenticationError"),
    # litellm reads the type `invalid_request_error` before the status, which it keeps.
    "litellm_client": ("BadRequestError", "BadRequestError"),
    "instructor_client": ("NotFoundError", "AuthenticationError"),
}


@pytest.mark.embedded
@every_client
def test_conversation(ask: Ask, client: str, program: str, mount: str) -> None:
    report = ask(client, program, mount)
    assert len(report["answers"]) == len(QUESTIONS)
    assert all(report["answers"])
    first, second = report["prompt_tokens"]
    # The second prompt holds the first one, its answer and the next question.
    assert first < second < first + MAX_TOKENS + 40


@every_client
def test_stream(ask: Ask, client: str, program: str, mount: str) -> None:
    pieces = ask(client, program, mount)["pieces"]
    assert "".join(pieces) == SCRIPT.text
    assert len(pieces) > 3


@every_client
def test_errors_are_the_clients_own(ask: Ask, client: str, program: str, mount: str) -> None:
    refusals = ask(client, program, mount)["refusals"]
    unknown, key = EXCEPTIONS[program]
    assert (refusals["model"]["exception"], refusals["model"]["status"]) == (unknown, 404)
    assert "no such model: 'no-such-model'" in refusals["model"]["text"]
    assert (refusals["key"]["exception"], refusals["key"]["status"]) == (key, 401)
    assert "IAM Certification failed" in refusals["key"]["text"]


@pytest.mark.slow
@pytest.mark.embedded
@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_response_models_of_instructor(ask: Ask, mount: str) -> None:
    """By a tool, by JSON, by a JSON Schema: the small model's values are its own, their types not.

    `max_retries=0`: the first answer validates.
    """
    read = ask("instructor", "instructor_client", mount)["read"]
    assert len(read) == 3
    for person in read.values():
        assert isinstance(person["name"], str)
        assert isinstance(person["age"], int)
