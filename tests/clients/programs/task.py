"""What every client program is asked, and what it reports: JSON in, JSON out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Task:
    """A base URL and a key are all that a client is told of the service."""

    base_url: str
    key: str
    model: str
    """The model of the conversation, which a real engine serves."""
    questions: list[str]
    """What the user says, round by round."""
    max_tokens: int
    scripted_model: str
    """The model of the stream, which plays `script`."""
    script: str


@dataclass(frozen=True)
class Refusal:
    """An error as the client shows it: its exception, the HTTP status, what else it says."""

    exception: str
    status: int | None
    text: str


@dataclass
class Report:
    """What came of it."""

    answers: list[str] = field(default_factory=list)
    prompt_tokens: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    read: dict[str, object] = field(default_factory=dict)
    """What a client read out of structured answers, by the way it asked."""
    refusals: dict[str, Refusal] = field(default_factory=dict)


def refusal(ask: Callable[[], object]) -> Refusal:
    """What a call raises that must be refused."""
    try:
        answer = ask()
    except Exception as error:
        status = getattr(error, "status_code", None)
        return Refusal(type(error).__name__, status, str(error))
    raise AssertionError(f"it was answered: {answer!r}")


def run(program: Callable[[Task, Report], None]) -> None:
    """Read the tasks, do them one after the other, and write their reports."""
    # One process for all: some of these clients take seconds to be imported.
    reports = []
    for task in json.load(sys.stdin):
        report = Report()
        program(Task(**task), report)
        reports.append(asdict(report))
    json.dump(reports, sys.stdout)
