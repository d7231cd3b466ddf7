"""Why a worker has no model to draw with."""

from __future__ import annotations


class CannotLoad(Exception):
    """There is no such model, or it is of another kind; the message is for the operator."""


def sentence(error: BaseException) -> str:
    """What a library raised, on one line: its kind and its text."""
    return " ".join(f"{type(error).__name__}: {error}".split())
